#include "core/policy/retry.h"

#include "core/base/time.h"

static const int64_t overloaded_first_ns = TIME_S;

const char *retry_reason_name(enum retry_reason reason) {
    static const char *const names[] = { "backoff",        "told",          "fresh",
                                         "not_retryable",  "attempts_spent", "told_too_long",
                                         "deadline",       "no_budget",     "repair",
                                         "elsewhere",      "other_method",  "no_method" };
    return names[reason];
}

// initial * factor^(attempt - 1), at most max; the loop ends early, so nothing can overflow.
static int64_t backoff_ceiling_ns(const struct retry_policy *policy, int attempt) {
    double ceiling = (double)policy->initial_delay_ns;
    double max = (double)policy->max_delay_ns;
    for (int i = 1; i < attempt && ceiling < max && policy->backoff_factor > 1; i++)
        ceiling *= policy->backoff_factor;
    return ceiling < max ? (int64_t)ceiling : policy->max_delay_ns;
}

static int64_t backoff_ns(const struct retry_policy *policy, const struct failure *failure,
                          int attempt, struct random *random) {
    int64_t ceiling_ns = backoff_ceiling_ns(policy, attempt);
    int64_t floor_ns = 0;
    if (failure->class == FAILURE_OVERLOADED) {
        // No near-zero wait against a provider that has no capacity: half fixed, half random.
        if (ceiling_ns < overloaded_first_ns) ceiling_ns = overloaded_first_ns;
        if (ceiling_ns > policy->max_delay_ns) ceiling_ns = policy->max_delay_ns;
        floor_ns = ceiling_ns / 2;
    }
    return random_between(random, floor_ns, ceiling_ns);
}

static struct retry_decision give_up(enum retry_reason reason) {
    return (struct retry_decision){ RETRY_GIVE_UP, reason, 0 };
}

static struct retry_decision again(enum retry_reason reason, int64_t delay_ns,
                                   const struct attempts *so_far, int64_t now_ns) {
    if (so_far->deadline_ns != TIME_NEVER && time_after(now_ns, delay_ns) >= so_far->deadline_ns)
        return give_up(RETRY_DEADLINE);
    return (struct retry_decision){ RETRY_AGAIN, reason, delay_ns };
}

struct retry_decision retry_decide(const struct retry_policy *policy, const struct failure *failure,
                                   const struct attempts *so_far, int64_t now_ns,
                                   struct random *random) {
    if (!failure->retryable) return give_up(RETRY_NOT_RETRYABLE);
    if (so_far->reused_connection && !so_far->free_retry_used)
        return again(RETRY_FRESH, 0, so_far, now_ns);
    if (failure->retry_once && so_far->once_used > 1) return give_up(RETRY_NOT_RETRYABLE);
    if (so_far->made >= policy->max_attempts) return give_up(RETRY_ATTEMPTS_SPENT);
    int64_t wait_ns = backoff_ns(policy, failure, so_far->made, random);
    int64_t told_ns = failure->retry_after_ns;
    if (told_ns < 0) return again(RETRY_BACKOFF, wait_ns, so_far, now_ns);
    if (told_ns > policy->max_retry_after_ns) return give_up(RETRY_TOLD_TOO_LONG);
    int64_t spread_ns = told_ns / 10;
    int64_t above_ns = spread_ns > 0 ? random_between(random, 0, spread_ns) : 0;
    return again(RETRY_TOLD, time_after(told_ns, above_ns), so_far, now_ns);
}
