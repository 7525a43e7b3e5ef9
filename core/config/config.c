#include "core/config/config.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/config/kinds.h"
#include "core/config/lookup.h"
#include "core/config/root.h"
#include "core/config/route.h"
#include "core/config/shown.h"

enum { PROVIDERS_MAX = 1024, NAME_BYTES_MAX = 255 };

void config_destroy(struct config *config) {
    if (!config) return;
    for (size_t i = 0; i < config->provider_count; i++)
        provider_config_finish(&config->providers[i]);
    free(config->providers);
    free(config->file);
    free(config->spill_dir);
    json_decref(config->shown);
    free(config);
}

static bool check_name(const struct source *source, const char *name) {
    static const char *const taken[] = { "README", "status",      "metrics", "events",
                                         "alerts", "config.json", "version" };
    char path[SOURCE_PATH_SIZE];
    source_path(path, "providers", name);
    if (!name[0]) return source_problem(source, "providers", "a provider's name may not be empty");
    if (strlen(name) > NAME_BYTES_MAX)
        return source_problem(source, path, "a provider's name has at most 255 bytes");
    if (strchr(name, '/') || !value_is_printable(name) || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return source_problem(source, path,
                              "the name becomes a directory: it may not be \".\" or "
                              "\"..\" and may not hold a slash or a control character");
    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
        if (strcmp(name, taken[i]) == 0)
            return source_problem(source, path, "this is a file of the mount: take another name");
    return true;
}

static bool add_provider(struct config *config, const struct source *source, const char *name,
                         const json_t *own, const json_t *defaults) {
    struct provider_draft draft;
    char path[SOURCE_PATH_SIZE];
    if (!check_name(source, name)) return false;
    source_path(path, "providers", name);
    bool complete = provider_draft_init(&draft, name) || source_out_of_memory(source);
    if (complete && defaults) complete = provider_draft_read(&draft, source, "defaults", defaults);
    complete = complete && provider_draft_read(&draft, source, path, own) &&
               provider_draft_complete(&draft, source, path, own, defaults);
    if (complete) {
        config->providers[config->provider_count++] = draft.config;
        draft.config = (struct provider_config){ .name = NULL };
    }
    provider_draft_finish(&draft);
    return complete;
}

// A mistake in them is one whatever provider would take them, and before there is any.
static bool check_defaults(const struct source *source, const json_t *defaults) {
    struct provider_draft draft;
    if (!defaults) return true;
    bool right = (provider_draft_init(&draft, "defaults") || source_out_of_memory(source)) &&
                 provider_draft_read(&draft, source, "defaults", defaults);
    provider_draft_finish(&draft);
    return right;
}

static bool check_providers(const struct source *source, const json_t *providers) {
    size_t count = json_object_size(providers);
    if (count == 0)
        return source_problem(source, "providers",
                              "expected an object with a member for each "
                              "provider, such as {\"sim\": {\"type\": \"sim\"}}");
    if (count > PROVIDERS_MAX)
        return source_problem(source, "providers", "expected at most %d", PROVIDERS_MAX);
    return true;
}

static bool fill(struct config *config, const struct source *source, const json_t *root) {
    const char *name;
    json_t *own;
    json_t *providers = json_object_get(root, "providers");
    if (!root_read(config, source, root) ||
        !check_defaults(source, json_object_get(root, "defaults")) ||
        !check_providers(source, providers))
        return false;
    config->providers = calloc(json_object_size(providers), sizeof(*config->providers));
    if (!config->providers) return source_out_of_memory(source);
    json_object_foreach(providers, name, own) {
        if (!add_provider(config, source, name, own, json_object_get(root, "defaults")))
            return false;
    }
    if (!routes_check(config, source)) return false;
    config->shown = shown_config(config);
    return config->shown || source_out_of_memory(source);
}

static struct config *create(const struct source *source, const json_t *root) {
    struct config *config = calloc(1, sizeof(*config));
    if (config && (!source->file || (config->file = source_absolute_file(source->file)))) {
        if (fill(config, source, root)) return config;
    } else {
        source_out_of_memory(source);
    }
    config_destroy(config);
    return NULL;
}

// jansson adds what stood near the mistake, which may be a key.
static void syntax_problem(const struct source *source, const json_error_t *error) {
    char file[512];
    char text[sizeof(error->text)];
    char shown[sizeof(error->text)];
    struct source place = *source;
    snprintf(text, sizeof(text), "%s", error->text);
    char *near = strstr(text, " near ");
    bool is_telling = near && (strcmp(near, " near end of file") == 0 ||
                               json_error_code(error) == json_error_duplicate_key);
    if (near && !is_telling) *near = '\0';
    text_printable(shown, sizeof(shown), slice_of(text));
    snprintf(file, sizeof(file), "%s:%d:%d", source->file, error->line, error->column);
    place.file = file;
    source_problem(&place, NULL, "not JSON: %s", shown);
}

struct config *config_parse(struct slice text, const char *file, config_getenv get, void *get_owner,
                            struct config_error *error_out) {
    json_error_t json_error;
    struct config *config = NULL;
    struct source source = { file, NULL, get, get_owner, error_out };
    char *absolute = source_absolute_file(file);
    if (!absolute) {
        source_out_of_memory(&source);
        return NULL;
    }
    source.folder = dirname(absolute);
    if (slice_starts_with(text, "\xef\xbb\xbf")) { // editors of another world put it there
        text.data += 3;
        text.length -= 3;
    }
    json_t *root =
        json_loadb(text.data ? text.data : "", text.length, JSON_REJECT_DUPLICATES, &json_error);
    if (root)
        config = create(&source, root);
    else
        syntax_problem(&source, &json_error);
    json_decref(root);
    free(absolute);
    return config;
}

struct config *config_builtin(config_getenv get, void *get_owner, struct config_error *error_out) {
    struct source source = { NULL, "/", get, get_owner, error_out };
    struct config *config = NULL;
    json_t *providers = json_object();
    bool built = true;
    for (size_t i = 0; provider_types[i]; i++) {
        const struct provider_type *type = provider_types[i];
        bool has_key = type->key_variable && source_variable(&source, type->key_variable);
        if (!has_key && strcmp(type->name, "sim") != 0) continue;
        json_t *own = json_pack("{s:s}", "type", type->name);
        built = built && json_object_set_new(providers, type->name, own) == 0;
    }
    json_t *root = json_pack("{s:o}", "providers", providers);
    if (built && root)
        config = create(&source, root);
    else
        source_out_of_memory(&source);
    json_decref(root);
    return config;
}

struct config *config_load(const char *explicit_file, config_getenv get, void *get_owner,
                           struct config_error *error_out) {
    struct found_file found;
    struct source source = { NULL, "/", get, get_owner, error_out };
    if (!lookup_file(explicit_file, &source, &found)) return NULL;
    struct config *config =
        found.name ? config_parse(bytes_slice(&found.text), found.name, get, get_owner, error_out)
                   : config_builtin(get, get_owner, error_out);
    lookup_finish(&found);
    return config;
}
