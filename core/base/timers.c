#include "core/base/timers.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/time.h"

static void place(struct timers *timers, struct timer *timer, size_t slot) {
    timers->heap[slot] = timer;
    timer->slot = slot;
}

static void sift_up(struct timers *timers, struct timer *timer) {
    size_t slot = timer->slot;
    while (slot > 1 && timers->heap[slot / 2]->due_ns > timer->due_ns) {
        place(timers, timers->heap[slot / 2], slot);
        slot /= 2;
    }
    place(timers, timer, slot);
}

static void sift_down(struct timers *timers, struct timer *timer) {
    size_t slot = timer->slot;
    for (;;) {
        size_t child = slot * 2;
        if (child > timers->count) break;
        if (child < timers->count &&
            timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns)
            child++;
        if (timers->heap[child]->due_ns >= timer->due_ns) break;
        place(timers, timers->heap[child], slot);
        slot = child;
    }
    place(timers, timer, slot);
}

void timers_init(struct timers *timers) {
    *timers = (struct timers){ 0 };
}

void timers_finish(struct timers *timers) {
    free(timers->heap);
    *timers = (struct timers){ 0 };
}

void timer_init(struct timer *timer, void (*fired)(void *owner), void *owner) {
    *timer = (struct timer){ .fired = fired, .owner = owner };
}

bool timers_reserve(struct timers *timers, size_t more) {
    size_t need = timers->reserved + more + 1; // heap[0] is not used
    if (need > timers->capacity) {
        size_t capacity = timers->capacity * 2 > need ? timers->capacity * 2 : need;
        struct timer **heap = realloc(timers->heap, capacity * sizeof(*heap));
        if (!heap) return false;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timers->reserved += more;
    return true;
}

void timers_release(struct timers *timers, size_t fewer) {
    assert(fewer <= timers->reserved);
    timers->reserved -= fewer;
}

void timer_arm(struct timers *timers, struct timer *timer, int64_t due_ns) {
    if (!timer->slot) {
        assert(timers->count < timers->reserved);
        timers->count++;
        timer->due_ns = due_ns;
        place(timers, timer, timers->count);
        sift_up(timers, timer);
        return;
    }
    int64_t before_ns = timer->due_ns;
    timer->due_ns = due_ns;
    if (due_ns < before_ns)
        sift_up(timers, timer);
    else
        sift_down(timers, timer);
}

void timer_disarm(struct timers *timers, struct timer *timer) {
    if (!timer->slot) return;
    struct timer *last = timers->heap[timers->count--];
    if (last != timer) {
        place(timers, last, timer->slot);
        sift_up(timers, last);
        sift_down(timers, last);
    }
    timer->slot = 0;
}

bool timer_is_armed(const struct timer *timer) {
    return timer->slot != 0;
}

int64_t timers_next_ns(const struct timers *timers) {
    return timers->count ? timers->heap[1]->due_ns : TIME_NEVER;
}

void timers_run(struct timers *timers, int64_t now_ns) {
    while (timers->count && timers->heap[1]->due_ns <= now_ns) {
        struct timer *timer = timers->heap[1];
        timer_disarm(timers, timer);
        timer->fired(timer->owner);
    }
}
