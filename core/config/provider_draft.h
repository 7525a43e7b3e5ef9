/*
 * provider_draft: a provider while its configuration is put together: built-in defaults, then
 * "defaults", then its own block, then what follows from them.
 */
#ifndef ASKFS_CORE_CONFIG_PROVIDER_DRAFT_H
#define ASKFS_CORE_CONFIG_PROVIDER_DRAFT_H

#include "core/config/source.h"

struct provider_draft {
    struct provider_config config;
    char *api;                          /* the word in the file; NULL: none */
    bool prefill_is_told;               /* else it is the type's */
    const struct provider_type *chosen; /* NULL: none yet */
};

/* False: no memory; finish it all the same. */
bool provider_draft_init(struct provider_draft *draft, const char *name);
void provider_draft_finish(
    struct provider_draft *draft); /* accepts one whose config was taken, and zeroed storage */

/* Reads one block ("defaults" or a provider's) into the draft; path is where it stands. */
bool provider_draft_read(struct provider_draft *draft, const struct source *source,
                         const char *path, const json_t *block);

/* Works out wire, base URL, model and key. own and defaults are the blocks that were read (may be
 * NULL), path that of own: errors name the one in which a value stands. */
bool provider_draft_complete(struct provider_draft *draft, const struct source *source,
                             const char *path, const json_t *own, const json_t *defaults);

void provider_config_finish(struct provider_config *config); /* accepts zeroed storage */

#endif
