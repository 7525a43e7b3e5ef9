#include "core/policy/retry.h"

#include <math.h>

const char *retry_reason_name(enum retry_reason reason) {
    static const char *const names[] = { "backoff",       "told",           "fresh",
                                         "not_retryable", "attempts_spent", "told_too_long",
                                         "deadline",      "no_budget",      "repair",
                                         "elsewhere",     "other_method",   "no_method",
                                         "budget_spent" };
    return names[reason];
}

int retry_attempts_of(const struct retry_policy *policy, enum failure_class class) {
    int own = policy->class_attempts[class];
    return own > 0 ? own : policy->max_attempts;
}

// first * factor^(attempt - 1), at most max, whatever the numbers.
static int64_t backoff_ceiling_ns(const struct retry_policy *policy, double first_ns, int attempt) {
    double max_ns = (double)policy->max_delay_ns;
    double ceiling_ns = fmin(first_ns, max_ns);
    for (int i = 1; i < attempt; i++)
        ceiling_ns = fmin(ceiling_ns * policy->backoff_factor, max_ns);
    return (int64_t)ceiling_ns;
}

static int64_t backoff_ns(const struct retry_policy *policy, const struct failure *failure,
                          int attempt, struct random *random) {
    static const double slower = 4;
    double first_ns = (double)policy->initial_delay_ns;
    bool full = failure->class == FAILURE_OVERLOADED || failure->class == FAILURE_RATE_LIMIT;
    int64_t ceiling_ns = backoff_ceiling_ns(policy, full ? slower * first_ns : first_ns, attempt);
    return random_between(random, full ? ceiling_ns / 2 : 0, ceiling_ns);
}

static struct retry_decision give_up(enum retry_reason reason) {
    return (struct retry_decision){ RETRY_GIVE_UP, reason, 0 };
}

static struct retry_decision again(enum retry_reason reason, int64_t delay_ns) {
    return (struct retry_decision){ RETRY_AGAIN, reason, delay_ns };
}

// Jitter on top, but not so much that the request would be late for that alone.
static int64_t wait_as_told(int64_t told_ns, int64_t left_ns, struct random *random) {
    int64_t above_ns = told_ns / 10;
    int64_t most_ns = left_ns - told_ns - 1;
    return told_ns + random_between(random, 0, above_ns < most_ns ? above_ns : most_ns);
}

struct retry_decision retry_decide(const struct retry_policy *policy, const struct failure *failure,
                                   const struct attempts *so_far, int64_t now_ns,
                                   struct random *random) {
    int64_t left_ns = so_far->deadline_ns - now_ns; // of TIME_NEVER more than enough
    int64_t told_ns = failure->retry_after_ns;
    if (!failure->retryable) return give_up(RETRY_NOT_RETRYABLE);
    if (left_ns <= 0) return give_up(RETRY_DEADLINE);
    if (so_far->reused_connection && !so_far->free_retry_used) return again(RETRY_FRESH, 0);
    if (failure->retry_once && so_far->once_used > 1) return give_up(RETRY_NOT_RETRYABLE);
    if (so_far->made >= retry_attempts_of(policy, failure->class))
        return give_up(RETRY_ATTEMPTS_SPENT);
    if (told_ns > policy->max_retry_after_ns) return give_up(RETRY_TOLD_TOO_LONG);
    if (told_ns <= 0) {
        int64_t wait_ns = backoff_ns(policy, failure, so_far->made, random);
        return wait_ns < left_ns ? again(RETRY_BACKOFF, wait_ns) : give_up(RETRY_DEADLINE);
    }
    if (told_ns >= left_ns) return give_up(RETRY_DEADLINE);
    return again(RETRY_TOLD, wait_as_told(told_ns, left_ns, random));
}
