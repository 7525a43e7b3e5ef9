/*
 * The breaker against a naive model of it: every short sequence of events, then long random ones.
 * The model keeps each outcome in a list and counts by looking at all of them. A failure prints the
 * events that led to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/policy/breaker.h"

enum { OUT_MAX = 16, OUTCOMES_MAX = 200, EVENTS_MAX = 4096 };

static const struct breaker_policy policy = { .failure_threshold = 3,
                                              .window_ns = 12,
                                              .recovery_timeout_ns = 5,
                                              .success_threshold = 2,
                                              .probe_lease_ns = 4,
                                              .ratio = 0.5,
                                              .ratio_outcomes_min = 3 };

enum event {
    ASK,
    OLDEST_SUCCEEDS,
    OLDEST_FAILS,
    OLDEST_IS_NEUTRAL,
    OLDEST_ANSWERS,
    NEWEST_SUCCEEDS,
    NEWEST_FAILS,
    NEWEST_ANSWERS,
    TIME_PASSES,
    MUCH_TIME_PASSES,
    SIGN_OF_LIFE,
    HOLD,
    FORCE_OPEN,
    FORCE_CLOSE,
    RESET,
    AUTO,
    EVENTS
};

static const char *const names[EVENTS] = { "ask",    "S",    "F",     "N",   "A",    "s",
                                           "f",      "a",    "+1",    "+6",  "life", "hold",
                                           "forced", "shut", "reset", "auto" };

struct outcome {
    int64_t at_ns;
    bool failed;
};

/* A breaker, what it must be, and the requests that are out. */
struct world {
    struct breaker breaker;
    struct random random;
    int64_t now_ns;
    struct breaker_permit out[OUT_MAX]; /* oldest first */
    int64_t asked_ns[OUT_MAX];
    int out_count;
    enum breaker_state state;
    bool forced;
    struct outcome outcomes[OUTCOMES_MAX]; /* since it closed */
    int outcome_count;
    int successes;
    int answers;
    int64_t retry_at_ns;
    int64_t hold_ns;
    int64_t opens_in_a_row;
    int64_t closed_ns;
};

static const char *problem;
static enum event trail[EVENTS_MAX];
static int trail_length;

static void check(bool good, const char *what) {
    if (!good && !problem) problem = what;
}

// ---- the model ----

static bool model_trips(const struct world *world) {
    int failures = 0;
    int outcomes = 0;
    int failed_outcomes = 0;
    for (int i = 0; i < world->outcome_count; i++) {
        const struct outcome *outcome = &world->outcomes[i];
        failures += outcome->failed && world->now_ns - outcome->at_ns < policy.window_ns;
        if (world->now_ns - outcome->at_ns >= BREAKER_BUCKETS) continue; // a bucket is 1 ns wide
        outcomes++;
        failed_outcomes += outcome->failed;
    }
    return failures >= policy.failure_threshold ||
           (outcomes >= policy.ratio_outcomes_min && 2 * failed_outcomes >= outcomes);
}

static void model_opens(struct world *world) {
    int64_t calm =
        world->state == BREAKER_CLOSED ? (world->now_ns - world->closed_ns) / BREAKER_CALM_NS : 0;
    world->opens_in_a_row -= calm < world->opens_in_a_row ? calm : world->opens_in_a_row;
    world->opens_in_a_row++;
    int64_t factor = world->opens_in_a_row > 4 ? 8 : (int64_t)1 << (world->opens_in_a_row - 1);
    int64_t least_ns = world->now_ns + policy.recovery_timeout_ns * factor;
    int64_t most_ns = least_ns + policy.recovery_timeout_ns * factor / 5;
    if (least_ns < world->retry_at_ns) least_ns = world->retry_at_ns;
    if (most_ns < world->retry_at_ns) most_ns = world->retry_at_ns;
    world->state = BREAKER_OPEN;
    world->retry_at_ns = world->breaker.retry_at_ns;
    world->outcome_count = world->successes = world->answers = 0;
    world->hold_ns = 0;
    check(world->retry_at_ns >= least_ns, "open ends too early");
    check(world->retry_at_ns <= most_ns, "open ends too late");
}

static void model_closes(struct world *world) {
    world->state = BREAKER_CLOSED;
    world->closed_ns = world->now_ns;
    world->retry_at_ns = 0;
    world->outcome_count = world->successes = world->answers = 0;
}

static void model_notes(struct world *world, enum breaker_outcome outcome, bool in_time) {
    if (outcome == BREAKER_NEUTRAL || world->state == BREAKER_OPEN) return;
    if (world->state == BREAKER_CLOSED && outcome != BREAKER_ANSWERED) {
        world->outcomes[world->outcome_count++] =
            (struct outcome){ world->now_ns, outcome == BREAKER_FAILURE };
        if (outcome == BREAKER_FAILURE && !world->forced && model_trips(world)) model_opens(world);
        return;
    }
    if (world->state != BREAKER_HALF_OPEN) return;
    if (outcome == BREAKER_FAILURE) {
        model_opens(world);
        return;
    }
    world->answers += outcome == BREAKER_ANSWERED && in_time;
    if (outcome == BREAKER_SUCCESS || world->answers == BREAKER_ANSWERS_NEEDED) {
        if (outcome == BREAKER_ANSWERED) world->answers = 0;
        if (outcome == BREAKER_SUCCESS || in_time) world->successes++;
    }
    if (world->successes >= policy.success_threshold) model_closes(world);
}

static int probes_out(const struct world *world) {
    int count = 0;
    for (int i = 0; i < world->out_count; i++)
        count += world->out[i].probe && world->out[i].generation == world->breaker.generation &&
                 world->now_ns - world->asked_ns[i] < policy.probe_lease_ns;
    return count;
}

static bool model_allows(const struct world *world) {
    if (world->state == BREAKER_CLOSED) return true;
    if (world->state == BREAKER_OPEN) return !world->forced && world->now_ns >= world->retry_at_ns;
    return probes_out(world) == 0;
}

// ---- events ----

static void ask(struct world *world) {
    struct breaker_permit permit;
    bool expected = model_allows(world);
    check(breaker_would_allow(&world->breaker, world->now_ns) == expected, "would_allow");
    bool allowed = breaker_allows(&world->breaker, world->now_ns, &permit);
    check(allowed == expected, expected ? "a permit is withheld" : "a permit too many");
    if (!allowed) return;
    if (world->state == BREAKER_OPEN) world->state = BREAKER_HALF_OPEN;
    world->out[world->out_count] = permit;
    world->asked_ns[world->out_count++] = world->now_ns;
    check(permit.probe == (world->state == BREAKER_HALF_OPEN), "what is a probe");
    check(probes_out(world) <= 1, "two probes are out");
}

static void answer(struct world *world, int i, enum breaker_outcome outcome) {
    struct breaker_permit permit = world->out[i];
    bool current = permit.generation == world->breaker.generation;
    bool newest = permit.number == world->breaker.probe_number;
    bool in_time = newest && world->now_ns - world->asked_ns[i] < policy.probe_lease_ns;
    struct breaker before = world->breaker;
    bool changed = breaker_note(&world->breaker, permit, outcome, world->now_ns, &world->random);
    for (world->out_count--; i < world->out_count; i++) {
        world->out[i] = world->out[i + 1];
        world->asked_ns[i] = world->asked_ns[i + 1];
    }
    check(changed == (before.state != world->breaker.state), "what note returns");
    if (!current) {
        check(before.generation == world->breaker.generation, "a late result changed the state");
        check(before.successes == world->breaker.successes, "a late result was counted");
        check(before.probe_out == world->breaker.probe_out, "a late result freed the place");
        return;
    }
    model_notes(world, outcome, in_time);
}

static void command(struct world *world, enum breaker_command command) {
    breaker_command(&world->breaker, command, world->now_ns);
    bool was_forced_open = world->forced && world->state == BREAKER_OPEN;
    switch (command) {
    case BREAKER_FORCE_OPEN:
        if (world->state != BREAKER_OPEN) world->hold_ns = 0;
        world->state = BREAKER_OPEN;
        world->retry_at_ns = TIME_NEVER;
        world->opens_in_a_row = world->outcome_count = world->successes = world->answers = 0;
        break;
    case BREAKER_FORCE_CLOSE:
    case BREAKER_RESET:
        if (world->state != BREAKER_CLOSED) model_closes(world);
        world->opens_in_a_row = world->outcome_count = 0;
        break;
    case BREAKER_AUTO:
        if (was_forced_open) world->retry_at_ns = world->now_ns;
        break;
    }
    world->forced = command == BREAKER_FORCE_OPEN || command == BREAKER_FORCE_CLOSE;
}

static void sign_of_life(struct world *world) {
    bool expected =
        world->state == BREAKER_OPEN && !world->forced && world->now_ns >= world->hold_ns;
    bool changed = breaker_hint_recovered(&world->breaker, world->now_ns);
    check(changed == expected, "a sign of life");
    if (expected) world->state = BREAKER_HALF_OPEN;
}

static void hold(struct world *world) {
    int64_t until_ns = world->now_ns + 20;
    breaker_hold_until(&world->breaker, until_ns);
    if (world->state != BREAKER_OPEN) return;
    if (until_ns > world->hold_ns) world->hold_ns = until_ns;
    if (until_ns > world->retry_at_ns) world->retry_at_ns = until_ns;
}

static bool can_happen(const struct world *world, enum event event) {
    if (world->outcome_count == OUTCOMES_MAX) return event == RESET;
    if (event == ASK) return world->out_count < OUT_MAX;
    if (event >= NEWEST_SUCCEEDS && event <= NEWEST_ANSWERS) return world->out_count > 1;
    if (event >= OLDEST_SUCCEEDS && event <= OLDEST_ANSWERS) return world->out_count > 0;
    return true;
}

static void happen(struct world *world, enum event event) {
    static const enum breaker_outcome outcomes[] = { BREAKER_SUCCESS, BREAKER_FAILURE,
                                                     BREAKER_NEUTRAL, BREAKER_ANSWERED,
                                                     BREAKER_SUCCESS, BREAKER_FAILURE,
                                                     BREAKER_ANSWERED };
    static const enum breaker_command commands[] = { BREAKER_FORCE_OPEN, BREAKER_FORCE_CLOSE,
                                                     BREAKER_RESET, BREAKER_AUTO };
    if (event == ASK)
        ask(world);
    else if (event <= NEWEST_ANSWERS)
        answer(world, event < NEWEST_SUCCEEDS ? 0 : world->out_count - 1,
               outcomes[event - OLDEST_SUCCEEDS]);
    else if (event == TIME_PASSES || event == MUCH_TIME_PASSES)
        world->now_ns += event == TIME_PASSES ? 1 : 6;
    else if (event == SIGN_OF_LIFE)
        sign_of_life(world);
    else if (event == HOLD)
        hold(world);
    else
        command(world, commands[event - FORCE_OPEN]);
}

static void check_world(const struct world *world) {
    const struct breaker *breaker = &world->breaker;
    int64_t wait_ns = breaker_retry_in_ns(breaker, world->now_ns);
    check(breaker->state == world->state, "the state");
    check(breaker->forced == world->forced, "forced");
    check(breaker->retry_at_ns == world->retry_at_ns, "when open ends");
    check((wait_ns == 0) == breaker_would_allow(breaker, world->now_ns),
          "retry_in and would_allow");
    if (wait_ns && wait_ns != TIME_NEVER)
        check(breaker_would_allow(breaker, world->now_ns + wait_ns), "retry_in promises too much");
}

static void begin(struct world *world, uint64_t seed) {
    *world = (struct world){ .random = { seed }, .now_ns = 100 };
    breaker_init(&world->breaker, &policy);
    trail_length = 0;
}

static bool step(struct world *world, enum event event) {
    trail[trail_length++] = event;
    happen(world, event);
    check_world(world);
    return !problem;
}

static void tell_problem(void) {
    if (!problem) return;
    print_error("%s, after:", problem);
    for (int i = trail_length > 40 ? trail_length - 40 : 0; i < trail_length; i++)
        print_error(" %s", names[trail[i]]);
    print_error("\n");
    problem = NULL;
    fail();
}

static long search(const struct world *world, int depth, enum event events) {
    long count = 1;
    for (int event = 0; event < (int)events && depth > 0 && !problem; event++) {
        if (!can_happen(world, event)) continue;
        struct world next = *world;
        if (!step(&next, event)) return count;
        count += search(&next, depth - 1, events);
        trail_length--;
    }
    return count;
}

/* The state before half open takes many events to reach, so the search begins in each state. */
static void search_from(void (*reach)(struct world *), int depth, enum event events) {
    static struct world world;
    begin(&world, 1);
    if (reach) reach(&world);
    long count = search(&world, depth, events);
    tell_problem();
    assert_true(count > 1000);
}

static void reach_open(struct world *world) {
    for (int i = 0; i < 3; i++) {
        step(world, ASK);
        step(world, OLDEST_FAILS);
    }
    assert_int_equal(world->breaker.state, BREAKER_OPEN);
}

static void reach_half_open(struct world *world) {
    reach_open(world);
    step(world, MUCH_TIME_PASSES);
    step(world, ASK);
    assert_int_equal(world->breaker.state, BREAKER_HALF_OPEN);
}

static void test_every_short_sequence_of_events_agrees_with_the_model(void **state) {
    search_from(NULL, 7, HOLD);
    search_from(reach_open, 7, HOLD);
    search_from(reach_half_open, 7, HOLD);
}

static void test_every_shorter_sequence_with_commands_agrees_with_the_model(void **state) {
    search_from(NULL, 5, EVENTS);
    search_from(reach_open, 5, EVENTS);
    search_from(reach_half_open, 5, EVENTS);
}

/* Some runs never see a command, some hardly fail: otherwise deep states stay rare. */
static void run_random(uint64_t seed) {
    static struct world world;
    struct random random = { seed };
    enum event events = random_unit(&random) < 0.5 ? FORCE_OPEN : EVENTS;
    double failing = random_unit(&random);
    begin(&world, seed);
    for (int i = 0; i < 300 && !problem; i++) {
        enum event event = (enum event)random_between(&random, 0, events - 1);
        if (event == OLDEST_FAILS && random_unit(&random) > failing) event = OLDEST_SUCCEEDS;
        if (world.out_count == 0 && random_unit(&random) < 0.5) event = ASK;
        if (can_happen(&world, event)) step(&world, event);
        if (random_unit(&random) < 0.001) world.now_ns += BREAKER_CALM_NS;
    }
    if (problem) print_error("seed %llu: ", (unsigned long long)seed);
    tell_problem();
}

static void test_long_random_sequences_agree_with_the_model(void **state) {
    for (uint64_t seed = 1; seed <= 5000; seed++)
        run_random(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_short_sequence_of_events_agrees_with_the_model),
        cmocka_unit_test(test_every_shorter_sequence_with_commands_agrees_with_the_model),
        cmocka_unit_test(test_long_random_sequences_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
