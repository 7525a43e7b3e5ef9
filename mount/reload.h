/*
 * reload: the configuration is read again, on SIGHUP. Files and key commands are read in another
 * thread; what is broken changes nothing, and `events` says so.
 */
#ifndef ASKFS_MOUNT_RELOAD_H
#define ASKFS_MOUNT_RELOAD_H

#include "core/io/loop.h"
#include "fs/fs.h"
#include "mount/setup.h"
#include "mount/simulator.h"

struct reload {
    struct loop *loop;
    struct clock *clock;
    struct engine *engine;
    struct fs *fs;
    struct simulator *simulator; /* started when the new configuration is the first to need it */
    char *config_file;   /* as it was asked for; NULL: the first that is found. Owned by who made
                            this, for as long as the loop may run work */
    struct setup *setup; /* in force; with a reference */

    /* of reload.c */
    bool is_running;
    bool is_wanted; /* once more */
    bool is_over;
    struct setup *loaded;
    struct simulator started;
    struct config_error error;
};

void reload_start(struct reload *reload);
/* Before engine and fs go: what is still read is only thrown away. */
void reload_stop(struct reload *reload);

#endif
