/*
 * pace_steps: a pace brought into a state, for the tests of it.
 */
#ifndef ASKFS_TESTS_UNIT_PACE_STEPS_H
#define ASKFS_TESTS_UNIT_PACE_STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/policy/pace.h"

static inline void assert_near(double value, double expected) {
    if (value < 0.999 * expected || value > 1.001 * expected)
        fail_msg("%g is not %g", value, expected);
}

/* Requests accepted evenly, each as soon as it was sent; returns when the next would be. */
static inline int64_t accept(struct pace *pace, int count, double per_s, int64_t from_ns) {
    for (int i = 0; i < count; i++)
        pace_note_accepted(pace, from_ns + (int64_t)(i * 1e9 / per_s),
                           from_ns + (int64_t)(i * 1e9 / per_s));
    return from_ns + (int64_t)(count * 1e9 / per_s);
}

static inline void limit(struct pace *pace, int64_t now_ns) {
    pace_note_turned_away(pace);
    pace_note_limit(pace, now_ns, now_ns, now_ns);
}

/* At a known pace, around a known ceiling, since now; makes no trials. */
static inline struct pace paced(double per_s, double ceiling) {
    struct pace pace;
    pace_init(&pace);
    pace.per_s = per_s;
    pace.ceiling = ceiling;
    pace.trial_after = 1000;
    return pace;
}

#endif
