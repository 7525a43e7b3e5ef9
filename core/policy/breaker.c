#include "core/policy/breaker.h"

#include <assert.h>

#include "core/base/time.h"

const char *breaker_state_name(enum breaker_state state) {
    static const char *const names[] = { "closed", "open", "half_open" };
    return names[state];
}

// The one place that changes the state.
static void enter(struct breaker *breaker, enum breaker_state state) {
    breaker->state = state;
    breaker->generation++;
    breaker->successes = 0;
    breaker->probe_out = false;
}

static void forget_failures(struct breaker *breaker) {
    breaker->failed_count = 0;
    breaker->failed_next = 0;
}

static void open_until(struct breaker *breaker, int64_t now_ns, int64_t retry_at_ns) {
    enter(breaker, BREAKER_OPEN);
    breaker->opened_at_ns = now_ns;
    breaker->retry_at_ns = retry_at_ns;
    breaker->opens++;
    forget_failures(breaker);
}

void breaker_init(struct breaker *breaker, const struct breaker_policy *policy) {
    assert(policy->failure_threshold >= 1);
    assert(policy->failure_threshold <= BREAKER_FAILURES_KEPT);
    *breaker = (struct breaker){ .policy = policy, .opened_at_ns = -1 };
}

static bool probe_is_free(const struct breaker *breaker, int64_t now_ns) {
    return !breaker->probe_out || now_ns >= breaker->probe_until_ns;
}

bool breaker_would_allow(const struct breaker *breaker, int64_t now_ns) {
    switch (breaker->state) {
    case BREAKER_CLOSED: return true;
    case BREAKER_OPEN: return !breaker->forced && now_ns >= breaker->retry_at_ns;
    case BREAKER_HALF_OPEN: return probe_is_free(breaker, now_ns);
    }
    return false;
}

bool breaker_allows(struct breaker *breaker, int64_t now_ns, struct breaker_permit *permit_out) {
    if (!breaker_would_allow(breaker, now_ns)) return false;
    if (breaker->state == BREAKER_OPEN) enter(breaker, BREAKER_HALF_OPEN);
    bool probe = breaker->state == BREAKER_HALF_OPEN;
    if (probe) {
        breaker->probe_out = true;
        breaker->probe_until_ns = time_after(now_ns, breaker->policy->probe_lease_ns);
        breaker->probe_number++;
    }
    *permit_out =
        (struct breaker_permit){ breaker->generation, probe, probe ? breaker->probe_number : 0 };
    return true;
}

int breaker_failures(const struct breaker *breaker, int64_t now_ns) {
    int count = 0;
    for (int i = 0; i < breaker->failed_count; i++)
        count += now_ns - breaker->failed_at_ns[i] < breaker->policy->window_ns;
    return count;
}

static void remember_failure(struct breaker *breaker, int64_t now_ns) {
    breaker->failed_at_ns[breaker->failed_next] = now_ns;
    breaker->failed_next = (breaker->failed_next + 1) % BREAKER_FAILURES_KEPT;
    if (breaker->failed_count < BREAKER_FAILURES_KEPT) breaker->failed_count++;
}

// Never earlier than configured; spread, so that many mounts do not come back at once.
static int64_t recovery_ns(const struct breaker *breaker, struct random *random) {
    int64_t timeout_ns = breaker->policy->recovery_timeout_ns;
    return time_after(timeout_ns, random_between(random, 0, timeout_ns / 5));
}

static bool note_closed(struct breaker *breaker, enum breaker_outcome outcome, int64_t now_ns,
                        struct random *random) {
    if (outcome != BREAKER_FAILURE) return false;
    remember_failure(breaker, now_ns);
    if (breaker->forced || breaker_failures(breaker, now_ns) < breaker->policy->failure_threshold)
        return false;
    open_until(breaker, now_ns, time_after(now_ns, recovery_ns(breaker, random)));
    return true;
}

static bool note_probe(struct breaker *breaker, enum breaker_outcome outcome, int64_t now_ns,
                       struct random *random) {
    breaker->probe_out = false;
    if (outcome == BREAKER_NEUTRAL) return false;
    if (outcome == BREAKER_FAILURE) {
        open_until(breaker, now_ns, time_after(now_ns, recovery_ns(breaker, random)));
        return true;
    }
    if (++breaker->successes < breaker->policy->success_threshold) return false;
    enter(breaker, BREAKER_CLOSED);
    forget_failures(breaker);
    return true;
}

bool breaker_note(struct breaker *breaker, struct breaker_permit permit,
                  enum breaker_outcome outcome, int64_t now_ns, struct random *random) {
    if (permit.generation != breaker->generation) return false;
    switch (breaker->state) {
    case BREAKER_CLOSED: return note_closed(breaker, outcome, now_ns, random);
    case BREAKER_OPEN: return false;
    case BREAKER_HALF_OPEN:
        // A probe whose lease ran out has lost its say to the one that came after it.
        if (!permit.probe || permit.number != breaker->probe_number || !breaker->probe_out)
            return false;
        return note_probe(breaker, outcome, now_ns, random);
    }
    return false;
}

bool breaker_command(struct breaker *breaker, enum breaker_command command, int64_t now_ns) {
    enum breaker_state before = breaker->state;
    switch (command) {
    case BREAKER_FORCE_OPEN:
        breaker->forced = true;
        if (before != BREAKER_OPEN) open_until(breaker, now_ns, TIME_NEVER);
        breaker->retry_at_ns = TIME_NEVER;
        break;
    case BREAKER_FORCE_CLOSE:
        breaker->forced = true;
        if (before != BREAKER_CLOSED) enter(breaker, BREAKER_CLOSED);
        forget_failures(breaker);
        break;
    case BREAKER_RESET:
        breaker->forced = false;
        if (before != BREAKER_CLOSED) enter(breaker, BREAKER_CLOSED);
        forget_failures(breaker);
        break;
    case BREAKER_AUTO:
        // What was opened by hand is tried at once: nothing says that it must rest.
        if (breaker->forced && before == BREAKER_OPEN) breaker->retry_at_ns = now_ns;
        breaker->forced = false;
        break;
    }
    return breaker->state != before;
}

enum breaker_state breaker_state_at(const struct breaker *breaker, int64_t now_ns) {
    if (breaker->state == BREAKER_OPEN && !breaker->forced && now_ns >= breaker->retry_at_ns)
        return BREAKER_HALF_OPEN;
    return breaker->state;
}

int64_t breaker_retry_in_ns(const struct breaker *breaker, int64_t now_ns) {
    switch (breaker->state) {
    case BREAKER_CLOSED: return 0;
    case BREAKER_OPEN:
        if (breaker->forced) return TIME_NEVER;
        return breaker->retry_at_ns > now_ns ? breaker->retry_at_ns - now_ns : 0;
    case BREAKER_HALF_OPEN:
        return probe_is_free(breaker, now_ns) ? 0 : breaker->probe_until_ns - now_ns;
    }
    return 0;
}

void breaker_hint_recovered(struct breaker *breaker, int64_t now_ns) {
    if (breaker->state == BREAKER_OPEN && !breaker->forced && breaker->retry_at_ns > now_ns) breaker->retry_at_ns = now_ns;
}
