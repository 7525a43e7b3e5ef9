/*
 * breaker: may we ask this provider at all? Pure; times are nanoseconds of the monotonic clock.
 *
 *              too many failures in the window
 *     closed ─────────────────────────────────────> open
 *       ^  ^                                        |  ^
 *       |  | success_threshold successes            |  | a probe fails
 *       |  └──────────────── half_open <────────────┘  |
 *       |                        |   recovery, or a    |
 *       |                        |   sign of life      |
 *       |                        └─────────────────────┘
 *       └── commands: open, close, reset, auto
 *
 * One permit a request, given back with exactly one breaker_note; so a failure is a request's, not
 * an attempt's. A permit of an earlier generation changes nothing when it comes back.
 *
 * It opens when the window holds failure_threshold failures, or when it holds at least
 * ratio_outcomes_min outcomes of which the part ratio failed. Neutral outcomes are neither.
 *
 * Open lasts recovery_timeout, twice that when it opened twice in a row, then 4 and 8 times; always
 * with up to a fifth on top, so that many mounts do not come back at once. Each closed stretch of
 * BREAKER_CALM_NS takes one step back.
 *
 * Half open lets one probe out at a time. Its lease gives the place to the next one when it does
 * not answer; what it says later still counts while the generation is the same.
 */
#ifndef ASKFS_CORE_POLICY_BREAKER_H
#define ASKFS_CORE_POLICY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/random.h"
#include "core/base/time.h"

enum {
    BREAKER_FAILURES_KEPT = 64, /* failure_threshold is at most this */
    BREAKER_BUCKETS = 12,       /* outcomes are counted by twelfths of the window */
    BREAKER_ESCALATION_MAX = 8, /* times recovery_timeout */
    BREAKER_ANSWERS_NEEDED = 3, /* neutral answers in half open that stand for a success */
    BREAKER_RATIO_OUTCOMES = 20 /* the default of ratio_outcomes_min */
};
#define BREAKER_RATIO 0.5               /* the default of ratio */
#define BREAKER_LEASE_NS (120 * TIME_S) /* the default of probe_lease_ns */
#define BREAKER_CALM_NS (5 * 60 * TIME_S)

/* The last three are defaults where they are 0. */
struct breaker_policy {
    int failure_threshold; /* failed requests in the window that open it */
    int64_t window_ns;
    int64_t recovery_timeout_ns; /* from open to half open, never less */
    int success_threshold;       /* successes in half open that close it */
    int64_t probe_lease_ns;      /* a probe without an answer frees its place after this */
    double ratio;                /* failures among outcomes that open it; above 1: never */
    int ratio_outcomes_min;      /* fewer outcomes say nothing about a ratio */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
const char *breaker_state_name(enum breaker_state state); /* "closed", "open", "half_open" */

enum breaker_outcome {
    BREAKER_SUCCESS,
    BREAKER_FAILURE,
    BREAKER_NEUTRAL, /* says nothing: cancelled, or never sent */
    BREAKER_ANSWERED /* neutral too, but the provider did answer: 401, 404, 429 */
};
enum breaker_command { BREAKER_FORCE_OPEN, BREAKER_FORCE_CLOSE, BREAKER_RESET, BREAKER_AUTO };

/* The outcomes of one twelfth of the window. */
struct breaker_bucket {
    int64_t number; /* of the twelfth, since time 0 */
    uint32_t outcomes;
    uint32_t failures;
};

struct breaker {
    const struct breaker_policy *policy; /* borrowed */
    enum breaker_state state;
    bool forced;                                 /* by command; only a command changes it */
    uint32_t generation;                         /* rises with every change of state */
    int64_t failed_at_ns[BREAKER_FAILURES_KEPT]; /* ring of the newest failures */
    int failed_next;
    int failed_count;
    struct breaker_bucket buckets[BREAKER_BUCKETS];
    int64_t opened_at_ns;  /* of the newest opening; -1: never */
    int64_t retry_at_ns;   /* when open ends */
    int64_t hold_until_ns; /* told by the provider; no sign of life ends open before */
    uint64_t opens;        /* since start */
    int opens_in_a_row;    /* as of calm_since_ns */
    int64_t calm_since_ns; /* closed since */
    int successes;         /* in this half-open generation */
    int answers;           /* neutral ones in this half-open generation */
    bool probe_out;
    uint32_t probe_number;  /* of the newest probe */
    int64_t probe_until_ns; /* its lease */
};

struct breaker_permit {
    uint32_t generation;
    bool probe;
    uint32_t number; /* of the probe */
};

void breaker_init(struct breaker *breaker, const struct breaker_policy *policy);
/* From now on. Its state stays, and so do the failures that it counts. */
void breaker_set_policy(struct breaker *breaker, const struct breaker_policy *policy);

/* Would a request be let through now? Changes nothing. */
bool breaker_would_allow(const struct breaker *breaker, int64_t now_ns);
/* Lets a request through and gives it a permit, or refuses. May go from open to half open. */
bool breaker_allows(struct breaker *breaker, int64_t now_ns, struct breaker_permit *permit_out);
/* Says how a permitted request ended. True: the state changed. Draws at most one number. */
bool breaker_note(struct breaker *breaker, struct breaker_permit permit,
                  enum breaker_outcome outcome, int64_t now_ns, struct random *random);
/* A sign of life that costs nothing, such as a list of models, came while it is open: one real
 * request may pass now. When that one fails, open ends no earlier than it would have, and the
 * escalation goes on. True: the state changed. */
bool breaker_hint_recovered(struct breaker *breaker, int64_t now_ns);
/* The provider told when to come back: open lasts at least until then. Say it after the failure
 * that it came with; in other states it means nothing. */
void breaker_hold_until(struct breaker *breaker, int64_t until_ns);
/* True: the state changed. open, close and reset forget what was counted; auto lets what was
 * opened by hand be tried at once. */
bool breaker_command(struct breaker *breaker, enum breaker_command command, int64_t now_ns);

/* The state that a request would meet now: an open breaker past its time is half open. */
enum breaker_state breaker_state_at(const struct breaker *breaker, int64_t now_ns);
/* In the window; those that opened it stay until it closes. */
int breaker_failures(const struct breaker *breaker, int64_t now_ns);
/* Until a request may pass; 0: now; TIME_NEVER: only by command. */
int64_t breaker_retry_in_ns(const struct breaker *breaker, int64_t now_ns);

#endif
