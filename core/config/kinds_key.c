#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/kinds.h"
#include "core/config/secret.h"

static const char *const key_sources[] = { [KEY_ENV] = "env",
                                           [KEY_FILE] = "file",
                                           [KEY_COMMAND] = "command",
                                           [KEY_CREDENTIAL] = "credential" };
static const char *const *const key_source_names = key_sources + KEY_ENV;
enum { KEY_SOURCES = sizeof(key_sources) / sizeof(*key_sources) };

static void finish_key(struct key_config *key) {
    free(key->name);
    value_free_strings(key->command);
}

// A key in place of a variable's name is the mistake to expect, so the text is not repeated.
static bool is_variable_name(const char *name) {
    if (!isalpha((unsigned char)*name) && *name != '_') return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_') return false;
    return true;
}

static bool is_file_name(const char *name) {
    if (!name[0] || !value_is_printable(name) || strchr(name, '/')) return false;
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool is_command(const json_t *value) {
    size_t i;
    json_t *item;
    if (json_array_size(value) == 0) return false;
    if (!json_string_length(json_array_get(value, 0))) return false;
    json_array_foreach(value, i, item) {
        if (!json_is_string(item)) return false;
    }
    return true;
}

// A program with a slash in its name is a file like any other that is named here.
static bool resolve_program(const struct source *source, const char *path, char **program) {
    char *file = source_file(source, path, *program);
    if (!file) return false;
    free(*program);
    *program = file;
    return true;
}

// Fills one member of {"env" | "file" | "command" | "credential": …}.
static bool read_place(struct key_config *key, const struct source *source, const char *path,
                       const json_t *value) {
    const char *name = json_string_value(value);
    switch (key->source) {
    case KEY_ENV:
        if (!name || !is_variable_name(name))
            return source_problem(source, path,
                                  "expected the name of an environment variable, not a key itself");
        break;
    case KEY_FILE:
        if (!name || !name[0] || !value_is_printable(name))
            return source_problem(source, path, "expected the name of a file");
        key->name = source_file(source, path, name);
        return key->name != NULL;
    case KEY_COMMAND:
        if (!is_command(value))
            return source_problem(source, path,
                                  "expected a list: the program and its arguments, such as "
                                  "[\"pass\", \"openai\"]; for a shell [\"sh\", \"-c\", \"…\"]");
        key->command = value_copy_strings(value);
        if (!key->command) return source_out_of_memory(source);
        return !strchr(key->command[0], '/') || resolve_program(source, path, &key->command[0]);
    case KEY_CREDENTIAL:
        if (!name || !is_file_name(name))
            return source_problem(source, path,
                                  "expected the name of a credential of the systemd unit");
        break;
    case KEY_NONE:
        return false;
    }
    key->name = strdup(name);
    return key->name || source_out_of_memory(source);
}

static bool read_key(const struct schema_key *schema_key, const struct source *source,
                     const char *path, const json_t *value, struct provider_draft *draft) {
    struct key_config key = { KEY_NONE, NULL, NULL };
    char inner[SOURCE_PATH_SIZE];
    const char *name = json_object_iter_key(json_object_iter((json_t *)value));
    if (json_is_string(value))
        return source_problem(source, path, "a key may not stand in this file; expected %s",
                              schema_key->expected);
    if (!json_is_object(value) || !name) return value_wrong(schema_key, source, path, value);
    for (int i = KEY_ENV; i < KEY_SOURCES; i++)
        if (strcmp(name, key_sources[i]) == 0) key.source = (enum key_source)i;
    source_path(inner, path, name);
    if (key.source == KEY_NONE) {
        const char *names[KEY_SOURCES];
        memcpy(names, key_source_names, (KEY_SOURCES - KEY_ENV) * sizeof(*names));
        names[KEY_SOURCES - KEY_ENV] = NULL;
        return schema_unknown_name(source, inner, "unknown key", name, names);
    }
    if (json_object_size(value) > 1)
        return source_problem(source, path,
                              "a key has one place; expected one of env, file, "
                              "command and credential, not several");
    if (!read_place(&key, source, inner, json_object_get(value, name))) {
        finish_key(&key);
        return false;
    }
    finish_key(&draft->config.key);
    draft->config.key = key;
    return true;
}

// A command's arguments may hold a secret; its name says where to look.
static json_t *shown_command(char **command) {
    json_t *shown = json_array();
    for (size_t i = 0; command[i]; i++)
        json_array_append_new(shown, json_string(i == 0 ? command[i] : SECRET_HIDDEN));
    return shown;
}

static json_t *show_key(const struct schema_key *schema_key, const struct provider_config *config) {
    const struct key_config *key = &config->key;
    if (key->source == KEY_NONE) return NULL;
    json_t *place =
        key->source == KEY_COMMAND ? shown_command(key->command) : json_string(key->name);
    return json_pack("{s:o}", key_sources[key->source], place);
}

const struct value_kind value_key = { read_key, show_key };

// RFC 9110, section 5.6.2
static bool is_token(const char *name) {
    if (!name[0]) return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("!#$%&'*+-.^_`|~", *name)) return false;
    return true;
}

static bool check_header(const struct source *source, const char *path, const char *name,
                         const json_t *value) {
    static const char *const ours[] = { "Connection",     "Content-Length", "Content-Type",
                                        "Expect",         "Host",           "Transfer-Encoding",
                                        "Accept-Encoding" };
    if (!is_token(name)) return source_problem(source, path, "this is no name of a header");
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        if (slice_equals_nocase(slice_of(name), ours[i]))
            return source_problem(source, path, "this header is set by askfs alone: leave it out");
    const char *text = json_string_value(value);
    if (!text || !slice_trim(slice_of(text)).length || !value_is_printable(text))
        return source_problem(source, path, "expected text on one line");
    return true;
}

static char **find_header(char **headers, const char *name) {
    struct slice wanted = slice_of(name);
    for (; headers && *headers; headers++) {
        struct slice found = { *headers, strcspn(*headers, ":") };
        if (found.length == wanted.length && slice_equals_nocase(found, name)) return headers;
    }
    return NULL;
}

static bool put_header(char ***headers, const char *name, const char *value) {
    char *line;
    if (asprintf(&line, "%s: %s", name, value) < 0) return false;
    char **same = find_header(*headers, name);
    if (same) {
        free(*same);
        *same = line;
        return true;
    }
    size_t count = 0;
    while (*headers && (*headers)[count])
        count++;
    char **longer = realloc(*headers, (count + 2) * sizeof(*longer));
    if (!longer) {
        free(line);
        return false;
    }
    longer[count] = line;
    longer[count + 1] = NULL;
    *headers = longer;
    return true;
}

static bool read_headers(const struct schema_key *key, const struct source *source,
                         const char *path, const json_t *value, struct provider_draft *draft) {
    const char *name;
    json_t *text;
    char inner[SOURCE_PATH_SIZE];
    if (!json_is_object(value)) return value_wrong(key, source, path, value);
    json_object_foreach((json_t *)value, name, text) {
        source_path(inner, path, name);
        if (!check_header(source, inner, name, text)) return false;
        if (!put_header(&draft->config.headers, name, json_string_value(text)))
            return source_out_of_memory(source);
    }
    return true;
}

static json_t *show_headers(const struct schema_key *key, const struct provider_config *config) {
    if (!config->headers || !config->headers[0]) return NULL;
    json_t *headers = json_object();
    for (char **header = config->headers; *header; header++) {
        struct slice name = { *header, strcspn(*header, ":") };
        const char *value = secret_header(name) ? SECRET_HIDDEN : *header + name.length + 2;
        json_object_setn_new(headers, name.data, name.length, json_string(value));
    }
    return headers;
}

const struct value_kind value_headers = { read_headers, show_headers };
