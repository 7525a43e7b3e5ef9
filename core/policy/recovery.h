/*
 * recovery: how an answer goes on after its stream died. Pure.
 *
 * Asked when a stream had brought content and then ended without its terminal event. An attempt
 * that brought nothing is no broken stream: it is retried (retry.h), whatever the policy says here.
 *
 *   restart    nothing was delivered: the same request, unseen
 *   cursor     the provider replays what follows a sequence number; exact
 *   prefill    the text so far as the beginning of the assistant's turn
 *   continue   the text so far shown to the model, with the request to go on
 *   replay     the same request again, accepted as long as it repeats what was delivered; exact
 */
#ifndef ASKFS_CORE_POLICY_RECOVERY_H
#define ASKFS_CORE_POLICY_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

enum recovery_method {
    RECOVERY_NONE,
    RECOVERY_RESTART,
    RECOVERY_CURSOR,
    RECOVERY_PREFILL,
    RECOVERY_CONTINUE,
    RECOVERY_REPLAY,
    RECOVERY_METHOD_COUNT
};

/* The word of the contract: "none", "restart", "cursor", "prefill", "continue", "replay". */
const char *recovery_method_name(enum recovery_method method);
/* The text that it gives is the provider's one answer, not the best that could be joined. */
bool recovery_is_exact(enum recovery_method method);

/* What the user allows: `recovery` in the configuration. */
enum recovery_policy { RECOVERY_POLICY_AUTO, RECOVERY_POLICY_EXACT, RECOVERY_POLICY_OFF };
extern const char *const recovery_policy_names[]; /* in the enum's order, NULL-ended */

/* Whether a target does something: what its dialect says, and what its refusals taught. */
enum recovery_support { RECOVERY_UNKNOWN, RECOVERY_SUPPORTED, RECOVERY_UNSUPPORTED };

struct recovery_facts {
    enum recovery_policy policy;
    uint64_t delivered_bytes; /* of the answer's text; what nobody was given is not delivered */
    bool has_cursor;          /* the target holds the response: in background, id and sequence
                                 number known */
    enum recovery_support prefill; /* of the target; unknown is tried, a refusal costs nothing */
    bool has_tools;                /* fragments of tool calls arrived: they are never spliced */
    bool is_structured;            /* JSON was asked for: only whole answers of one piece fit */
    unsigned refused;              /* for this request at this target: recovery_bit of each */
};

unsigned recovery_bit(enum recovery_method method);

/* The best method that is left; RECOVERY_NONE: the answer ends as it is. */
enum recovery_method recovery_choose(const struct recovery_facts *facts);

#endif
