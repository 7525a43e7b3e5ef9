/*
 * setup: a configuration and the keys that it names, together as long as a directory or a transfer
 * uses them.
 */
#ifndef ASKFS_MOUNT_SETUP_H
#define ASKFS_MOUNT_SETUP_H

#include "core/engine/engine.h"
#include "mount/keys.h"

struct setup {
    size_t references;
    struct config *config;
    struct keys *keys;
};

/* getenv for config_load; earlier: the setup that wiped variables, or NULL. */
const char *setup_environment(void *earlier, const char *name);

/* Reads the configuration (config_file NULL: the first that is found) and looks for its keys, those
 * that earlier (NULL: none) took out of the environment included. One reference; NULL: error_out
 * says why. */
struct setup *setup_load(const char *config_file, const struct setup *earlier,
                         struct config_error *error_out);
void setup_release(struct setup *setup); /* wipes the keys with the last reference; accepts NULL */

bool setup_needs_simulator(const struct setup *setup);

/* Makes its directories those of the engine. False: no memory, nothing has changed. */
bool setup_apply(struct setup *setup, struct engine *engine, const char *simulator_url);

#endif
