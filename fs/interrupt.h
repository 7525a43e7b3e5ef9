/*
 * interrupt: what becomes of a parked read whose caller got a signal.
 *
 * Ctrl-C must end it at once. Ctrl-Z must not: many tools take EINTR for an error, and the kernel
 * cannot be asked to restart the read. So while nothing but a stop signal waits, the answer is held
 * back and the signals are looked at again; the kernel tells of one interrupt only.
 *
 *   parked ──interrupt──> noted ──> held ──stop is over──> held, without an end
 *                           |        |
 *                           |        └── another signal, or too long ──> EINTR
 *                           └── another signal ────────────────────────> EINTR
 */
#ifndef ASKFS_FS_INTERRUPT_H
#define ASKFS_FS_INTERRUPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/timers.h"

struct fs;
struct fuse_req;
struct reader;

/* A read that waits. */
struct parked {
    struct reader *reader;
    struct fuse_req *request;
    size_t size;
    size_t offset;
    struct parked *next, *previous;           /* of the reader */
    struct parked *held_next, *held_previous; /* of the interrupts */
    int64_t hold_until_ns;
    pid_t thread;
    bool is_interrupted; /* in the list of interrupts */
    bool was_stopped;    /* a stop signal was seen */
};

struct interrupts {
    struct parked *noted; /* the kernel just told; not looked at yet */
    struct parked *held;  /* looked at again and again */
    struct timer timer;
};

/* False: no memory. */
bool interrupts_init(struct fs *fs);
void interrupts_finish(struct fs *fs);

/* The read is linked where it belongs: from now on interrupts reach it. */
void interrupt_listen(struct parked *parked);
/* Before its kernel request is answered. */
void interrupt_forget(struct parked *parked);

/* After each message of the kernel: deals with what was noted. */
void interrupts_look(struct fs *fs);

#endif
