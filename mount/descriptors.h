/*
 * descriptors: what the process may hold open, and how many connections that is enough for.
 */
#ifndef ASKFS_MOUNT_DESCRIPTORS_H
#define ASKFS_MOUNT_DESCRIPTORS_H

#include <stddef.h>

/* Before anything is opened: 0, 1 and 2 are taken, and the limit is as high as we may set it. */
void descriptors_prepare(void);

/* So many connections at the same time leave enough for everything else. What is beyond waits,
 * because a provider must not be taken for dead where it is we who cannot reach it. */
size_t descriptors_connections_max(void);
/* And so many of them may be prompts: lists of models and cancels come beside. At least 1. */
size_t descriptors_prompts_max(size_t connections_max);

#endif
