/*
 * shown: config.json of the mount: every value in force, in the shape of the configuration file.
 */
#ifndef ASKFS_CORE_CONFIG_SHOWN_H
#define ASKFS_CORE_CONFIG_SHOWN_H

#include "core/config/config.h"

/* Where keys come from is shown, keys and other secrets are not. New reference; NULL: no memory. */
json_t *shown_config(const struct config *config);

#endif
