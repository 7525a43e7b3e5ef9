#include "core/policy/quota.h"

#include <assert.h>
#include <math.h>

#include "core/base/time.h"

static const double tokens_priced = 1e6;
static const double rounding = 1e-9; // of a limit in money: ten times 0.1 is a whole

const char *quota_kind_name(enum quota_kind kind) {
    static const char *const names[] = { "requests", "tokens", "money" };
    return names[kind];
}

// ---- periods ----

static int64_t period_begin(const struct quota_policy *policy, int64_t wall_ns) {
    if (policy->period_ns <= 0) return 0;
    int64_t since_ns = wall_ns % policy->period_ns;
    return wall_ns - (since_ns < 0 ? since_ns + policy->period_ns : since_ns);
}

// A clock that was set back gives nothing back: the period at hand lasts until its end, or, when
// that is far away now, what was spent belongs to the period that it is by the new time.
static void turn_to(struct quota *quota, int64_t wall_ns) {
    int64_t begins_ns = period_begin(quota->policy, wall_ns);
    bool is_over = begins_ns > quota->begins_ns;
    bool is_far_back = begins_ns < quota->begins_ns - quota->policy->period_ns;
    for (int kind = 0; kind < QUOTA_KINDS && is_over; kind++)
        quota->spent[kind] = 0;
    if (is_over || is_far_back) quota->begins_ns = begins_ns;
}

static struct quota turned_to(const struct quota *quota, int64_t wall_ns) {
    struct quota then = *quota;
    turn_to(&then, wall_ns);
    return then;
}

void quota_init(struct quota *quota, const struct quota_policy *policy, int64_t wall_ns) {
    *quota = (struct quota){ .policy = policy, .begins_ns = period_begin(policy, wall_ns) };
}

void quota_set_policy(struct quota *quota, const struct quota_policy *policy, int64_t wall_ns) {
    turn_to(quota, wall_ns);
    bool is_same_period = policy->period_ns == quota->policy->period_ns;
    quota->policy = policy;
    if (!is_same_period) quota->begins_ns = period_begin(policy, wall_ns);
}

// ---- spending ----

void quota_note_sent(struct quota *quota) {
    quota->under_way++;
}

void quota_note_ended(struct quota *quota, bool has_cost, int64_t wall_ns) {
    assert(quota->under_way > 0);
    quota->under_way--;
    turn_to(quota, wall_ns);
    quota->spent[QUOTA_REQUESTS] += has_cost;
}

void quota_note_usage(struct quota *quota, int64_t input_tokens, int64_t output_tokens,
                      int64_t wall_ns) {
    const struct quota_policy *policy = quota->policy;
    double input = input_tokens > 0 ? (double)input_tokens : 0;
    double output = output_tokens > 0 ? (double)output_tokens : 0;
    turn_to(quota, wall_ns);
    quota->spent[QUOTA_TOKENS] += input + output;
    quota->spent[QUOTA_MONEY] +=
        (input * policy->input_price + output * policy->output_price) / tokens_priced;
}

// ---- what is left ----

double quota_limit(const struct quota *quota, enum quota_kind kind) {
    switch (kind) {
    case QUOTA_REQUESTS:
        return (double)quota->policy->requests;
    case QUOTA_TOKENS:
        return (double)quota->policy->tokens;
    case QUOTA_MONEY:
        return quota->policy->money;
    case QUOTA_KINDS:
        break;
    }
    assert(false);
    return 0;
}

double quota_left(const struct quota *quota, enum quota_kind kind, int64_t wall_ns) {
    struct quota then = turned_to(quota, wall_ns);
    double limit = quota_limit(quota, kind);
    if (limit <= 0) return -1;
    double left = limit - then.spent[kind];
    if (kind == QUOTA_REQUESTS) left -= (double)quota->under_way;
    if (kind == QUOTA_MONEY && left < limit * rounding) left = 0;
    return fmax(left, 0);
}

bool quota_allows(const struct quota *quota, int64_t wall_ns, enum quota_kind *lacking_out) {
    for (enum quota_kind kind = QUOTA_REQUESTS; kind < QUOTA_KINDS; kind++) {
        if (quota_left(quota, kind, wall_ns) != 0) continue;
        if (lacking_out) *lacking_out = kind;
        return false;
    }
    return true;
}

double quota_spent_ratio(const struct quota *quota, enum quota_kind kind, int64_t wall_ns) {
    struct quota then = turned_to(quota, wall_ns);
    double limit = quota_limit(quota, kind);
    return limit > 0 ? then.spent[kind] / limit : 0;
}

double quota_most_spent_ratio(const struct quota *quota, int64_t wall_ns) {
    double most = 0;
    for (enum quota_kind kind = QUOTA_REQUESTS; kind < QUOTA_KINDS; kind++)
        most = fmax(most, quota_spent_ratio(quota, kind, wall_ns));
    return most;
}

int64_t quota_resets_at_ns(const struct quota *quota, int64_t wall_ns) {
    struct quota then = turned_to(quota, wall_ns);
    bool is_limited = false;
    for (enum quota_kind kind = QUOTA_REQUESTS; kind < QUOTA_KINDS; kind++)
        is_limited |= quota_limit(quota, kind) > 0;
    if (!is_limited || quota->policy->period_ns <= 0) return TIME_NEVER;
    return time_after(then.begins_ns, quota->policy->period_ns);
}
