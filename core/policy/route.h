/*
 * route: which provider of a route is asked next. Pure.
 *
 * In order: who was not asked yet, then who was, then who went silent; nobody whose breaker is open
 * or whose key is paused for longer than the route is patient, unless there is nobody else.
 */
#ifndef ASKFS_CORE_POLICY_ROUTE_H
#define ASKFS_CORE_POLICY_ROUTE_H

#include "core/policy/failure.h"
#include "core/policy/retry.h"

/* A provider as the request at hand sees it. */
struct route_member {
    bool usable;     /* has a key, attempts left, and a way to go on with what was delivered */
    bool admits;     /* its breaker would let a request through */
    bool tried;      /* it was asked for this request */
    bool silent;     /* and did not say anything, or stopped to */
    int64_t wait_ns; /* until its key may be used; 0: now */
};

struct route_choice {
    bool found; /* false: nobody is left */
    size_t member;
    bool all_refused; /* not found, and breakers are why */
};

/* failed: how the member asked last failed; NULL: nobody was asked yet. same: what retry_decide
 * says about asking it again. patience_ns: a wait up to this is waited out. wait_max_ns: longer
 * ones never.
 */
struct route_choice route_choose(const struct route_member *members, size_t count,
                                 size_t asked_last, const struct failure *failed,
                                 const struct retry_decision *same, int64_t patience_ns,
                                 int64_t wait_max_ns);

/* No headers, no first token, or a stall: others are asked before it is asked again. */
bool route_is_silence(const struct failure *failure);

#endif
