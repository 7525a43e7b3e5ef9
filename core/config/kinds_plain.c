#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config/kinds.h"

static void *field(const struct schema_key *key, struct provider_draft *draft) {
    return (char *)draft + key->offset;
}

// config is the first member of a draft, so a key's offset serves for both.
static const void *shown_field(const struct schema_key *key, const struct provider_config *config) {
    return (const char *)config + key->offset;
}

// Text is not repeated: it may be a secret in the wrong place.
static void describe(char text[64], const json_t *value) {
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list", [JSON_STRING] = "text",
        [JSON_INTEGER] = "",         [JSON_REAL] = "",        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    if (json_is_integer(value))
        snprintf(text, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, 64, "%g", json_real_value(value));
    else
        snprintf(text, 64, "%s", names[json_typeof(value)]);
}

bool value_wrong(const struct schema_key *key, const struct source *source, const char *path,
                 const json_t *value) {
    char found[64];
    describe(found, value);
    return source_problem(source, path, "expected %s; found %s", key->expected, found);
}

bool value_is_printable(const char *text) {
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f) return false;
        if (byte == 0xc2 && (unsigned char)text[1] < 0xa0) return false; // U+0080 to U+009F
    }
    return true;
}

static bool in_limits(const struct schema_key *key, double number) {
    return number >= key->min && number <= key->max;
}

static bool whole_number(const struct schema_key *key, const json_t *value, int64_t *number_out) {
    double number = json_number_value(value);
    if (!json_is_number(value) || !in_limits(key, number) || number != floor(number)) return false;
    *number_out = (int64_t)number;
    return true;
}

static json_t *shown_number(double number) {
    bool is_whole = number == floor(number) && fabs(number) < 1e15;
    return is_whole ? json_integer((json_int_t)number) : json_real(number);
}

static bool read_seconds(const struct schema_key *key, const struct source *source,
                         const char *path, const json_t *value, struct provider_draft *draft) {
    double seconds = json_number_value(value);
    if (!json_is_number(value) || !in_limits(key, seconds))
        return value_wrong(key, source, path, value);
    int64_t duration_ns = llround(seconds * 1e9); // to the nearest, so that 1.1 is shown as 1.1
    if (duration_ns == 0 && seconds > 0) duration_ns = 1;
    *(int64_t *)field(key, draft) = duration_ns;
    return true;
}

static json_t *show_seconds(const struct schema_key *key, const struct provider_config *config) {
    return shown_number((double)*(const int64_t *)shown_field(key, config) / 1e9);
}

const struct value_kind value_seconds = { read_seconds, show_seconds };
const struct value_kind value_seconds_alias = { read_seconds, NULL };

static bool read_count(const struct schema_key *key, const struct source *source, const char *path,
                       const json_t *value, struct provider_draft *draft) {
    int64_t number;
    if (!whole_number(key, value, &number)) return value_wrong(key, source, path, value);
    *(int *)field(key, draft) = (int)number;
    return true;
}

static json_t *show_count(const struct schema_key *key, const struct provider_config *config) {
    return json_integer(*(const int *)shown_field(key, config));
}

const struct value_kind value_count = { read_count, show_count };

static bool read_size(const struct schema_key *key, const struct source *source, const char *path,
                      const json_t *value, struct provider_draft *draft) {
    int64_t number;
    if (!whole_number(key, value, &number)) return value_wrong(key, source, path, value);
    *(int64_t *)field(key, draft) = number;
    return true;
}

static json_t *show_size(const struct schema_key *key, const struct provider_config *config) {
    return json_integer(*(const int64_t *)shown_field(key, config));
}

const struct value_kind value_size = { read_size, show_size };

static bool read_factor(const struct schema_key *key, const struct source *source, const char *path,
                        const json_t *value, struct provider_draft *draft) {
    if (!json_is_number(value) || !in_limits(key, json_number_value(value)))
        return value_wrong(key, source, path, value);
    *(double *)field(key, draft) = json_number_value(value);
    return true;
}

static json_t *show_factor(const struct schema_key *key, const struct provider_config *config) {
    return shown_number(*(const double *)shown_field(key, config));
}

const struct value_kind value_factor = { read_factor, show_factor };

static bool read_flag(const struct schema_key *key, const struct source *source, const char *path,
                      const json_t *value, struct provider_draft *draft) {
    if (!json_is_boolean(value)) return value_wrong(key, source, path, value);
    *(bool *)field(key, draft) = json_is_true(value);
    return true;
}

static json_t *show_flag(const struct schema_key *key, const struct provider_config *config) {
    return json_boolean(*(const bool *)shown_field(key, config));
}

const struct value_kind value_flag = { read_flag, show_flag };

static bool replace_text(const struct schema_key *key, const struct source *source, char *text,
                         struct provider_draft *draft) {
    char **kept = field(key, draft);
    if (!text) return source_out_of_memory(source);
    free(*kept);
    *kept = text;
    return true;
}

static bool read_text(const struct schema_key *key, const struct source *source, const char *path,
                      const json_t *value, struct provider_draft *draft) {
    if (!json_is_string(value)) return value_wrong(key, source, path, value);
    return replace_text(key, source, strdup(json_string_value(value)), draft);
}

static json_t *show_text(const struct schema_key *key, const struct provider_config *config) {
    const char *text = *(char *const *)shown_field(key, config);
    return text && text[0] ? json_string(text) : NULL;
}

const struct value_kind value_text = { read_text, show_text };

static bool read_label(const struct schema_key *key, const struct source *source, const char *path,
                       const json_t *value, struct provider_draft *draft) {
    const char *text = json_string_value(value);
    if (!text) return value_wrong(key, source, path, value);
    if (!text[0]) return source_problem(source, path, "expected %s; it is empty", key->expected);
    if (!value_is_printable(text))
        return source_problem(source, path, "expected %s; it holds a control character",
                              key->expected);
    return replace_text(key, source, strdup(text), draft);
}

const struct value_kind value_label = { read_label, show_text };

static bool read_file(const struct schema_key *key, const struct source *source, const char *path,
                      const json_t *value, struct provider_draft *draft) {
    const char *name = json_string_value(value);
    if (!name || !name[0] || !value_is_printable(name))
        return value_wrong(key, source, path, value);
    char *file = source_file(source, path, name);
    if (!file) return false;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        source_problem(source, path, "%s cannot be read: %s", file, strerror(errno));
        free(file);
        return false;
    }
    close(fd);
    return replace_text(key, source, file, draft);
}

const struct value_kind value_file = { read_file, show_text };
