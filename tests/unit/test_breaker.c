/* Closed and open; half open is in test_breaker_probes.c, all of it at once in
 * test_breaker_search.c. */
#include "tests/unit/breaker_steps.h"

// ---- opening ----

static void test_states_have_the_names_of_the_manual(void **state) {
    assert_string_equal(breaker_state_name(BREAKER_CLOSED), "closed");
    assert_string_equal(breaker_state_name(BREAKER_OPEN), "open");
    assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half_open");
}

static void test_it_opens_at_the_threshold_and_not_before(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    assert_int_equal(breaker.opened_at_ns, -1);
    assert_false(ask(&breaker, BREAKER_FAILURE, 1));
    assert_false(ask(&breaker, BREAKER_FAILURE, 2));
    assert_int_equal(breaker_failures(&breaker, 2), 2);
    assert_int_equal(breaker_retry_in_ns(&breaker, 2), 0);
    assert_true(ask(&breaker, BREAKER_FAILURE, 3));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker.opened_at_ns, 3);
    assert_int_equal(breaker.opens, 1);
    assert_int_equal(breaker_failures(&breaker, 2), 3); // those that opened it
}

static void test_successes_do_not_forgive_failures(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    ask_times(&breaker, 2, BREAKER_FAILURE, 0);
    ask_times(&breaker, 100, BREAKER_SUCCESS, 1);
    assert_true(ask(&breaker, BREAKER_FAILURE, 2));
}

static void test_failures_leave_the_window(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    ask_times(&breaker, 2, BREAKER_FAILURE, 0);
    assert_int_equal(breaker_failures(&breaker, policy.window_ns - 1), 2);
    assert_int_equal(breaker_failures(&breaker, policy.window_ns), 0);
    assert_false(ask(&breaker, BREAKER_FAILURE, policy.window_ns));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void test_neutral_outcomes_count_as_neither(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    ask_times(&breaker, 2, BREAKER_FAILURE, 0);
    ask_times(&breaker, 50, BREAKER_NEUTRAL, 0);
    ask_times(&breaker, 50, BREAKER_ANSWERED, 0);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker_failures(&breaker, 0), 2);
    assert_true(ask(&breaker, BREAKER_FAILURE, 0));
}

static void test_another_policy_counts_what_was_counted_before(void **state) {
    struct breaker_policy stricter = policy;
    stricter.failure_threshold = 2;
    stricter.window_ns = 2 * policy.window_ns;
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    assert_false(ask(&breaker, BREAKER_FAILURE, 1));
    breaker_set_policy(&breaker, &stricter);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_true(ask(&breaker, BREAKER_FAILURE, policy.window_ns + 1));
    breaker_set_policy(&breaker, &policy);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void test_the_largest_threshold_can_be_reached(void **state) {
    struct breaker_policy large = policy;
    large.failure_threshold = BREAKER_FAILURES_KEPT;
    large.ratio = 2;
    struct breaker breaker;
    breaker_init(&breaker, &large);
    ask_times(&breaker, BREAKER_FAILURES_KEPT - 1, BREAKER_FAILURE, 0);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    ask_times(&breaker, BREAKER_FAILURES_KEPT - 1, BREAKER_FAILURE, policy.window_ns);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_true(ask(&breaker, BREAKER_FAILURE, policy.window_ns));
}

// ---- the ratio ----

static const struct breaker_policy by_ratio = { .failure_threshold = 64,
                                                .window_ns = 12 * TIME_S,
                                                .recovery_timeout_ns = TIME_S,
                                                .success_threshold = 1 };

static void test_half_of_twenty_outcomes_opens_it(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &by_ratio);
    ask_times(&breaker, 10, BREAKER_SUCCESS, 0);
    ask_times(&breaker, 9, BREAKER_FAILURE, 0);
    assert_int_equal(breaker.state, BREAKER_CLOSED); // 19 outcomes say nothing
    assert_true(ask(&breaker, BREAKER_FAILURE, 0));
}

static void test_less_than_half_does_not_open_it(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &by_ratio);
    ask_times(&breaker, 41, BREAKER_SUCCESS, 0);
    ask_times(&breaker, 40, BREAKER_FAILURE, 0);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_true(ask(&breaker, BREAKER_FAILURE, 0));
}

static void test_a_success_never_opens_it(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &by_ratio);
    ask_times(&breaker, 19, BREAKER_FAILURE, 0);
    assert_false(ask(&breaker, BREAKER_SUCCESS, 0));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void test_outcomes_leave_the_ratio_bucket_by_bucket(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &by_ratio);
    ask_times(&breaker, 19, BREAKER_FAILURE, 0);
    assert_false(ask(&breaker, BREAKER_FAILURE, 12 * TIME_S)); // the first are gone
    breaker_init(&breaker, &by_ratio);
    ask_times(&breaker, 19, BREAKER_FAILURE, 0);
    assert_true(ask(&breaker, BREAKER_FAILURE, 12 * TIME_S - 1)); // still in the twelfth twelfth
}

static void test_a_bucket_is_emptied_when_its_turn_comes_again(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &by_ratio);
    ask_times(&breaker, 100, BREAKER_SUCCESS, 0);
    ask_times(&breaker, 19, BREAKER_FAILURE, 12 * TIME_S);
    assert_true(ask(&breaker, BREAKER_FAILURE, 12 * TIME_S));
}

static void test_neutral_outcomes_are_not_in_the_ratio(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &by_ratio);
    ask_times(&breaker, 100, BREAKER_NEUTRAL, 0);
    ask_times(&breaker, 100, BREAKER_ANSWERED, 0);
    ask_times(&breaker, 19, BREAKER_FAILURE, 0);
    assert_true(ask(&breaker, BREAKER_FAILURE, 0));
}

static void test_the_ratio_can_be_set(void **state) {
    struct breaker_policy strict = by_ratio;
    strict.ratio = 0.25;
    strict.ratio_outcomes_min = 4;
    struct breaker breaker;
    breaker_init(&breaker, &strict);
    ask_times(&breaker, 3, BREAKER_SUCCESS, 0);
    assert_true(ask(&breaker, BREAKER_FAILURE, 0));
}

static void test_a_window_of_a_nanosecond_works(void **state) {
    struct breaker_policy tiny = policy;
    tiny.window_ns = 1;
    struct breaker breaker;
    breaker_init(&breaker, &tiny);
    ask_times(&breaker, 2, BREAKER_FAILURE, 5);
    assert_false(ask(&breaker, BREAKER_FAILURE, 6));
    ask(&breaker, BREAKER_FAILURE, 6);
    assert_true(ask(&breaker, BREAKER_FAILURE, 6));
}

// ---- open ----

static void test_nothing_passes_while_it_is_open(void **state) {
    struct breaker breaker;
    struct breaker_permit permit;
    make_open(&breaker, 0);
    assert_false(breaker_would_allow(&breaker, breaker.retry_at_ns - 1));
    assert_false(breaker_allows(&breaker, breaker.retry_at_ns - 1, &permit));
    assert_int_equal(breaker_state_at(&breaker, breaker.retry_at_ns - 1), BREAKER_OPEN);
    assert_int_equal(breaker_retry_in_ns(&breaker, breaker.retry_at_ns - 1), 1);
    assert_int_equal(breaker_state_at(&breaker, breaker.retry_at_ns), BREAKER_HALF_OPEN);
    assert_int_equal(breaker_retry_in_ns(&breaker, breaker.retry_at_ns), 0);
    assert_int_equal(breaker.state, BREAKER_OPEN); // looking changes nothing
    assert_true(breaker_allows(&breaker, breaker.retry_at_ns, &permit));
}

static void test_the_first_recovery_is_jittered_upward_only(void **state) {
    int64_t least_ns = TIME_NEVER;
    int64_t most_ns = 0;
    for (int i = 0; i < 1000; i++) {
        struct breaker breaker;
        make_open(&breaker, 0);
        if (breaker.retry_at_ns < least_ns) least_ns = breaker.retry_at_ns;
        if (breaker.retry_at_ns > most_ns) most_ns = breaker.retry_at_ns;
    }
    assert_in_range(least_ns, 10 * TIME_S, 10 * TIME_S + TIME_S / 10);
    assert_in_range(most_ns, 12 * TIME_S - TIME_S / 10, 12 * TIME_S);
}

static void test_recovery_doubles_with_each_opening_in_a_row_up_to_eight(void **state) {
    struct breaker breaker;
    make_open(&breaker, 0);
    assert_within(fail_probe(&breaker), 20 * TIME_S);
    assert_within(fail_probe(&breaker), 40 * TIME_S);
    assert_within(fail_probe(&breaker), 80 * TIME_S);
    assert_within(fail_probe(&breaker), 80 * TIME_S);
    assert_int_equal(breaker.opens, 5);
}

/* Two openings in a row, then closed; returns when. */
static int64_t close_after_two_openings(struct breaker *breaker) {
    make_open(breaker, 0);
    fail_probe(breaker);
    int64_t closed_ns = breaker->retry_at_ns;
    ask_times(breaker, 2, BREAKER_SUCCESS, closed_ns);
    assert_int_equal(breaker->state, BREAKER_CLOSED);
    return closed_ns;
}

static void test_closing_keeps_the_escalation_until_it_was_calm(void **state) {
    static const struct {
        int64_t calm_ns;
        int64_t recovery_ns;
    } rows[] = { { 0, 40 * TIME_S },
                 { BREAKER_CALM_NS - 1, 40 * TIME_S },
                 { BREAKER_CALM_NS, 20 * TIME_S },
                 { 2 * BREAKER_CALM_NS, 10 * TIME_S },
                 { 100 * BREAKER_CALM_NS, 10 * TIME_S } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct breaker breaker;
        int64_t now_ns = close_after_two_openings(&breaker) + rows[i].calm_ns;
        ask_times(&breaker, 3, BREAKER_FAILURE, now_ns);
        assert_int_equal(breaker.state, BREAKER_OPEN);
        assert_within(breaker.retry_at_ns - now_ns, rows[i].recovery_ns);
    }
}

static void test_an_endless_recovery_does_not_overflow(void **state) {
    struct breaker_policy endless = policy;
    endless.recovery_timeout_ns = TIME_NEVER - 1;
    struct breaker breaker;
    breaker_init(&breaker, &endless);
    ask_times(&breaker, 3, BREAKER_FAILURE, TIME_S);
    assert_true(breaker.retry_at_ns > TIME_NEVER / 3);
    assert_false(breaker_would_allow(&breaker, TIME_NEVER / 3));
}

static void test_a_told_delay_longer_than_the_recovery_wins(void **state) {
    struct breaker breaker;
    make_open(&breaker, 0);
    breaker_hold_until(&breaker, 100 * TIME_S);
    assert_int_equal(breaker.retry_at_ns, 100 * TIME_S);
    breaker_hold_until(&breaker, 50 * TIME_S); // never shortened
    assert_int_equal(breaker.retry_at_ns, 100 * TIME_S);
    assert_false(breaker_hint_recovered(&breaker, 100 * TIME_S - 1));
    assert_true(breaker_hint_recovered(&breaker, 100 * TIME_S));
}

static void test_a_told_delay_shorter_than_the_recovery_changes_nothing(void **state) {
    struct breaker breaker;
    make_open(&breaker, 0);
    int64_t retry_at_ns = breaker.retry_at_ns;
    breaker_hold_until(&breaker, TIME_S);
    assert_int_equal(breaker.retry_at_ns, retry_at_ns);
}

static void test_a_told_delay_means_nothing_while_it_is_closed(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    breaker_hold_until(&breaker, 100 * TIME_S);
    ask_times(&breaker, 3, BREAKER_FAILURE, 0);
    assert_within(breaker.retry_at_ns, 10 * TIME_S);
    assert_true(breaker_hint_recovered(&breaker, TIME_S));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states_have_the_names_of_the_manual),
        cmocka_unit_test(test_it_opens_at_the_threshold_and_not_before),
        cmocka_unit_test(test_successes_do_not_forgive_failures),
        cmocka_unit_test(test_failures_leave_the_window),
        cmocka_unit_test(test_neutral_outcomes_count_as_neither),
        cmocka_unit_test(test_another_policy_counts_what_was_counted_before),
        cmocka_unit_test(test_the_largest_threshold_can_be_reached),
        cmocka_unit_test(test_half_of_twenty_outcomes_opens_it),
        cmocka_unit_test(test_less_than_half_does_not_open_it),
        cmocka_unit_test(test_a_success_never_opens_it),
        cmocka_unit_test(test_outcomes_leave_the_ratio_bucket_by_bucket),
        cmocka_unit_test(test_a_bucket_is_emptied_when_its_turn_comes_again),
        cmocka_unit_test(test_neutral_outcomes_are_not_in_the_ratio),
        cmocka_unit_test(test_the_ratio_can_be_set),
        cmocka_unit_test(test_a_window_of_a_nanosecond_works),
        cmocka_unit_test(test_nothing_passes_while_it_is_open),
        cmocka_unit_test(test_the_first_recovery_is_jittered_upward_only),
        cmocka_unit_test(test_recovery_doubles_with_each_opening_in_a_row_up_to_eight),
        cmocka_unit_test(test_closing_keeps_the_escalation_until_it_was_calm),
        cmocka_unit_test(test_an_endless_recovery_does_not_overflow),
        cmocka_unit_test(test_a_told_delay_longer_than_the_recovery_wins),
        cmocka_unit_test(test_a_told_delay_shorter_than_the_recovery_changes_nothing),
        cmocka_unit_test(test_a_told_delay_means_nothing_while_it_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
