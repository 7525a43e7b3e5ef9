/*
 * schema: one table of the keys that "defaults" and a provider may hold: what each expects, where
 * it is kept, whom it is for. Reading, checking, suggesting and config.json of the mount all come
 * from it.
 */
#ifndef ASKFS_CORE_CONFIG_SCHEMA_H
#define ASKFS_CORE_CONFIG_SCHEMA_H

#include "core/config/provider_draft.h"

struct schema_key;

/* A kind of value: one way to read it and one to show it. */
struct value_kind {
    /* Stores the value in draft, or tells the error. */
    bool (*read)(const struct schema_key *key, const struct source *source, const char *path,
                 const json_t *value, struct provider_draft *draft);
    /* The value in force, new reference, without secrets. NULL: not shown. Members NULL: never. */
    json_t *(*show)(const struct schema_key *key, const struct provider_config *config);
};

enum schema_owner { FOR_PROVIDERS = 1, FOR_ROUTES = 2, FOR_ALL = 3 };

struct schema_key {
    const char *group; /* "retry"; "": directly in the block */
    const char *name;
    const struct value_kind *kind;
    size_t offset; /* in struct provider_draft */
    double min, max;
    enum schema_owner owner;
    const char *expected; /* words for the values that are accepted */
};

/* Ends with a key without a name. In the order of config.json. */
extern const struct schema_key schema[];

const struct schema_key *schema_find(const char *group, const char *name); /* NULL: unknown */
bool schema_is_group(const char *name);
/* Whom a key directly in the block, or a group, is for; FOR_ALL: it is neither. The keys of a group
 * are for the same. */
enum schema_owner schema_owner_of(const char *name);

/* "unknown key", with the key that was probably meant, or all that are possible. Always false. */
bool schema_unknown(const struct source *source, const char *path, const char *group,
                    const char *name);
/* The same where only the NULL-ended names may stand. */
bool schema_unknown_name(const struct source *source, const char *path, const char *what,
                         const char *name, const char *const *names);

#endif
