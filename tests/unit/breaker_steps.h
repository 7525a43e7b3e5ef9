/*
 * breaker_steps: a breaker brought into a state, for the tests of it.
 */
#ifndef ASKFS_TESTS_UNIT_BREAKER_STEPS_H
#define ASKFS_TESTS_UNIT_BREAKER_STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/policy/breaker.h"

static const struct breaker_policy policy = { .failure_threshold = 3,
                                              .window_ns = 60 * TIME_S,
                                              .recovery_timeout_ns = 10 * TIME_S,
                                              .success_threshold = 2,
                                              .probe_lease_ns = 30 * TIME_S };

static struct random seed = { 1 };

static inline struct breaker_permit permit_at(struct breaker *breaker, int64_t now_ns) {
    struct breaker_permit permit = { 0 };
    assert_true(breaker_allows(breaker, now_ns, &permit));
    return permit;
}

/* A request that starts and ends at once. */
static inline bool ask(struct breaker *breaker, enum breaker_outcome outcome, int64_t now_ns) {
    return breaker_note(breaker, permit_at(breaker, now_ns), outcome, now_ns, &seed);
}

static inline void ask_times(struct breaker *breaker, int times, enum breaker_outcome outcome,
                             int64_t now_ns) {
    for (int i = 0; i < times; i++)
        ask(breaker, outcome, now_ns);
}

static inline void make_open(struct breaker *breaker, int64_t now_ns) {
    breaker_init(breaker, &policy);
    ask_times(breaker, 3, BREAKER_FAILURE, now_ns);
    assert_int_equal(breaker->state, BREAKER_OPEN);
}

/* Half open, no probe out; returns the time. */
static inline int64_t make_half_open(struct breaker *breaker) {
    make_open(breaker, 0);
    int64_t now_ns = breaker->retry_at_ns;
    ask(breaker, BREAKER_NEUTRAL, now_ns);
    assert_int_equal(breaker->state, BREAKER_HALF_OPEN);
    return now_ns;
}

/* Opens by a failing probe; returns how long it is told to last. */
static inline int64_t fail_probe(struct breaker *breaker) {
    int64_t now_ns = breaker->retry_at_ns;
    ask(breaker, BREAKER_FAILURE, now_ns);
    assert_int_equal(breaker->state, BREAKER_OPEN);
    return breaker->retry_at_ns - now_ns;
}

static inline void assert_within(int64_t value_ns, int64_t least_ns) {
    assert_in_range(value_ns, least_ns, least_ns + least_ns / 5);
}

#endif
