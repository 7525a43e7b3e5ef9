#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/kinds.h"
#include "core/config/secret.h"

enum { TYPES_MAX = 32 };

char **value_copy_strings(const json_t *array) {
    size_t count = json_array_size(array);
    char **strings = calloc(count + 1, sizeof(*strings));
    if (!strings) return NULL;
    for (size_t i = 0; i < count; i++) {
        strings[i] = strdup(json_string_value(json_array_get(array, i)));
        if (strings[i]) continue;
        value_free_strings(strings);
        return NULL;
    }
    return strings;
}

void value_free_strings(char **strings) {
    for (size_t i = 0; strings && strings[i]; i++)
        free(strings[i]);
    free(strings);
}

static bool is_list_of_text(const json_t *value) {
    size_t i;
    json_t *item;
    if (json_array_size(value) == 0) return false;
    json_array_foreach(value, i, item) {
        if (!json_is_string(item) || !json_string_length(item)) return false;
    }
    return true;
}

static bool read_type(const struct schema_key *key, const struct source *source, const char *path,
                      const json_t *value, struct provider_draft *draft) {
    const char *names[TYPES_MAX];
    size_t count = 0;
    const char *name = json_string_value(value);
    if (!name) return value_wrong(key, source, path, value);
    draft->chosen = provider_type_find(name);
    if (strcmp(name, config_route_type.name) == 0) draft->chosen = &config_route_type;
    if (draft->chosen) return true;
    for (; provider_types[count]; count++)
        names[count] = provider_types[count]->name;
    assert(count + 2 <= TYPES_MAX);
    names[count++] = config_route_type.name;
    names[count] = NULL;
    return value_unknown_word(source, path, "type", name, names);
}

static json_t *show_type(const struct schema_key *key, const struct provider_config *config) {
    return json_string(config->type->name);
}

const struct value_kind value_type = { read_type, show_type };

// Which words there are depends on the type: provider_draft_complete looks.
static bool read_api(const struct schema_key *key, const struct source *source, const char *path,
                     const json_t *value, struct provider_draft *draft) {
    if (!json_is_string(value)) return value_wrong(key, source, path, value);
    char *api = strdup(json_string_value(value));
    if (!api) return source_out_of_memory(source);
    free(draft->api);
    draft->api = api;
    return true;
}

static json_t *show_api(const struct schema_key *key, const struct provider_config *config) {
    const struct provider_type *type = config->type;
    for (size_t i = 0; type->apis && type->apis[i] && type->wires[i]; i++)
        if (type->wires[i] == config->wire) return json_string(type->apis[i]);
    return NULL;
}

const struct value_kind value_api = { read_api, show_api };

static bool read_route(const struct schema_key *key, const struct source *source, const char *path,
                       const json_t *value, struct provider_draft *draft) {
    if (!is_list_of_text(value)) return value_wrong(key, source, path, value);
    char **route = value_copy_strings(value);
    if (!route) return source_out_of_memory(source);
    value_free_strings(draft->config.route);
    draft->config.route = route;
    return true;
}

static json_t *show_route(const struct schema_key *key, const struct provider_config *config) {
    if (!config->route) return NULL;
    json_t *names = json_array();
    for (size_t i = 0; config->route[i]; i++)
        json_array_append_new(names, json_string(config->route[i]));
    return names;
}

const struct value_kind value_route = { read_route, show_route };

static bool read_options(const struct schema_key *key, const struct source *source,
                         const char *path, const json_t *value, struct provider_draft *draft) {
    if (!json_is_object(value)) return value_wrong(key, source, path, value);
    json_t *merged = json_object();
    if (!merged) return source_out_of_memory(source);
    bool stored =
        (!draft->config.options || json_object_update(merged, draft->config.options) == 0) &&
        json_object_update(merged, (json_t *)value) == 0;
    if (!stored) {
        json_decref(merged);
        return source_out_of_memory(source);
    }
    json_decref(draft->config.options);
    draft->config.options = merged;
    return true;
}

static json_t *show_options(const struct schema_key *key, const struct provider_config *config) {
    if (!config->options || !json_object_size(config->options)) return NULL;
    json_t *options = json_deep_copy(config->options);
    if (options) secret_hide_members(options);
    return options;
}

const struct value_kind value_options = { read_options, show_options };
