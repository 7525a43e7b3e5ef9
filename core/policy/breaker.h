/*
 * breaker: may we ask this provider at all? Pure; times are nanoseconds of the monotonic clock.
 *
 *              failures in window reach threshold
 *     closed ─────────────────────────────────────> open
 *       ^  ^                                        |  ^
 *       |  | success_threshold successes            |  | a probe fails
 *       |  └──────────────── half_open <────────────┘  |
 *       |                        |   recovery_timeout  |
 *       |                        └─────────────────────┘
 *       └── commands: open, close, reset, auto
 *
 * One permit a request, given back with exactly one breaker_note. A permit of an earlier state
 * (another generation) changes nothing. Neutral outcomes give the permit back and count as neither.
 */
#ifndef ASKFS_CORE_POLICY_BREAKER_H
#define ASKFS_CORE_POLICY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/random.h"

struct breaker_policy {
    int failure_threshold;       /* failed requests in the window that open it */
    int64_t window_ns;
    int64_t recovery_timeout_ns; /* jittered, from open to half open */
    int success_threshold;       /* successes in half open that close it */
    int64_t probe_lease_ns;      /* a probe without an answer frees its place after this */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
const char *breaker_state_name(enum breaker_state state); /* "closed", "open", "half_open" */

enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NEUTRAL };
enum breaker_command { BREAKER_FORCE_OPEN, BREAKER_FORCE_CLOSE, BREAKER_RESET, BREAKER_AUTO };

enum { BREAKER_FAILURES_KEPT = 64 }; /* failure_threshold is at most this */

struct breaker {
    const struct breaker_policy *policy; /* borrowed */
    enum breaker_state state;
    bool forced;             /* by command; only a command changes it */
    uint32_t generation;     /* rises with every change of state */
    int64_t failed_at_ns[BREAKER_FAILURES_KEPT]; /* ring of the newest failures */
    int failed_next;
    int failed_count;
    int64_t opened_at_ns;    /* of the newest opening; -1: never */
    int64_t retry_at_ns;     /* when open ends */
    uint64_t opens;          /* since start */
    int successes;           /* in this half-open generation */
    bool probe_out;
    uint32_t probe_number;   /* of the newest probe */
    int64_t probe_until_ns;  /* its lease */
};

struct breaker_permit {
    uint32_t generation;
    bool probe;
    uint32_t number; /* of the probe */
};

void breaker_init(struct breaker *breaker, const struct breaker_policy *policy);

/* Would a request be let through now? Changes nothing. */
bool breaker_would_allow(const struct breaker *breaker, int64_t now_ns);
/* Lets a request through and gives it a permit, or refuses. May go from open to half open. */
bool breaker_allows(struct breaker *breaker, int64_t now_ns, struct breaker_permit *permit_out);
/* Says how a permitted request ended. True: the state changed. */
bool breaker_note(struct breaker *breaker, struct breaker_permit permit,
                  enum breaker_outcome outcome, int64_t now_ns, struct random *random);
void breaker_hint_recovered(struct breaker *breaker, int64_t now_ns);
/* True: the state changed. */
bool breaker_command(struct breaker *breaker, enum breaker_command command, int64_t now_ns);

/* The state that a request would meet now: an open breaker past its time is half open. */
enum breaker_state breaker_state_at(const struct breaker *breaker, int64_t now_ns);
int breaker_failures(const struct breaker *breaker, int64_t now_ns); /* in the window */
/* Until a request may pass; 0: now; TIME_NEVER: only by command. */
int64_t breaker_retry_in_ns(const struct breaker *breaker, int64_t now_ns);

#endif
