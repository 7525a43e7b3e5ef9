#include "core/policy/retry_budget.h"

#include <math.h>

#include "core/base/time.h"

const struct retry_budget_policy retry_budget_default = { .ratio = 0.2,
                                                          .per_second = 0.5,
                                                          .tokens_max = 20 };

void retry_budget_init(struct retry_budget *budget, const struct retry_budget_policy *policy,
                       int64_t now_ns) {
    *budget = (struct retry_budget){ .policy = policy,
                                     .tokens = policy->tokens_max,
                                     .filled_ns = now_ns };
}

double retry_budget_tokens(const struct retry_budget *budget, int64_t now_ns) {
    const struct retry_budget_policy *policy = budget->policy;
    double seconds = fmax(time_to_seconds(now_ns - budget->filled_ns), 0);
    return fmin(budget->tokens + policy->per_second * seconds, policy->tokens_max);
}

double retry_budget_left_ratio(const struct retry_budget *budget, int64_t now_ns) {
    double max = budget->policy->tokens_max;
    return max > 0 ? retry_budget_tokens(budget, now_ns) / max : 1;
}

static void fill(struct retry_budget *budget, int64_t now_ns) {
    budget->tokens = retry_budget_tokens(budget, now_ns);
    if (now_ns > budget->filled_ns) budget->filled_ns = now_ns;
}

double retry_budget_cost(const struct failure *failure, bool has_gained) {
    static const double gained = 0.1;
    static const double unsent = 0.25;
    static const double in_vain = 2;
    static const double in_line = 0.1; // the pacer keeps these from being a storm
    if (has_gained) return gained;
    if (failure->class == FAILURE_RATE_LIMIT) return in_line;
    bool never_connected = failure->http_status == 0 && failure->billed == BILLED_NO;
    if (never_connected) return unsent;
    if (failure->class == FAILURE_TIMEOUT || failure->class == FAILURE_STREAM_STALLED)
        return in_vain;
    return 1;
}

bool retry_budget_take(struct retry_budget *budget, double cost, int64_t now_ns) {
    fill(budget, now_ns);
    bool granted = budget->policy->tokens_max <= 0 || budget->tokens >= cost;
    if (!granted) {
        budget->denied++;
        return false;
    }
    budget->taken++;
    budget->tokens -= cost;
    return true;
}

void retry_budget_note_success(struct retry_budget *budget, int64_t now_ns) {
    fill(budget, now_ns);
    budget->tokens = fmin(budget->tokens + budget->policy->ratio, budget->policy->tokens_max);
}
