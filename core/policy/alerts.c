#include "core/policy/alerts.h"

#include <assert.h>

#include "core/base/time.h"

static const double budget_raised_from = 0.9;
static const double budget_ended_below = 0.8;
static const double retries_ended_above = 0.5;
static const int64_t look_again_ns = 10 * TIME_S; // the error rate moves in slots of ten seconds

const struct alert_limits alert_limits_default = { .error_rate = 0.5, .ended_min = 5 };

static const struct {
    const char *name;
    const char *raised_advice;
    const char *ended_advice;
    bool ends_by_time;
} alerts_of[ALERT_COUNT] = {
    [ALERT_BREAKER_OPEN] = { "breaker_open",
                             "prompts are refused until the provider answers again; see breaker "
                             "and error in its directory, and use another provider meanwhile",
                             "nothing: the provider answers again", false },
    [ALERT_ERROR_RATE] = { "error_rate",
                           "see error and requests/latest/attempts in the provider's directory, "
                           "and "
                           "the provider's status page",
                           "nothing: few requests fail now", true },
    [ALERT_KEY_REFUSED] = { "key_refused",
                            "put a valid key where the configuration reads it, then send SIGHUP",
                            "nothing: the key is accepted", false },
    [ALERT_BUDGET] = { "budget", "raise the budget, or send fewer or smaller prompts",
                       "nothing: there is budget again", true },
    [ALERT_RETRY_BUDGET_EXHAUSTED] = { "retry_budget_exhausted",
                                       "failures are not retried for now; send fewer requests "
                                       "until the provider answers better",
                                       "nothing: failures are retried again", true },
};

const char *alert_name(enum alert alert) {
    return alerts_of[alert].name;
}

const char *alert_advice(enum alert alert, bool is_raised) {
    return is_raised ? alerts_of[alert].raised_advice : alerts_of[alert].ended_advice;
}

void alerts_init(struct alerts *alerts, const struct alert_limits *limits) {
    assert(limits->error_rate > 0);
    *alerts = (struct alerts){ .limits = *limits };
}

bool alerts_is_raised(const struct alerts *alerts, enum alert alert) {
    return alerts->is_raised[alert];
}

/* What an alert is told. Both crossed at once cannot be: its thresholds are apart. */
struct reading {
    double value;
    bool is_high; /* past the upper threshold */
    bool is_low;  /* past the lower one */
    double upper;
    double lower;
};

// The one place that raises and ends.
static bool settle(struct alerts *alerts, enum alert alert, const struct reading *reading,
                   struct alert_change *change_out) {
    bool was_raised = alerts->is_raised[alert];
    assert(!(reading->is_high && reading->is_low));
    if (was_raised ? !reading->is_low : !reading->is_high) return false;
    alerts->is_raised[alert] = !was_raised;
    *change_out = (struct alert_change){
        .alert = alert,
        .is_raised = !was_raised,
        .value = reading->value,
        .threshold = was_raised ? reading->lower : reading->upper,
    };
    return true;
}

bool alerts_note_breakers(struct alerts *alerts, size_t open, size_t half_open,
                          struct alert_change *change_out) {
    struct reading reading = { (double)open, open > 0, open + half_open == 0, 1, 1 };
    return settle(alerts, ALERT_BREAKER_OPEN, &reading, change_out);
}

bool alerts_note_error_rate(struct alerts *alerts, double error_rate, uint64_t ended,
                            struct alert_change *change_out) {
    double upper = alerts->limits.error_rate;
    double lower = upper / 2;
    bool says_something = ended >= alerts->limits.ended_min;
    struct reading reading = { error_rate, says_something && error_rate >= upper,
                               error_rate < lower, upper, lower };
    return settle(alerts, ALERT_ERROR_RATE, &reading, change_out);
}

bool alerts_note_key(struct alerts *alerts, bool is_refused, struct alert_change *change_out) {
    alerts->refusals = is_refused ? alerts->refusals + 1 : 0;
    struct reading reading = { (double)alerts->refusals, is_refused, !is_refused, 1, 1 };
    return settle(alerts, ALERT_KEY_REFUSED, &reading, change_out);
}

bool alerts_note_budget(struct alerts *alerts, double spent, struct alert_change *change_out) {
    struct reading reading = { spent, spent >= budget_raised_from, spent < budget_ended_below,
                               budget_raised_from, budget_ended_below };
    return settle(alerts, ALERT_BUDGET, &reading, change_out);
}

bool alerts_note_retry_budget(struct alerts *alerts, bool is_denied, double left,
                              struct alert_change *change_out) {
    // A retry that costs much may be denied while much is left: that is no recovery.
    struct reading reading = { left, is_denied, !is_denied && left > retries_ended_above, 0,
                               retries_ended_above };
    return settle(alerts, ALERT_RETRY_BUDGET_EXHAUSTED, &reading, change_out);
}

int64_t alerts_next_ns(const struct alerts *alerts, int64_t now_ns) {
    for (int alert = 0; alert < ALERT_COUNT; alert++)
        if (alerts->is_raised[alert] && alerts_of[alert].ends_by_time)
            return time_after(now_ns, look_again_ns);
    return TIME_NEVER;
}
