/*
 * endpoint: how a provider is reached: its configuration, addresses, headers and key. A transfer
 * keeps the one that it began with, so that a new configuration takes nothing away from under it.
 */
#ifndef ASKFS_CORE_ENGINE_ENDPOINT_H
#define ASKFS_CORE_ENGINE_ENDPOINT_H

#include "core/engine/engine.h"
#include "core/providers/wire.h"

struct endpoint {
    size_t references;
    struct provider_setup setup; /* base_url of it is in base_url below */
    char *base_url;              /* "" for a route, which sends nothing itself */
    char *url;                   /* of the wire; NULL for a route */
    const char **headers;        /* constant request headers, NULL-ended; NULL for a route */
    struct slice *keys;          /* in the headers and in the setup's: what is never shown */
    size_t key_count;
};

/* With one reference. NULL: no memory, and setup's release was called. */
struct endpoint *endpoint_create(const struct provider_setup *setup);
struct endpoint *endpoint_keep(struct endpoint *endpoint);
void endpoint_release(struct endpoint *endpoint); /* accepts NULL */

/* The address of one response: the path that its wire writes, behind base_url. For the caller to
 * free; NULL: no memory. */
char *endpoint_response_url(const struct endpoint *endpoint,
                            bool (*write_path)(const struct decoder_facts *facts,
                                               struct bytes *out),
                            const struct decoder_facts *facts);

/* Stars over the key, and what secret headers of the configuration hold, where a provider says them
 * back. */
void endpoint_hide_in_text(const struct endpoint *endpoint, char *text);
void endpoint_hide_in_failure(const struct endpoint *endpoint, struct failure *failure);

#endif
