/*
 * timers: many deadlines, one "call me again at". A binary heap; the caller owns each timer's
 * storage. Reads no clock: whoever drives the loop passes now_ns.
 */
#ifndef ASKFS_CORE_BASE_TIMERS_H
#define ASKFS_CORE_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    size_t slot; /* 0: not armed */
    int64_t due_ns;
    void (*fired)(void *owner);
    void *owner;
};

struct timers {
    struct timer **heap; /* heap[1] is due first */
    size_t count;
    size_t capacity;
    size_t reserved;
};

void timers_init(struct timers *timers);
void timers_finish(struct timers *timers);

/* Sets what the timer does. Zeroed storage is a timer that was never armed. */
void timer_init(struct timer *timer, void (*fired)(void *owner), void *owner);
/* Arms, or moves, the timer. Its owner made room for it by timers_reserve, so this cannot fail. */
void timer_arm(struct timers *timers, struct timer *timer, int64_t due_ns);
void timer_disarm(struct timers *timers, struct timer *timer); /* afterwards fired is not called */
bool timer_is_armed(const struct timer *timer);

/* An owner of timers reserves room for all that it may have armed at once, and releases it when it
 * goes. false: no memory, nothing reserved. */
bool timers_reserve(struct timers *timers, size_t more);
void timers_release(struct timers *timers, size_t fewer);

int64_t timers_next_ns(const struct timers *timers); /* TIME_NEVER when none is armed */
/* Fires every timer that is due, earliest first; each is disarmed before its function is called. */
void timers_run(struct timers *timers, int64_t now_ns);

#endif
