/*
 * retry: again or not, and when. Pure: exponential backoff, full jitter, never earlier than told.
 *
 * Our own wait before attempt n + 1 is a number between 0 and initial_delay * backoff_factor^(n-1).
 * Where there is no capacity (overloaded, or a rate limit that told nothing) it is between half and
 * the whole of four times that, so never near zero. max_delay caps all of these.
 *
 * A told wait is kept, with up to a tenth on top; above max_retry_after it is not waited out. No
 * wait ends past the deadline: then it fails now.
 */
#ifndef ASKFS_CORE_POLICY_RETRY_H
#define ASKFS_CORE_POLICY_RETRY_H

#include "core/base/random.h"
#include "core/policy/failure.h"

struct retry_policy {
    int max_attempts; /* in all, the first included */
    int64_t initial_delay_ns;
    double backoff_factor;      /* 1 or more */
    int64_t max_delay_ns;       /* caps our own waits */
    int64_t max_retry_after_ns; /* a told wait above this fails now */
    int max_reconnect_attempts; /* reconnects of a stream without progress */
    /* By the class that the newest attempt failed with: takes the place of max_attempts, be it more
     * or less. 0: not set; 1: this class is not retried. */
    int class_attempts[FAILURE_CLASS_COUNT];
};

/* What the request has spent so far. */
struct attempts {
    int made;               /* attempts that counted, the one that just failed included */
    int once_used;          /* attempts that failed with retry_once */
    bool reused_connection; /* the last attempt died on a reused connection without a byte of reply
                             */
    bool free_retry_used;   /* its one free retry on a fresh connection was taken */
    int64_t deadline_ns;    /* TIME_NEVER: none */
};

enum retry_verdict { RETRY_AGAIN, RETRY_GIVE_UP };

enum retry_reason {
    RETRY_BACKOFF, /* our own wait */
    RETRY_TOLD,    /* the provider told when */
    RETRY_FRESH,   /* at once, free, on a fresh connection */
    RETRY_NOT_RETRYABLE,
    RETRY_ATTEMPTS_SPENT,
    RETRY_TOLD_TOO_LONG,
    RETRY_DEADLINE,     /* the wait would end past the deadline */
    RETRY_NO_BUDGET,    /* set by the caller, who asks the budget; so are those below */
    RETRY_REPAIR,       /* at once, free: without what the provider does not take */
    RETRY_ELSEWHERE,    /* at once, at another provider of the route */
    RETRY_OTHER_METHOD, /* at once: another way to go on from what was delivered */
    RETRY_NO_METHOD,    /* there is no way to go on from what was delivered */
    RETRY_BUDGET_SPENT  /* the user's own budget, core/policy/quota.h */
};
const char *retry_reason_name(enum retry_reason reason); /* "backoff", "told", … */

struct retry_decision {
    enum retry_verdict verdict;
    enum retry_reason reason;
    int64_t delay_ns;
};

/* What to do after a failed attempt. Draws at most one number from random (the jitter). */
struct retry_decision retry_decide(const struct retry_policy *policy, const struct failure *failure,
                                   const struct attempts *so_far, int64_t now_ns,
                                   struct random *random);

/* How many attempts in all a class gets; 1: it is not retried. */
int retry_attempts_of(const struct retry_policy *policy, enum failure_class class);

#endif
