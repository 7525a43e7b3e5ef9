/*
 * fs: the tree a user sees, as a libfuse low-level session whose descriptor somebody else polls.
 */
#ifndef ASKFS_FS_FS_H
#define ASKFS_FS_FS_H

#include "core/base/time.h"
#include "core/base/timers.h"
#include "core/engine/engine.h"

struct fs;
struct fuse_session;

struct fs_parts {
    struct engine *engine;      /* borrowed */
    struct clock *clock;        /* borrowed */
    struct timers *timers;      /* borrowed */
    const char *mountpoint;     /* borrowed; absolute */
    const char *version_text;   /* what the file version says; borrowed */
    json_t *config_shown;       /* what config.json says; a reference is kept */
    bool faults;                /* failures may be rehearsed at every provider, not only at sim */
    void (*ready)(void *owner); /* the kernel's INIT was answered: the tree is usable */
    void *owner;
};

/* fuse_argc, fuse_argv: "askfs" and -o options for libfuse. NULL: a message is on stderr. */
struct fs *fs_create(const struct fs_parts *parts, int fuse_argc, char **fuse_argv);
struct fuse_session *fs_session(struct fs *fs); /* for fuse_session_mount, _fd, _unmount */

/* What config.json says from now on; a reference is kept. False: no memory. */
bool fs_show_config(struct fs *fs, json_t *config_shown);

/* Handles what the kernel has sent, without blocking. False: unmounted, or the session is over. */
bool fs_receive(struct fs *fs);

/* Answers every parked request with ECONNABORTED; before the mount ends. */
void fs_abandon(struct fs *fs);
void fs_destroy(struct fs *fs);

#endif
