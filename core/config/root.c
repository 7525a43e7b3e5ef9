#include "core/config/root.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config/kinds.h"

struct root_key;

struct root_kind {
    bool (*read)(const struct root_key *key, const struct source *source, const json_t *value,
                 void *field);
    json_t *(*show)(const void *field); /* NULL: not shown */
};

struct root_key {
    const char *name;
    const struct root_kind *kind;
    size_t offset; /* in struct config */
    double min, max;
    const char *expected;
};

static bool wrong(const struct root_key *key, const struct source *source, const json_t *value) {
    const struct schema_key named = { .expected = key->expected };
    return value_wrong(&named, source, key->name, value);
}

static bool read_size(const struct root_key *key, const struct source *source, const json_t *value,
                      void *field) {
    double number = json_number_value(value);
    if (!json_is_number(value) || number < key->min || number > key->max || number != floor(number))
        return wrong(key, source, value);
    *(int64_t *)field = (int64_t)number;
    return true;
}

static json_t *show_size(const void *field) {
    return json_integer(*(const int64_t *)field);
}

static const char *problem_of_folder(const char *folder) {
    struct stat facts;
    if (stat(folder, &facts) != 0) return strerror(errno);
    if (!S_ISDIR(facts.st_mode)) return strerror(ENOTDIR);
    return access(folder, W_OK | X_OK) == 0 ? NULL : strerror(errno);
}

static bool read_folder(const struct root_key *key, const struct source *source,
                        const json_t *value, void *field) {
    const char *name = json_string_value(value);
    if (!name || !name[0] || !value_is_printable(name)) return wrong(key, source, value);
    char *folder = source_file(source, key->name, name);
    if (!folder) return false;
    const char *problem = problem_of_folder(folder);
    if (problem) {
        source_problem(source, key->name, "%s cannot be used: %s", folder, problem);
        free(folder);
        return false;
    }
    *(char **)field = folder;
    return true;
}

static json_t *show_folder(const void *field) {
    const char *folder = *(char *const *)field;
    return folder ? json_string(folder) : NULL;
}

static const struct root_kind size = { read_size, show_size };
static const struct root_kind folder = { read_folder, show_folder };

static const struct root_key keys[] = {
    { "max_memory", &size, offsetof(struct config, max_memory), 1048576, 17592186044416,
      "a whole number from 1048576 to 17592186044416" },
    { "max_spill_bytes", &size, offsetof(struct config, max_spill_bytes), 0, 281474976710656,
      "a whole number from 0 to 281474976710656" },
    { "spill_dir", &folder, offsetof(struct config, spill_dir), 0, 0,
      "the name of a folder on a disk" },
};

enum { KEYS = sizeof(keys) / sizeof(*keys) };

static const struct root_key *find(const char *name) {
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].name, name) == 0) return &keys[i];
    return NULL;
}

bool root_has(const char *name) {
    return find(name) != NULL;
}

static bool unknown(const struct source *source, const char *path, const char *name) {
    const char *names[KEYS + 3] = { "defaults", "providers" };
    for (size_t i = 0; i < KEYS; i++)
        names[2 + i] = keys[i].name;
    if (schema_find(NULL, name) || schema_is_group(name))
        return source_problem(source, path,
                              "unknown key; it belongs under \"defaults\" or under one provider");
    return schema_unknown_name(source, path, "unknown key", name, names);
}

static bool read_member(struct config *config, const struct source *source, const char *name,
                        const json_t *value) {
    char path[SOURCE_PATH_SIZE];
    source_path(path, "", name);
    if (strcmp(name, "defaults") == 0 || strcmp(name, "providers") == 0)
        return json_is_object(value) || source_problem(source, path, "expected an object");
    const struct root_key *key = find(name);
    if (!key) return unknown(source, path, name);
    return key->kind->read(key, source, value, (char *)config + key->offset);
}

bool root_read(struct config *config, const struct source *source, const json_t *root) {
    const char *name;
    json_t *value;
    config->max_memory = INT64_C(256) << 20;
    config->max_spill_bytes = INT64_C(8) << 30;
    if (!json_is_object(root))
        return source_problem(source, NULL, "expected an object with \"providers\"");
    json_object_foreach((json_t *)root, name, value) {
        if (!read_member(config, source, name, value)) return false;
    }
    return true;
}

bool root_show(const struct config *config, json_t *shown) {
    for (size_t i = 0; i < KEYS; i++) {
        json_t *value = keys[i].kind->show((const char *)config + keys[i].offset);
        if (value && json_object_set_new(shown, keys[i].name, value) != 0) return false;
    }
    return true;
}
