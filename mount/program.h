/*
 * program: the parts of a mount that runs, put together and taken apart again in order.
 */
#ifndef ASKFS_MOUNT_PROGRAM_H
#define ASKFS_MOUNT_PROGRAM_H

#include "core/io/loop.h"
#include "mount/daemon.h"
#include "mount/options.h"
#include "mount/reload.h"
#include "mount/setup.h"
#include "mount/simulator.h"

struct program {
    struct options options; /* from here to version: the caller's to fill */
    struct setup *setup;    /* until reload has it */
    struct daemon *daemon;
    char version[512];
    char problem[1024]; /* why it did not start, for people */

    /* of program.c */
    struct simulator simulator;
    struct clock clock;
    struct timers timers;
    struct loop *loop;
    struct http *http;
    struct fault_transport *faults;
    struct spill_file *spill;
    struct engine *engine;
    struct fs *fs;
    struct watch *fuse_watch;
    struct reload reload;
    struct timer cancels_timer;
    bool is_stopping;
};

/* From options and setup to a mounted tree. False: problem says why; stop it all the same. */
bool program_start(struct program *program);
/* Until somebody unmounts it or a signal ends it. */
void program_run(struct program *program);
/* Takes all apart, what was filled in included. */
void program_stop(struct program *program);

#endif
