/*
 * failure_rules: judges an error reply by the tables. Pure.
 *
 * The order: known codes, known texts, special statuses, the status; inside a 200 the status that
 * the body names, then the word that stands for one.
 */
#ifndef ASKFS_CORE_POLICY_FAILURE_RULES_H
#define ASKFS_CORE_POLICY_FAILURE_RULES_H

#include "core/policy/failure.h"
#include "core/policy/failure_body.h"
#include "core/policy/failure_tables.h"

/* by_status_out: no code and no text decided, so x-should-retry may. */
struct verdict failure_rules_judge(const struct failed_reply *reply,
                                   const struct failure_body *body, bool *by_status_out);

#endif
