#include "core/io/loop.h"

#include <stdlib.h>
#include <time.h>
#include <uv.h>

enum { SIGNALS_MAX = 8, ROUNDS_MAX = 8 };

struct caught_signal {
    uv_signal_t handle;
    struct loop *loop;
    void (*caught)(void *owner, int number);
    void *owner;
};

struct loop {
    struct loop_parts parts;
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_timer_t timer;
    int64_t timer_due_ns; /* what the uv timer is set for */
    bool clock_is_read;   /* in this turn */
    struct caught_signal *signals[SIGNALS_MAX];
    int signal_count;
};

struct work {
    uv_work_t handle;
    struct loop *loop;
    void (*work)(void *owner);
    void (*done)(void *owner);
    void *owner;
};

struct watch {
    uv_poll_t handle;
    struct loop *loop;
    void (*ready)(void *owner, bool readable, bool writable);
    void *owner;
};

static int64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * TIME_S + time.tv_nsec;
}

// Every callback of libuv comes through here first.
static void turn_begins(struct loop *loop) {
    if (loop->clock_is_read) return;
    loop->clock_is_read = true;
    loop->parts.clock->now_ns = read_clock(CLOCK_MONOTONIC);
    loop->parts.clock->wall_ns = read_clock(CLOCK_REALTIME);
}

static void on_timer(uv_timer_t *handle) {
    struct loop *loop = handle->data;
    turn_begins(loop);
    loop->timer_due_ns = TIME_NEVER;
    timers_run(loop->parts.timers, loop->parts.clock->now_ns);
}

static void set_timer(struct loop *loop) {
    int64_t due_ns = timers_next_ns(loop->parts.timers);
    if (due_ns == loop->timer_due_ns) return;
    loop->timer_due_ns = due_ns;
    if (due_ns == TIME_NEVER) {
        uv_timer_stop(&loop->timer);
        return;
    }
    int64_t wait_ns = due_ns - read_clock(CLOCK_MONOTONIC);
    uint64_t wait_ms = wait_ns > 0 ? (uint64_t)(wait_ns + TIME_MS - 1) / TIME_MS : 0;
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, wait_ms, 0);
}

// What was armed for now, such as curl's "start this transfer", need not wait for another turn.
static void run_due_timers(struct loop *loop) {
    struct clock *clock = loop->parts.clock;
    for (int i = 0; i < ROUNDS_MAX && timers_next_ns(loop->parts.timers) <= clock->now_ns + 1;
         i++) {
        loop->clock_is_read = false;
        turn_begins(loop);
        timers_run(loop->parts.timers, clock->now_ns);
    }
}

static void on_prepare(uv_prepare_t *handle) {
    struct loop *loop = handle->data;
    turn_begins(loop);
    run_due_timers(loop);
    loop->parts.settle(loop->parts.owner);
    set_timer(loop);
    loop->clock_is_read = false;
}

struct loop *loop_create(const struct loop_parts *parts) {
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop) return NULL;
    loop->parts = *parts;
    loop->timer_due_ns = TIME_NEVER;
    if (uv_loop_init(&loop->uv) < 0) {
        free(loop);
        return NULL;
    }
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_timer_init(&loop->uv, &loop->timer);
    loop->prepare.data = loop;
    loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    turn_begins(loop);
    return loop;
}

static void free_signal(uv_handle_t *handle) {
    free(handle->data);
}

void loop_destroy(struct loop *loop) {
    if (!loop) return;
    for (int i = 0; i < loop->signal_count; i++)
        uv_close((uv_handle_t *)&loop->signals[i]->handle, free_signal);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT); // the closings
    uv_loop_close(&loop->uv);
    free(loop);
}

void loop_run(struct loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop) {
    uv_stop(&loop->uv);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    struct watch *watch = handle->data;
    struct loop *loop = watch->loop; // the watch may end
    turn_begins(loop);
    // An error wakes both sides: whoever owns the descriptor learns the error by using it.
    bool broken = status < 0;
    watch->ready(watch->owner, broken || events & UV_READABLE, broken || events & UV_WRITABLE);
    // Not only once a turn: the readers of one stream need not wait for what another one brought.
    loop->parts.settle(loop->parts.owner);
}

struct watch *loop_watch(struct loop *loop, int descriptor,
                         void (*ready)(void *owner, bool readable, bool writable), void *owner) {
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return NULL;
    watch->loop = loop;
    watch->ready = ready;
    watch->owner = owner;
    if (uv_poll_init(&loop->uv, &watch->handle, descriptor) < 0) {
        free(watch);
        return NULL;
    }
    watch->handle.data = watch;
    return watch;
}

void watch_for(struct watch *watch, bool readable, bool writable) {
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events)
        uv_poll_start(&watch->handle, events, on_poll);
    else
        uv_poll_stop(&watch->handle);
}

static void free_watch(uv_handle_t *handle) {
    free(handle->data);
}

void watch_end(struct watch *watch) {
    if (watch) uv_close((uv_handle_t *)&watch->handle, free_watch);
}

static void on_work(uv_work_t *handle) {
    struct work *work = handle->data;
    work->work(work->owner);
}

static void on_work_done(uv_work_t *handle, int status) {
    struct work *work = handle->data;
    (void)status; // nobody cancels it
    turn_begins(work->loop);
    work->done(work->owner);
    free(work);
}

bool loop_work(struct loop *loop, void (*work)(void *owner), void (*done)(void *owner),
               void *owner) {
    struct work *started = calloc(1, sizeof(*started));
    if (!started) return false;
    *started = (struct work){ .loop = loop, .work = work, .done = done, .owner = owner };
    started->handle.data = started;
    if (uv_queue_work(&loop->uv, &started->handle, on_work, on_work_done) == 0) return true;
    free(started);
    return false;
}

static void on_signal(uv_signal_t *handle, int number) {
    struct caught_signal *signal = handle->data;
    turn_begins(signal->loop);
    signal->caught(signal->owner, number);
}

bool loop_catch(struct loop *loop, int signal_number, void (*caught)(void *owner, int number),
                void *owner) {
    if (loop->signal_count == SIGNALS_MAX) return false;
    struct caught_signal *signal = calloc(1, sizeof(*signal));
    if (!signal) return false;
    signal->loop = loop;
    signal->caught = caught;
    signal->owner = owner;
    signal->handle.data = signal;
    uv_signal_init(&loop->uv, &signal->handle);
    loop->signals[loop->signal_count++] = signal;
    return uv_signal_start(&signal->handle, on_signal, signal_number) == 0;
}
