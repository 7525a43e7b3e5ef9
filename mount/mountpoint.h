/*
 * mountpoint: the directory on which the tree is mounted: made ready before, cleared after a crash.
 */
#ifndef ASKFS_MOUNT_MOUNTPOINT_H
#define ASKFS_MOUNT_MOUNTPOINT_H

#include "mount/options.h"

/* Takes away a dead mount that a crash left there, checks that the directory can be mounted on, and
 * makes options->mountpoint absolute. False: problem says what to do. */
bool mountpoint_prepare(struct options *options, char *problem, size_t problem_size);

/* Lazily unmounts whatever is mounted at path. False: errno tells, or fusermount3 did. */
bool mountpoint_detach(const char *path);

/* Has the mount at path no daemon any more? */
bool mountpoint_is_dead(const char *path);

#endif
