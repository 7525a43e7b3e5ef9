/*
 * failure_hide: keys that a provider echoes are not shown. Pure.
 */
#ifndef ASKFS_CORE_POLICY_FAILURE_HIDE_H
#define ASKFS_CORE_POLICY_FAILURE_HIDE_H

#include "core/base/bytes.h"

/* Stars over whatever looks like a key: what begins like those of the known providers, and what
 * stands behind "… key: ", "… token=" and the like. */
void failure_hide_keys(char *text);

enum { FAILURE_SECRET_MIN = 4 }; /* shorter ones would hide ordinary text, and are left */

/* Stars over this very secret, and over its beginning where the text was cut. */
void failure_hide_text(char *text, struct slice secret);

#endif
