/*
 * failure_rules: the tables that judge an error reply. Pure.
 */
#ifndef ASKFS_CORE_POLICY_FAILURE_RULES_H
#define ASKFS_CORE_POLICY_FAILURE_RULES_H

#include "core/policy/failure.h"
#include "core/policy/failure_body.h"

struct verdict {
    enum failure_class class;
    bool retryable;
    bool retry_once;
    bool counts; /* for the breaker */
};

/* by_status_out: no code and no text decided, so x-should-retry may. */
struct verdict failure_rules_judge(const struct failed_reply *reply,
                                   const struct failure_body *body, bool *by_status_out);

#endif
