/* Values that are words of a list. */
#include <string.h>

#include "core/base/text.h"
#include "core/config/kinds.h"

bool value_unknown_word(const struct source *source, const char *path, const char *what,
                        const char *word, const char *const *words) {
    char shown[80];
    char problem[128];
    text_printable(shown, sizeof(shown), slice_of(word));
    snprintf(problem, sizeof(problem), "unknown %s \"%s\"", what, shown);
    return schema_unknown_name(source, path, problem, word, words);
}

static int find_word(const char *word, const char *const *words) {
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0) return i;
    return -1;
}

static bool read_recovery(const struct schema_key *key, const struct source *source,
                          const char *path, const json_t *value, struct provider_draft *draft) {
    const char *word = json_string_value(value);
    if (!word) return value_wrong(key, source, path, value);
    int found = find_word(word, recovery_policy_names);
    if (found < 0)
        return value_unknown_word(source, path, "way of recovery", word, recovery_policy_names);
    draft->config.recovery = (enum recovery_policy)found;
    return true;
}

static json_t *show_recovery(const struct schema_key *key, const struct provider_config *config) {
    return json_string(recovery_policy_names[config->recovery]);
}

const struct value_kind value_recovery = { read_recovery, show_recovery };

static bool read_prefill(const struct schema_key *key, const struct source *source,
                         const char *path, const json_t *value, struct provider_draft *draft) {
    const char *word = json_string_value(value);
    if (!word) return value_wrong(key, source, path, value);
    int found = find_word(word, prefill_kind_names);
    if (found < 0)
        return value_unknown_word(source, path, "kind of prefill", word, prefill_kind_names);
    draft->config.dialect.prefill = (enum prefill_kind)found;
    draft->prefill_is_told = true;
    return true;
}

static json_t *show_prefill(const struct schema_key *key, const struct provider_config *config) {
    return json_string(prefill_kind_names[config->dialect.prefill]);
}

const struct value_kind value_prefill = { read_prefill, show_prefill };

// ---- attempts by class ----

enum { CLASS_ATTEMPTS_MAX = 100 };

// Others are never asked again, or, like streams that broke, have a limit of their own.
static const enum failure_class retried[] = { FAILURE_RATE_LIMIT, FAILURE_CONFLICT,
                                              FAILURE_OVERLOADED, FAILURE_SERVER,
                                              FAILURE_NETWORK,    FAILURE_TIMEOUT,
                                              FAILURE_PROTOCOL,   FAILURE_SCHEMA };
enum { RETRIED_COUNT = sizeof(retried) / sizeof(*retried) };

static bool read_class(const struct schema_key *key, const struct source *source, const char *path,
                       const char *name, const json_t *value, int attempts[FAILURE_CLASS_COUNT]) {
    const char *names[RETRIED_COUNT + 1] = { NULL };
    double number = json_number_value(value);
    char own_path[SOURCE_PATH_SIZE];
    source_path(own_path, path, name);
    for (size_t i = 0; i < RETRIED_COUNT; i++)
        names[i] = failure_class_name(retried[i]);
    int found = find_word(name, names);
    if (found < 0) return value_unknown_word(source, own_path, "class to retry", name, names);
    if (!json_is_integer(value) || number < 1 || number > CLASS_ATTEMPTS_MAX)
        return value_wrong(key, source, own_path, value);
    attempts[retried[found]] = (int)number;
    return true;
}

static bool read_classes(const struct schema_key *key, const struct source *source,
                         const char *path, const json_t *value, struct provider_draft *draft) {
    const char *name;
    json_t *attempts;
    if (!json_is_object(value)) return value_wrong(key, source, path, value);
    json_object_foreach((json_t *)value, name, attempts) {
        if (!read_class(key, source, path, name, attempts, draft->config.retry.class_attempts))
            return false;
    }
    return true;
}

static json_t *show_classes(const struct schema_key *key, const struct provider_config *config) {
    json_t *shown = json_object();
    for (size_t i = 0; i < RETRIED_COUNT; i++) {
        int attempts = config->retry.class_attempts[retried[i]];
        if (attempts)
            json_object_set_new(shown, failure_class_name(retried[i]), json_integer(attempts));
    }
    return shown;
}

const struct value_kind value_classes = { read_classes, show_classes };
