/*
 * loop: the one event loop, on one thread: descriptors, signals, the timers' next deadline, and a
 * function that settles what they left. libuv's events, our names; nobody else includes uv.h.
 */
#ifndef ASKFS_CORE_IO_LOOP_H
#define ASKFS_CORE_IO_LOOP_H

#include <stdbool.h>

#include "core/base/time.h"
#include "core/base/timers.h"

struct loop;

struct loop_parts {
    struct clock *clock;   /* borrowed; read once a turn, before anything of the turn is called */
    struct timers *timers; /* borrowed; run when due */
    void (*settle)(void *owner); /* after each descriptor, and before the loop goes to sleep */
    void *owner;
};

struct loop *loop_create(const struct loop_parts *parts); /* NULL: no memory or descriptors */
void loop_destroy(struct loop *loop); /* when nothing is watched any more; accepts NULL */

void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);

/* A descriptor that is watched. The descriptor stays its owner's. */
struct watch;
struct watch *loop_watch(struct loop *loop, int descriptor,
                         void (*ready)(void *owner, bool readable, bool writable), void *owner);
void watch_for(struct watch *watch, bool readable, bool writable);
void watch_end(struct watch *watch); /* before the descriptor is closed; accepts NULL */

/* Runs work in another thread, for what would hold up the loop, then done in the loop; work may use
 * only what is its own meanwhile. False: it cannot be started, and neither is called. loop_destroy
 * waits for work under way, and calls its done. */
bool loop_work(struct loop *loop, void (*work)(void *owner), void (*done)(void *owner),
               void *owner);

/* Calls caught for a signal from now on. False: the loop cannot. */
bool loop_catch(struct loop *loop, int signal_number, void (*caught)(void *owner, int number),
                void *owner);

#endif
