#include "core/policy/breaker.h"

#include <assert.h>

const char *breaker_state_name(enum breaker_state state) {
    static const char *const names[] = { "closed", "open", "half_open" };
    return names[state];
}

// The one place that changes the state.
static void enter(struct breaker *breaker, enum breaker_state state) {
    breaker->state = state;
    breaker->generation++;
    breaker->successes = 0;
    breaker->answers = 0;
    breaker->probe_out = false;
}

void breaker_init(struct breaker *breaker, const struct breaker_policy *policy) {
    assert(policy->failure_threshold >= 1);
    assert(policy->failure_threshold <= BREAKER_FAILURES_KEPT);
    assert(policy->success_threshold >= 1);
    assert(policy->window_ns > 0);
    *breaker = (struct breaker){ .policy = policy, .opened_at_ns = -1 };
}

// ---- what was counted ----

static void forget_buckets(struct breaker *breaker) {
    for (int i = 0; i < BREAKER_BUCKETS; i++)
        breaker->buckets[i] = (struct breaker_bucket){ 0 };
}

static void forget_outcomes(struct breaker *breaker) {
    breaker->failed_count = 0;
    breaker->failed_next = 0;
    forget_buckets(breaker);
}

// Twelfths of another window are of another length.
void breaker_set_policy(struct breaker *breaker, const struct breaker_policy *policy) {
    if (breaker->policy->window_ns != policy->window_ns) forget_buckets(breaker);
    breaker->policy = policy;
}

static int64_t bucket_number(const struct breaker *breaker, int64_t now_ns) {
    int64_t width_ns = breaker->policy->window_ns / BREAKER_BUCKETS;
    return now_ns / (width_ns > 0 ? width_ns : 1);
}

static void count_outcome(struct breaker *breaker, bool failed, int64_t now_ns) {
    int64_t number = bucket_number(breaker, now_ns);
    struct breaker_bucket *bucket = &breaker->buckets[number % BREAKER_BUCKETS];
    if (bucket->number != number) *bucket = (struct breaker_bucket){ .number = number };
    bucket->outcomes++;
    bucket->failures += failed;
}

static void remember_failure(struct breaker *breaker, int64_t now_ns) {
    breaker->failed_at_ns[breaker->failed_next] = now_ns;
    breaker->failed_next = (breaker->failed_next + 1) % BREAKER_FAILURES_KEPT;
    if (breaker->failed_count < BREAKER_FAILURES_KEPT) breaker->failed_count++;
}

int breaker_failures(const struct breaker *breaker, int64_t now_ns) {
    int count = 0;
    for (int i = 0; i < breaker->failed_count; i++)
        count += now_ns - breaker->failed_at_ns[i] < breaker->policy->window_ns;
    return count;
}

// Failures come in the order of time: the one that makes the number full tells.
static bool fails_by_count(const struct breaker *breaker, int64_t now_ns) {
    int threshold = breaker->policy->failure_threshold;
    if (breaker->failed_count < threshold) return false;
    int place = (breaker->failed_next - threshold + BREAKER_FAILURES_KEPT) % BREAKER_FAILURES_KEPT;
    return now_ns - breaker->failed_at_ns[place] < breaker->policy->window_ns;
}

static bool fails_by_ratio(const struct breaker *breaker, int64_t now_ns) {
    const struct breaker_policy *policy = breaker->policy;
    int64_t oldest = bucket_number(breaker, now_ns) - BREAKER_BUCKETS + 1;
    uint64_t outcomes = 0;
    uint64_t failures = 0;
    for (int i = 0; i < BREAKER_BUCKETS; i++) {
        if (breaker->buckets[i].number < oldest) continue;
        outcomes += breaker->buckets[i].outcomes;
        failures += breaker->buckets[i].failures;
    }
    int needed = policy->ratio_outcomes_min ? policy->ratio_outcomes_min : BREAKER_RATIO_OUTCOMES;
    double ratio = policy->ratio > 0 ? policy->ratio : BREAKER_RATIO;
    return outcomes >= (uint64_t)needed && (double)failures >= ratio * (double)outcomes;
}

// ---- open ----

// Calm stretches since it closed took steps back.
static int opens_in_a_row(const struct breaker *breaker, int64_t now_ns) {
    int64_t steps = (now_ns - breaker->calm_since_ns) / BREAKER_CALM_NS;
    if (breaker->state != BREAKER_CLOSED || steps < 0) steps = 0;
    return steps < breaker->opens_in_a_row ? breaker->opens_in_a_row - (int)steps : 0;
}

static int64_t recovery_ns(const struct breaker *breaker, struct random *random) {
    int64_t factor = 1;
    for (int i = 1; i < breaker->opens_in_a_row && factor < BREAKER_ESCALATION_MAX; i++)
        factor *= 2;
    int64_t timeout_ns = breaker->policy->recovery_timeout_ns;
    if (timeout_ns > TIME_NEVER / (2 * factor)) return TIME_NEVER / 2;
    timeout_ns *= factor;
    return timeout_ns + random_between(random, 0, timeout_ns / 5);
}

static void enter_open(struct breaker *breaker, int64_t now_ns) {
    enter(breaker, BREAKER_OPEN);
    breaker->opened_at_ns = now_ns;
    breaker->opens++;
    breaker->hold_until_ns = 0;
}

// A probe that was let out early may end open no earlier than it would have ended.
static void trip(struct breaker *breaker, int64_t now_ns, struct random *random) {
    breaker->opens_in_a_row = opens_in_a_row(breaker, now_ns) + 1;
    enter_open(breaker, now_ns);
    int64_t retry_at_ns = time_after(now_ns, recovery_ns(breaker, random));
    if (retry_at_ns > breaker->retry_at_ns) breaker->retry_at_ns = retry_at_ns;
}

static void enter_closed(struct breaker *breaker, int64_t now_ns) {
    enter(breaker, BREAKER_CLOSED);
    breaker->calm_since_ns = now_ns;
    breaker->retry_at_ns = 0;
    forget_outcomes(breaker);
}

// ---- permits ----

static bool open_is_over(const struct breaker *breaker, int64_t now_ns) {
    return !breaker->forced && now_ns >= breaker->retry_at_ns;
}

static bool probe_is_free(const struct breaker *breaker, int64_t now_ns) {
    return !breaker->probe_out || now_ns >= breaker->probe_until_ns;
}

bool breaker_would_allow(const struct breaker *breaker, int64_t now_ns) {
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return open_is_over(breaker, now_ns);
    case BREAKER_HALF_OPEN:
        return probe_is_free(breaker, now_ns);
    }
    return false;
}

static void let_probe_out(struct breaker *breaker, int64_t now_ns) {
    int64_t lease_ns = breaker->policy->probe_lease_ns;
    breaker->probe_out = true;
    breaker->probe_until_ns = time_after(now_ns, lease_ns > 0 ? lease_ns : BREAKER_LEASE_NS);
    breaker->probe_number++;
}

bool breaker_allows(struct breaker *breaker, int64_t now_ns, struct breaker_permit *permit_out) {
    if (!breaker_would_allow(breaker, now_ns)) return false;
    if (breaker->state == BREAKER_OPEN) enter(breaker, BREAKER_HALF_OPEN);
    bool probe = breaker->state == BREAKER_HALF_OPEN;
    if (probe) let_probe_out(breaker, now_ns);
    *permit_out =
        (struct breaker_permit){ breaker->generation, probe, probe ? breaker->probe_number : 0 };
    return true;
}

// ---- outcomes ----

static bool note_closed(struct breaker *breaker, enum breaker_outcome outcome, int64_t now_ns,
                        struct random *random) {
    bool failed = outcome == BREAKER_FAILURE;
    if (!failed && outcome != BREAKER_SUCCESS) return false;
    count_outcome(breaker, failed, now_ns);
    if (!failed) return false;
    remember_failure(breaker, now_ns);
    if (breaker->forced) return false;
    if (!fails_by_count(breaker, now_ns) && !fails_by_ratio(breaker, now_ns)) return false;
    trip(breaker, now_ns, random);
    return true;
}

// Neutral answers in time prove that somebody is there; cancels prove nothing.
static bool is_success(struct breaker *breaker, enum breaker_outcome outcome, bool in_time) {
    if (outcome == BREAKER_SUCCESS) return true;
    if (outcome != BREAKER_ANSWERED || !in_time) return false;
    if (++breaker->answers < BREAKER_ANSWERS_NEEDED) return false;
    breaker->answers = 0;
    return true;
}

static bool note_probe(struct breaker *breaker, struct breaker_permit permit,
                       enum breaker_outcome outcome, int64_t now_ns, struct random *random) {
    bool newest = permit.number == breaker->probe_number;
    bool in_time = newest && now_ns < breaker->probe_until_ns;
    if (newest) breaker->probe_out = false; // an older one's place was given away
    if (outcome == BREAKER_FAILURE) {
        trip(breaker, now_ns, random);
        return true;
    }
    if (!is_success(breaker, outcome, in_time)) return false;
    if (++breaker->successes < breaker->policy->success_threshold) return false;
    enter_closed(breaker, now_ns);
    return true;
}

bool breaker_note(struct breaker *breaker, struct breaker_permit permit,
                  enum breaker_outcome outcome, int64_t now_ns, struct random *random) {
    if (permit.generation != breaker->generation) return false;
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return note_closed(breaker, outcome, now_ns, random);
    case BREAKER_OPEN:
        return false;
    case BREAKER_HALF_OPEN:
        return note_probe(breaker, permit, outcome, now_ns, random);
    }
    return false;
}

bool breaker_hint_recovered(struct breaker *breaker, int64_t now_ns) {
    if (breaker->state != BREAKER_OPEN || breaker->forced) return false;
    if (now_ns < breaker->hold_until_ns) return false;
    enter(breaker, BREAKER_HALF_OPEN);
    return true;
}

void breaker_hold_until(struct breaker *breaker, int64_t until_ns) {
    if (breaker->state != BREAKER_OPEN) return;
    if (until_ns > breaker->hold_until_ns) breaker->hold_until_ns = until_ns;
    if (until_ns > breaker->retry_at_ns) breaker->retry_at_ns = until_ns;
}

// ---- commands ----

// Also when it is closed: what was asked before has no say any more.
static void close_by_hand(struct breaker *breaker, bool forced, int64_t now_ns) {
    breaker->forced = forced;
    breaker->opens_in_a_row = 0;
    enter_closed(breaker, now_ns);
}

bool breaker_command(struct breaker *breaker, enum breaker_command command, int64_t now_ns) {
    enum breaker_state before = breaker->state;
    switch (command) {
    case BREAKER_FORCE_OPEN:
        breaker->forced = true;
        breaker->opens_in_a_row = 0;
        if (before != BREAKER_OPEN) enter_open(breaker, now_ns);
        forget_outcomes(breaker);
        breaker->retry_at_ns = TIME_NEVER;
        break;
    case BREAKER_FORCE_CLOSE:
        close_by_hand(breaker, true, now_ns);
        break;
    case BREAKER_RESET:
        close_by_hand(breaker, false, now_ns);
        break;
    case BREAKER_AUTO:
        // What was opened by hand is tried at once: nothing says that it must wait.
        if (breaker->forced && before == BREAKER_OPEN) breaker->retry_at_ns = now_ns;
        breaker->forced = false;
        break;
    }
    return breaker->state != before;
}

// ---- what it tells ----

enum breaker_state breaker_state_at(const struct breaker *breaker, int64_t now_ns) {
    if (breaker->state == BREAKER_OPEN && open_is_over(breaker, now_ns)) return BREAKER_HALF_OPEN;
    return breaker->state;
}

int64_t breaker_retry_in_ns(const struct breaker *breaker, int64_t now_ns) {
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return 0;
    case BREAKER_OPEN:
        if (breaker->forced) return TIME_NEVER;
        return breaker->retry_at_ns > now_ns ? breaker->retry_at_ns - now_ns : 0;
    case BREAKER_HALF_OPEN:
        return probe_is_free(breaker, now_ns) ? 0 : breaker->probe_until_ns - now_ns;
    }
    return 0;
}
