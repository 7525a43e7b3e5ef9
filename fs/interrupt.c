#include "fs/interrupt.h"

#include "fs/errors.h"
#include "fs/process.h"
#include "fs/reader.h"
#include "fs/state.h"

static const int64_t look_again_ns = 50 * TIME_MS;
static const int64_t hold_ns_max = 2 * TIME_S; // also what the freezer has to wait

static struct fs *fs_of(const struct parked *parked) {
    return parked->reader->handle.fs;
}

static void link_to(struct parked **list, struct parked *parked) {
    parked->held_previous = NULL;
    parked->held_next = *list;
    if (*list) (*list)->held_previous = parked;
    *list = parked;
}

static void unlink_from(struct parked **list, struct parked *parked) {
    if (parked->held_previous)
        parked->held_previous->held_next = parked->held_next;
    else
        *list = parked->held_next;
    if (parked->held_next) parked->held_next->held_previous = parked->held_previous;
    parked->held_next = parked->held_previous = NULL;
}

// libfuse calls this with the request's lock held, perhaps from inside interrupt_listen: the read
// is only noted, and dealt with when libfuse is out of the way.
static void on_interrupt(fuse_req_t request, void *owner) {
    struct parked *parked = owner;
    if (parked->is_interrupted) return;
    parked->is_interrupted = true;
    link_to(&fs_of(parked)->interrupts.noted, parked);
}

void interrupt_listen(struct parked *parked) {
    parked->thread = fuse_req_ctx(parked->request)->pid;
    fuse_req_interrupt_func(parked->request, on_interrupt, parked);
}

void interrupt_forget(struct parked *parked) {
    if (!parked->is_interrupted) return;
    struct interrupts *interrupts = &fs_of(parked)->interrupts;
    bool is_held = parked->hold_until_ns != 0;
    unlink_from(is_held ? &interrupts->held : &interrupts->noted, parked);
    parked->is_interrupted = false;
}

// True: the read may go on waiting.
static bool may_wait(struct parked *parked, int64_t now_ns) {
    switch (process_signals(parked->thread)) {
    case PROCESS_SIGNAL:
        return false;
    case PROCESS_STOP_SIGNAL:
        parked->was_stopped = true;
        break;
    case PROCESS_NO_SIGNAL:
        // Continued: nothing is left that would have to be told.
        if (parked->was_stopped) parked->hold_until_ns = TIME_NEVER;
        break;
    }
    return now_ns < parked->hold_until_ns;
}

static void look_at_held(void *owner) {
    struct fs *fs = owner;
    int64_t now_ns = fs->parts.clock->now_ns;
    struct parked *next = NULL;
    for (struct parked *parked = fs->interrupts.held; parked; parked = next) {
        next = parked->held_next;
        if (!may_wait(parked, now_ns)) reader_refuse(parked, ERROR_INTERRUPTED);
    }
    if (fs->interrupts.held)
        timer_arm(fs->parts.timers, &fs->interrupts.timer, now_ns + look_again_ns);
}

void interrupts_look(struct fs *fs) {
    struct interrupts *interrupts = &fs->interrupts;
    int64_t now_ns = fs->parts.clock->now_ns;
    while (interrupts->noted) {
        struct parked *parked = interrupts->noted;
        unlink_from(&interrupts->noted, parked);
        link_to(&interrupts->held, parked);
        parked->hold_until_ns = now_ns + hold_ns_max;
        if (!may_wait(parked, now_ns)) reader_refuse(parked, ERROR_INTERRUPTED);
    }
    if (interrupts->held && !timer_is_armed(&interrupts->timer))
        timer_arm(fs->parts.timers, &interrupts->timer, now_ns + look_again_ns);
}

bool interrupts_init(struct fs *fs) {
    timer_init(&fs->interrupts.timer, look_at_held, fs);
    return timers_reserve(fs->parts.timers, 1);
}

void interrupts_finish(struct fs *fs) {
    timer_disarm(fs->parts.timers, &fs->interrupts.timer);
    timers_release(fs->parts.timers, 1);
}
