/* Half open, generations, signs of life and commands. */
#include "tests/unit/breaker_steps.h"

// ---- half open ----

static void test_one_probe_at_a_time(void **state) {
    struct breaker breaker;
    struct breaker_permit permit;
    int64_t now_ns = make_half_open(&breaker);
    permit = permit_at(&breaker, now_ns);
    assert_false(breaker_would_allow(&breaker, now_ns));
    assert_false(breaker_allows(&breaker, now_ns, &(struct breaker_permit){ 0 }));
    assert_int_equal(breaker_retry_in_ns(&breaker, now_ns), policy.probe_lease_ns);
    assert_false(breaker_note(&breaker, permit, BREAKER_SUCCESS, now_ns, &seed));
    assert_int_equal(breaker_retry_in_ns(&breaker, now_ns), 0);
    assert_true(ask(&breaker, BREAKER_SUCCESS, now_ns));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker_retry_in_ns(&breaker, now_ns), 0);
}

static void test_one_failing_probe_opens_it_again(void **state) {
    struct breaker breaker;
    int64_t now_ns = make_half_open(&breaker);
    ask(&breaker, BREAKER_SUCCESS, now_ns);
    assert_true(ask(&breaker, BREAKER_FAILURE, now_ns));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    breaker.retry_at_ns = now_ns; // and the success of before is forgotten
    assert_false(ask(&breaker, BREAKER_SUCCESS, now_ns));
}

static void test_a_probe_without_an_answer_frees_its_place(void **state) {
    struct breaker breaker;
    int64_t now_ns = make_half_open(&breaker);
    permit_at(&breaker, now_ns);
    assert_false(breaker_would_allow(&breaker, now_ns + policy.probe_lease_ns - 1));
    assert_true(breaker_would_allow(&breaker, now_ns + policy.probe_lease_ns));
}

static void test_a_policy_without_a_lease_gets_two_minutes(void **state) {
    struct breaker_policy without = policy;
    without.probe_lease_ns = 0;
    struct breaker breaker;
    int64_t now_ns = make_half_open(&breaker);
    breaker.policy = &without;
    permit_at(&breaker, now_ns);
    assert_int_equal(breaker_retry_in_ns(&breaker, now_ns), 120 * TIME_S);
}

static void test_a_probe_past_its_lease_still_has_its_say_but_not_the_place(void **state) {
    struct breaker breaker;
    int64_t now_ns = make_half_open(&breaker);
    struct breaker_permit late = permit_at(&breaker, now_ns);
    now_ns += policy.probe_lease_ns;
    struct breaker_permit newer = permit_at(&breaker, now_ns);
    assert_false(breaker_note(&breaker, late, BREAKER_SUCCESS, now_ns, &seed));
    assert_false(breaker_would_allow(&breaker, now_ns)); // the newer one is out
    assert_true(breaker_note(&breaker, newer, BREAKER_SUCCESS, now_ns, &seed));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void test_cancelled_probes_prove_nothing(void **state) {
    struct breaker breaker;
    int64_t now_ns = make_half_open(&breaker);
    ask_times(&breaker, 100, BREAKER_NEUTRAL, now_ns);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker.successes, 0);
    assert_true(breaker_would_allow(&breaker, now_ns));
}

static void test_three_neutral_answers_in_time_stand_for_a_success(void **state) {
    struct breaker breaker;
    int64_t now_ns = make_half_open(&breaker);
    ask_times(&breaker, 2, BREAKER_ANSWERED, now_ns);
    assert_int_equal(breaker.successes, 0);
    ask_times(&breaker, 1, BREAKER_ANSWERED, now_ns);
    assert_int_equal(breaker.successes, 1);
    ask_times(&breaker, 2, BREAKER_ANSWERED, now_ns);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_true(ask(&breaker, BREAKER_ANSWERED, now_ns));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void test_a_neutral_answer_past_the_lease_proves_nothing(void **state) {
    struct breaker breaker;
    int64_t now_ns = make_half_open(&breaker);
    for (int i = 0; i < 10; i++) {
        struct breaker_permit permit = permit_at(&breaker, now_ns);
        now_ns += policy.probe_lease_ns;
        breaker_note(&breaker, permit, BREAKER_ANSWERED, now_ns, &seed);
    }
    assert_int_equal(breaker.successes, 0);
}

// ---- generations ----

static void test_late_results_of_an_earlier_state_change_nothing(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    struct breaker_permit early = permit_at(&breaker, 0);
    ask_times(&breaker, 3, BREAKER_FAILURE, 0);
    assert_false(breaker_note(&breaker, early, BREAKER_SUCCESS, 1, &seed));
    int64_t now_ns = breaker.retry_at_ns;
    struct breaker_permit probe = permit_at(&breaker, now_ns);
    assert_false(breaker_note(&breaker, early, BREAKER_FAILURE, now_ns, &seed));
    assert_false(breaker_note(&breaker, early, BREAKER_SUCCESS, now_ns, &seed));
    assert_int_equal(breaker.successes, 0);
    assert_false(breaker_would_allow(&breaker, now_ns));
    breaker_note(&breaker, probe, BREAKER_SUCCESS, now_ns, &seed);
    assert_true(ask(&breaker, BREAKER_SUCCESS, now_ns));
    assert_false(breaker_note(&breaker, early, BREAKER_FAILURE, now_ns, &seed));
    assert_int_equal(breaker_failures(&breaker, now_ns), 0);
}

// ---- a sign of life ----

static void test_a_sign_of_life_lets_one_request_through_early(void **state) {
    struct breaker breaker;
    make_open(&breaker, 0);
    assert_true(breaker_hint_recovered(&breaker, TIME_S));
    struct breaker_permit probe = permit_at(&breaker, TIME_S);
    assert_true(probe.probe);
    assert_false(breaker_would_allow(&breaker, TIME_S));
    assert_false(breaker_hint_recovered(&breaker, TIME_S)); // half open already
}

static void test_the_real_request_has_the_last_word(void **state) {
    struct breaker breaker;
    make_open(&breaker, 0);
    int64_t retry_at_ns = breaker.retry_at_ns;
    breaker.retry_at_ns = retry_at_ns += 1000 * TIME_S; // as if told so
    breaker_hint_recovered(&breaker, TIME_S);
    ask(&breaker, BREAKER_FAILURE, TIME_S);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker.retry_at_ns, retry_at_ns); // not shortened
    breaker_hint_recovered(&breaker, retry_at_ns - 1);
    ask(&breaker, BREAKER_FAILURE, retry_at_ns - 1);
    assert_within(breaker.retry_at_ns - (retry_at_ns - 1), 40 * TIME_S); // and it escalates
}

static void test_a_sign_of_life_means_nothing_to_a_closed_or_forced_breaker(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    assert_false(breaker_hint_recovered(&breaker, 0));
    breaker_command(&breaker, BREAKER_FORCE_OPEN, 0);
    assert_false(breaker_hint_recovered(&breaker, 0));
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

// ---- commands ----

static void test_forced_open_stays_open(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    struct breaker_permit permit = permit_at(&breaker, 0);
    assert_true(breaker_command(&breaker, BREAKER_FORCE_OPEN, 1));
    assert_int_equal(breaker.opened_at_ns, 1);
    assert_false(breaker_would_allow(&breaker, TIME_NEVER - 1));
    assert_int_equal(breaker_state_at(&breaker, TIME_NEVER - 1), BREAKER_OPEN);
    assert_true(breaker_retry_in_ns(&breaker, 2) == TIME_NEVER);
    assert_false(breaker_note(&breaker, permit, BREAKER_SUCCESS, 2, &seed));
    assert_false(breaker_command(&breaker, BREAKER_FORCE_OPEN, 3));
}

static void test_forced_closed_stays_closed_and_forgets_its_failures(void **state) {
    struct breaker breaker;
    make_open(&breaker, 0);
    assert_true(breaker_command(&breaker, BREAKER_FORCE_CLOSE, 1));
    ask_times(&breaker, 100, BREAKER_FAILURE, 2);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_false(breaker_command(&breaker, BREAKER_FORCE_CLOSE, 3));
    assert_int_equal(breaker_failures(&breaker, 3), 0);
    assert_true(breaker.forced);
}

static void test_auto_tries_what_was_opened_by_hand_at_once(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    breaker_command(&breaker, BREAKER_FORCE_OPEN, 0);
    assert_false(breaker_command(&breaker, BREAKER_AUTO, 5));
    assert_int_equal(breaker_state_at(&breaker, 5), BREAKER_HALF_OPEN);
    ask(&breaker, BREAKER_FAILURE, 5);
    assert_within(breaker.retry_at_ns - 5, 10 * TIME_S);
}

static void test_auto_leaves_a_breaker_that_was_not_forced_alone(void **state) {
    struct breaker breaker;
    make_open(&breaker, 0);
    int64_t retry_at_ns = breaker.retry_at_ns;
    assert_false(breaker_command(&breaker, BREAKER_AUTO, 1));
    assert_int_equal(breaker.retry_at_ns, retry_at_ns);
    breaker_init(&breaker, &policy);
    breaker_command(&breaker, BREAKER_FORCE_CLOSE, 0);
    assert_false(breaker_command(&breaker, BREAKER_AUTO, 1));
    ask_times(&breaker, 3, BREAKER_FAILURE, 2);
    assert_int_equal(breaker.state, BREAKER_OPEN); // by itself again
}

static void test_reset_starts_anew(void **state) {
    struct breaker breaker;
    make_open(&breaker, 0);
    fail_probe(&breaker);
    breaker_hold_until(&breaker, 1000 * TIME_S);
    assert_true(breaker_command(&breaker, BREAKER_RESET, TIME_S));
    assert_false(breaker.forced);
    ask_times(&breaker, 2, BREAKER_FAILURE, TIME_S);
    assert_false(breaker_command(&breaker, BREAKER_RESET, TIME_S)); // closed, counts forgotten
    ask_times(&breaker, 2, BREAKER_FAILURE, TIME_S);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    ask(&breaker, BREAKER_FAILURE, TIME_S);
    assert_within(breaker.retry_at_ns - TIME_S, 10 * TIME_S);
}

static void test_what_was_asked_before_a_reset_has_no_say(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    struct breaker_permit permit = permit_at(&breaker, 0);
    breaker_command(&breaker, BREAKER_RESET, 1);
    breaker_note(&breaker, permit, BREAKER_FAILURE, 2, &seed);
    assert_int_equal(breaker_failures(&breaker, 2), 0);
}

static void test_forced_open_and_closed_again_does_not_open_for_ever(void **state) {
    struct breaker breaker;
    breaker_init(&breaker, &policy);
    breaker_command(&breaker, BREAKER_FORCE_OPEN, 0);
    breaker_command(&breaker, BREAKER_RESET, 0);
    ask_times(&breaker, 3, BREAKER_FAILURE, 0);
    assert_within(breaker.retry_at_ns, 10 * TIME_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_probe_at_a_time),
        cmocka_unit_test(test_one_failing_probe_opens_it_again),
        cmocka_unit_test(test_a_probe_without_an_answer_frees_its_place),
        cmocka_unit_test(test_a_policy_without_a_lease_gets_two_minutes),
        cmocka_unit_test(test_a_probe_past_its_lease_still_has_its_say_but_not_the_place),
        cmocka_unit_test(test_cancelled_probes_prove_nothing),
        cmocka_unit_test(test_three_neutral_answers_in_time_stand_for_a_success),
        cmocka_unit_test(test_a_neutral_answer_past_the_lease_proves_nothing),
        cmocka_unit_test(test_late_results_of_an_earlier_state_change_nothing),
        cmocka_unit_test(test_a_sign_of_life_lets_one_request_through_early),
        cmocka_unit_test(test_the_real_request_has_the_last_word),
        cmocka_unit_test(test_a_sign_of_life_means_nothing_to_a_closed_or_forced_breaker),
        cmocka_unit_test(test_forced_open_stays_open),
        cmocka_unit_test(test_forced_closed_stays_closed_and_forgets_its_failures),
        cmocka_unit_test(test_auto_tries_what_was_opened_by_hand_at_once),
        cmocka_unit_test(test_auto_leaves_a_breaker_that_was_not_forced_alone),
        cmocka_unit_test(test_reset_starts_anew),
        cmocka_unit_test(test_what_was_asked_before_a_reset_has_no_say),
        cmocka_unit_test(test_forced_open_and_closed_again_does_not_open_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
