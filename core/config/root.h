/*
 * root: what stands at the top of the file: "defaults", "providers", and the keys of the mount
 * itself, in one table like that of schema.h.
 */
#ifndef ASKFS_CORE_CONFIG_ROOT_H
#define ASKFS_CORE_CONFIG_ROOT_H

#include "core/config/source.h"

/* Checks the members of root and reads those of the mount into config, whose defaults it sets.
 * "defaults" and "providers" are objects afterwards, where they are there. False: the error tells.
 */
bool root_read(struct config *config, const struct source *source, const json_t *root);

/* Adds the mount's keys in force to shown. False: no memory. */
bool root_show(const struct config *config, json_t *shown);

bool root_has(const char *name); /* as a key of the mount */

#endif
