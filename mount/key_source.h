/*
 * key_source: reads a key from where the configuration says that it is: an environment variable, a
 * file, a command, or a credential of systemd's.
 */
#ifndef ASKFS_MOUNT_KEY_SOURCE_H
#define ASKFS_MOUNT_KEY_SOURCE_H

#include "core/config/config.h"

enum { KEY_BYTES_MAX = 8192, KEY_PROBLEM_SIZE = 512 };

/* Where a key is read to: straight to where it stays. */
struct key_slot {
    char *text; /* room for KEY_BYTES_MAX + 1; no NUL is put behind it */
    size_t length;
    char problem[KEY_PROBLEM_SIZE];
};

/* slot holds the text and nothing else. variable: what the environment variable that key names
 * holds; NULL: it is not set. False: there is no key, or what was found cannot be one; problem says
 * why, for people (nothing, where no key is configured), and text may hold a part of it. */
bool key_source_read(struct key_slot *slot, const struct key_config *key, const char *variable);

#endif
