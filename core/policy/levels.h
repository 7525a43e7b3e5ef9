/*
 * levels: how much is left in the buckets that headers tell of, as it must be now. Pure.
 *
 * News lowers a level, only time raises it: replies overtake each other, and what they say is older
 * than what was sent since. A bucket of tokens is counted in requests, by what one took on average.
 * A bucket whose time to fill is not told says nothing.
 */
#ifndef ASKFS_CORE_POLICY_LEVELS_H
#define ASKFS_CORE_POLICY_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy/limits.h"

struct level {
    double limit; /* 0: not known */
    double left;  /* as of at_ns, less what is on its way */
    double told;  /* remaining, as told last */
    int64_t at_ns;
    int64_t told_ns;
    int64_t fills_ns; /* the longest time to full that was told; 0: none */
    bool was_low;     /* and it was told when the bucket was nearly empty, so it is the whole */
    double cost;      /* what a request takes; 0: not known yet */
    int64_t accepted; /* requests, when it was told last */
};

struct levels {
    struct level levels[LIMIT_KINDS];
};

/* unanswered: requests on their way; accepted: all that ever were. */
void levels_note(struct levels *levels, const struct limit limits[LIMIT_KINDS], int64_t unanswered,
                 int64_t accepted, int64_t now_ns);
void levels_spend(struct levels *levels, int64_t now_ns); /* a request goes out */

/* When there is enough for a request; 0: now. Buckets that fill about as fast as replies come are
 * left out, for what is told of them is out of date. Of those that would take longer than 70 s
 * the provider is asked, by one request at a time while it answers soon: its own refusal says what
 * holds. is_busy: one is on its way. */
int64_t levels_next_ns(const struct levels *levels, double latency_ns, bool is_busy,
                       int64_t now_ns);

/* Requests a second that fill up again, a little less to be safe; 0: not known, or less than one in
 * 70 s. */
double levels_pace(const struct levels *levels);

#endif
