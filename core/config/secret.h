/*
 * secret: which names promise a secret, so that config.json of the mount hides what stands there.
 */
#ifndef ASKFS_CORE_CONFIG_SECRET_H
#define ASKFS_CORE_CONFIG_SECRET_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/bytes.h"

#define SECRET_HIDDEN "(hidden)"

bool secret_header(struct slice name);

/* Replaces the texts under telling names ("authorization", "api_key") anywhere within value. */
void secret_hide_members(json_t *value);

#endif
