/*
 * types: the provider types of the configuration ("openai", "anthropic", …) as one table. A type is
 * a wire, an address, a way to show the key, and defaults.
 */
#ifndef ASKFS_CORE_PROVIDERS_TYPES_H
#define ASKFS_CORE_PROVIDERS_TYPES_H

#include "core/providers/wire.h"

enum key_header { KEY_BEARER /* Authorization: Bearer */, KEY_X_API_KEY /* x-api-key */ };

struct provider_type {
    const char *name;            /* "openai" */
    const struct wire *wires[4]; /* the first is the default; NULL-ended; "api" chooses */
    const char *const *apis;     /* the words for "api", in the order of wires; NULL: no choice */
    const char *base_url;        /* NULL: must be configured */
    const char *default_model;   /* NULL: must be configured */
    const char *key_variable;    /* "OPENAI_API_KEY"; NULL: none */
    bool background;             /* default of "background" */
    enum key_header key_header;
    const char *const
        *headers; /* constant request headers, "name: value", NULL-ended; may be NULL */
    struct dialect dialect;
};

/* NULL-ended, in the order that people should see. */
extern const struct provider_type *const provider_types[];
const struct provider_type *provider_type_find(const char *name); /* NULL: no such type */
/* The wire for an "api" word; api NULL: the default. NULL: the type does not have it. */
const struct wire *provider_type_wire(const struct provider_type *type, const char *api);

#endif
