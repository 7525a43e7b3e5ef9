/*
 * alerts: what of a provider needs somebody, and when it no longer does. Pure; one set a provider.
 *
 *           value crosses the upper threshold
 *    quiet ───────────────────────────────────> raised
 *      ^                                           |
 *      └───────────────────────────────────────────┘
 *           value crosses the lower threshold
 *
 * Each alert is raised once, ends once, and is then armed again; what wavers between its two
 * thresholds changes nothing.
 *
 *    alert                    value                      raised            ended
 *    breaker_open             breakers that are open     from 1            0, none half open either
 *    error_rate               failed of ended requests   from error_rate,  below half of it
 *                             of the last five minutes   enough ended
 *    key_refused              refusals in a row          from 1            0, by a success
 *    budget                   spent of the budget        from 0.9          below 0.8
 *    retry_budget_exhausted   retries left, of those     a retry is        above 0.5
 *                             there can be               denied
 */
#ifndef ASKFS_CORE_POLICY_ALERTS_H
#define ASKFS_CORE_POLICY_ALERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum alert {
    ALERT_BREAKER_OPEN,
    ALERT_ERROR_RATE,
    ALERT_KEY_REFUSED,
    ALERT_BUDGET,
    ALERT_RETRY_BUDGET_EXHAUSTED,
    ALERT_COUNT
};
const char *alert_name(enum alert alert); /* "breaker_open", … */
/* One line for people. Static text. */
const char *alert_advice(enum alert alert, bool is_raised);

struct alert_limits {
    double error_rate;  /* 0 to 1 */
    uint64_t ended_min; /* requests in the five minutes before their rate says anything */
};
extern const struct alert_limits alert_limits_default; /* 0.5, 5 */

struct alerts {
    struct alert_limits limits;
    bool is_raised[ALERT_COUNT];
    uint64_t refusals; /* of the key, in a row */
};

struct alert_change {
    enum alert alert;
    bool is_raised; /* else ended */
    double value;
    double threshold; /* what value crossed */
};

void alerts_init(struct alerts *alerts, const struct alert_limits *limits);
bool alerts_is_raised(const struct alerts *alerts, enum alert alert);

/* Each says what is now. True: an alert was raised or ended, and *change_out is filled. */

/* After each change of a breaker: how many of the provider's are open and half open. */
bool alerts_note_breakers(struct alerts *alerts, size_t open, size_t half_open,
                          struct alert_change *change_out);

/* After each end of a request, and at alerts_next_ns: the share of the last five minutes' ended
 * requests that failed, and how many ended. */
bool alerts_note_error_rate(struct alerts *alerts, double error_rate, uint64_t ended,
                            struct alert_change *change_out);

/* After each attempt that was refused for its key, and each that succeeded. */
bool alerts_note_key(struct alerts *alerts, bool is_refused, struct alert_change *change_out);

/* spent: 0 to 1. */
bool alerts_note_budget(struct alerts *alerts, double spent, struct alert_change *change_out);

/* After each retry that was denied, and whenever the budget was filled, at alerts_next_ns at the
 * latest. left: 0 to 1. */
bool alerts_note_retry_budget(struct alerts *alerts, bool is_denied, double left,
                              struct alert_change *change_out);

/* When to note again although nothing happened, because time alone may end an alert. TIME_NEVER:
 * nothing is raised that time ends. */
int64_t alerts_next_ns(const struct alerts *alerts, int64_t now_ns);

#endif
