#include "core/policy/recovery.h"

#include <stddef.h>

enum { CONTINUED_BYTES_MIN = 8 }; // less says too little of how to go on, and replay risks little

static const struct {
    const char *name;
    bool is_exact;
} methods[RECOVERY_METHOD_COUNT] = {
    [RECOVERY_NONE] = { "none", false },         [RECOVERY_RESTART] = { "restart", true },
    [RECOVERY_CURSOR] = { "cursor", true },      [RECOVERY_PREFILL] = { "prefill", false },
    [RECOVERY_CONTINUE] = { "continue", false }, [RECOVERY_REPLAY] = { "replay", true },
};

const char *const recovery_policy_names[] = { [RECOVERY_POLICY_AUTO] = "auto",
                                              [RECOVERY_POLICY_EXACT] = "exact",
                                              [RECOVERY_POLICY_OFF] = "off",
                                              NULL };

const char *recovery_method_name(enum recovery_method method) {
    return methods[method].name;
}

bool recovery_is_exact(enum recovery_method method) {
    return methods[method].is_exact;
}

unsigned recovery_bit(enum recovery_method method) {
    return 1u << method;
}

static bool is_allowed(const struct recovery_facts *facts, enum recovery_method method) {
    if (facts->refused & recovery_bit(method)) return false;
    bool exact_only =
        facts->policy == RECOVERY_POLICY_EXACT || facts->has_tools || facts->is_structured;
    return !exact_only || recovery_is_exact(method);
}

static bool is_possible(const struct recovery_facts *facts, enum recovery_method method) {
    if (method == RECOVERY_CURSOR) return facts->has_cursor;
    if (method == RECOVERY_PREFILL) return facts->prefill != RECOVERY_UNSUPPORTED;
    return true;
}

enum recovery_method recovery_choose(const struct recovery_facts *facts) {
    static const enum recovery_method order[] = { RECOVERY_CURSOR, RECOVERY_PREFILL,
                                                  RECOVERY_CONTINUE, RECOVERY_REPLAY };
    static const enum recovery_method short_order[] = { RECOVERY_CURSOR, RECOVERY_PREFILL,
                                                        RECOVERY_REPLAY, RECOVERY_CONTINUE };
    if (facts->policy == RECOVERY_POLICY_OFF) return RECOVERY_NONE;
    if (facts->delivered_bytes == 0) return RECOVERY_RESTART;
    bool is_short = facts->delivered_bytes < CONTINUED_BYTES_MIN;
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
        enum recovery_method method = is_short ? short_order[i] : order[i];
        if (is_allowed(facts, method) && is_possible(facts, method)) return method;
    }
    return RECOVERY_NONE;
}
