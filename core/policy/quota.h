/*
 * quota: the user's own budget for a provider: how many requests, tokens and how much money in a
 * period. Pure. (That of retries is in retry_budget.h.)
 *
 * Periods are aligned to Unix time: one of 86400 seconds is a day in UTC. What an attempt cost is
 * known when it has ended, and counted in the period in which it does. Until then it holds one
 * request of the budget, so that no more are sent than may be; its tokens and its money are not
 * foreseen, so those two may be passed by what is under way.
 */
#ifndef ASKFS_CORE_POLICY_QUOTA_H
#define ASKFS_CORE_POLICY_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

enum quota_kind { QUOTA_REQUESTS, QUOTA_TOKENS, QUOTA_MONEY, QUOTA_KINDS };
const char *quota_kind_name(enum quota_kind kind); /* "requests", "tokens", "money" */

struct quota_policy {
    int64_t requests;   /* 0: no limit; so are the next two */
    int64_t tokens;     /* of input and output together */
    double money;       /* in the currency of the prices */
    int64_t period_ns;  /* 0: it never ends */
    double input_price; /* of a million tokens */
    double output_price;
};

struct quota {
    const struct quota_policy *policy; /* borrowed */
    int64_t begins_ns;                 /* the period that spent is of; wall time, as all here */
    double spent[QUOTA_KINDS];
    int64_t under_way; /* attempts that are not counted yet */
};

void quota_init(struct quota *quota, const struct quota_policy *policy, int64_t wall_ns);
/* What was spent stays, and counts for the period that now is by the new policy. */
void quota_set_policy(struct quota *quota, const struct quota_policy *policy, int64_t wall_ns);

/* May an attempt be sent at this time, now or to come? False: what the budget lacks is in
 * *lacking_out, which may be NULL. */
bool quota_allows(const struct quota *quota, int64_t wall_ns, enum quota_kind *lacking_out);

/* Each attempt that is sent ends once. has_cost: the provider may charge for it. */
void quota_note_sent(struct quota *quota);
void quota_note_ended(struct quota *quota, bool has_cost, int64_t wall_ns);
/* Tokens below 0 were not told, and count as none. */
void quota_note_usage(struct quota *quota, int64_t input_tokens, int64_t output_tokens,
                      int64_t wall_ns);

double quota_limit(const struct quota *quota, enum quota_kind kind); /* 0: none */
/* What may still be spent, never below 0; of requests without those under way. -1: no limit. */
double quota_left(const struct quota *quota, enum quota_kind kind, int64_t wall_ns);
/* The spent part of the limit, above 1 when it was passed; 0 without a limit. */
double quota_spent_ratio(const struct quota *quota, enum quota_kind kind, int64_t wall_ns);
/* The largest of these. */
double quota_most_spent_ratio(const struct quota *quota, int64_t wall_ns);

/* When the next period begins, and nothing is spent. TIME_NEVER: there is no limit. */
int64_t quota_resets_at_ns(const struct quota *quota, int64_t wall_ns);

#endif
