/*
 * keys: each provider's key, read once, as the request header that carries it, in memory that is
 * locked, left out of core dumps and wiped. No function returns or prints a key on its own.
 *
 * Keys are written where they stay, never through a buffer of somebody else: environment and files
 * are read straight into the locked region, behind "Authorization: Bearer ".
 */
#ifndef ASKFS_MOUNT_KEYS_H
#define ASKFS_MOUNT_KEYS_H

#include "core/config/config.h"

struct keys;

/* Looks at every key; commands are run here, one after the other. Variables that held a key are
 * wiped from the environment of this process, so that neither /proc/PID/environ nor a child has
 * them; what they held goes from earlier (NULL: there are none) to the keys that are made here,
 * whoever needs it now. A key that is not there is no error, see keys_problem. NULL: no memory. */
struct keys *keys_load(const struct config *config, const struct keys *earlier,
                       struct config_error *error_out);

/* The variable was in the environment, and held something, before it was wiped. */
bool keys_have_variable(const struct keys *keys, const char *name);

/* A fork loses the locks: call this in the process that goes on. Children get no copy of the region
 * afterwards. False: the memory could not be locked (see ulimit -l) and may be swapped. */
bool keys_lock(struct keys *keys);

/* "Authorization: Bearer …", "x-api-key: …"; NULL: the provider has no key. Lives as long as keys.
 */
const char *keys_header(const struct keys *keys, size_t provider_index);
/* Why the key that is configured could not be had, for people; NULL: it is there, or none is. */
const char *keys_problem(const struct keys *keys, size_t provider_index);

void keys_destroy(struct keys *keys); /* wipes; accepts NULL */

#endif
