/*
 * retry_budget: how many retries a provider may cost us, whoever makes them. Pure.
 *
 * A bucket of tokens, refilled by successes and by time. While it goes well, successes pay for any
 * ordinary rate of retries; when everything fails only time does, so that a storm of retries cannot
 * feed the overload that it came from. First attempts need no token, and neither does the free
 * retry on a fresh connection.
 */
#ifndef ASKFS_CORE_POLICY_RETRY_BUDGET_H
#define ASKFS_CORE_POLICY_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy/failure.h"

struct retry_budget_policy {
    double ratio;      /* tokens for each success */
    double per_second; /* tokens for each second */
    double tokens_max; /* what the bucket holds; 0: there is no budget, every retry is granted */
};
extern const struct retry_budget_policy retry_budget_default; /* 0.2, 0.5, 20 */

struct retry_budget {
    const struct retry_budget_policy *policy; /* borrowed */
    double tokens;                            /* as of filled_ns */
    int64_t filled_ns;
    uint64_t taken;  /* retries granted */
    uint64_t denied; /* retries refused */
};

/* The bucket starts full. */
void retry_budget_init(struct retry_budget *budget, const struct retry_budget_policy *policy,
                       int64_t now_ns);

/* What a retry after this failure costs: little when nothing was sent yet, when the attempt
 * before brought new text (has_gained), or after a 429, for the pacer lets no storm out; more when
 * it kept the provider busy in vain. */
double retry_budget_cost(const struct failure *failure, bool has_gained);

/* False: denied, and counted as such; nothing was taken. */
bool retry_budget_take(struct retry_budget *budget, double cost, int64_t now_ns);
void retry_budget_note_success(struct retry_budget *budget, int64_t now_ns);

double retry_budget_tokens(const struct retry_budget *budget, int64_t now_ns);
/* The same as a share of the full bucket, 0 to 1; 1 where there is no budget. */
double retry_budget_left_ratio(const struct retry_budget *budget, int64_t now_ns);

#endif
