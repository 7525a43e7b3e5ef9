/* api_key: where a key is found. The key itself is never read here, and never shown. */
#include <stdlib.h>
#include <string.h>

#include "core/config/internal.h"

static const char advice[] =
    "expected {\"env\": NAME}, {\"file\": PATH}, {\"command\": [PROGRAM, …]} or {\"credential\": "
    "NAME}";

char *path_expand(const char *path, config_getenv get, void *get_owner) {
    const char *home = get(get_owner, "HOME");
    if (path[0] != '~' || path[1] != '/' || !home) return strdup(path);
    struct bytes expanded;
    bytes_init(&expanded, 64 << 10);
    if (bytes_printf(&expanded, "%s%s", home, path + 1)) return bytes_take(&expanded);
    bytes_finish(&expanded);
    return NULL;
}

static bool read_command(const json_t *list, struct key_config *key, const char *file,
                         const char *path, struct config_error *error) {
    size_t count = json_array_size(list);
    if (count == 0)
        return config_fail(error, file, path, "expected a list: a program and its arguments");
    key->command = calloc(count + 1, sizeof(*key->command));
    for (size_t i = 0; key->command && i < count; i++) {
        const char *word = json_string_value(json_array_get(list, i));
        if (!word) return config_fail(error, file, path, "expected a list of strings");
        key->command[i] = strdup(word);
    }
    return true;
}

bool key_read(const json_t *value, struct key_config *key, const char *file, const char *path,
              config_getenv get, void *get_owner, struct config_error *error) {
    static const struct {
        const char *word;
        enum key_source source;
    } sources[] = { { "env", KEY_ENV },
                    { "file", KEY_FILE },
                    { "command", KEY_COMMAND },
                    { "credential", KEY_CREDENTIAL } };
    if (json_is_string(value))
        return config_fail(error, file, path, "a key does not belong into this file; %s", advice);
    if (json_object_size(value) != 1) return config_fail(error, file, path, "%s", advice);
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
        const json_t *place = json_object_get(value, sources[i].word);
        if (!place) continue;
        key->source = sources[i].source;
        if (key->source == KEY_COMMAND) return read_command(place, key, file, path, error);
        const char *name = json_string_value(place);
        if (!name || !name[0]) return config_fail(error, file, path, "%s", advice);
        key->name = path_expand(name, get, get_owner);
        return true;
    }
    return config_fail(error, file, path, "%s", advice);
}

json_t *key_show(const struct key_config *key) {
    switch (key->source) {
    case KEY_NONE:
        return json_null();
    case KEY_ENV:
        return json_pack("{s:s}", "env", key->name);
    case KEY_FILE:
        return json_pack("{s:s}", "file", key->name);
    case KEY_CREDENTIAL:
        return json_pack("{s:s}", "credential", key->name);
    case KEY_COMMAND:
        return json_pack("{s:[s]}", "command", key->command[0]); // arguments may tell
    }
    return json_null();
}

void key_finish(struct key_config *key) {
    free(key->name);
    for (size_t i = 0; key->command && key->command[i]; i++)
        free(key->command[i]);
    free(key->command);
}
