#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/policy/retry.h"

static const struct retry_policy policy = { .max_attempts = 3,
                                            .initial_delay_ns = TIME_S / 2,
                                            .backoff_factor = 2,
                                            .max_delay_ns = 30 * TIME_S,
                                            .max_retry_after_ns = 60 * TIME_S };

static const struct attempts first = { .made = 1, .deadline_ns = TIME_NEVER };

static struct random seed = { 1 };

static struct failure failed(enum failure_class class) {
    return (struct failure){ .class = class, .retryable = true, .retry_after_ns = -1 };
}

static struct failure told(int64_t delay_ns) {
    struct failure failure = failed(FAILURE_RATE_LIMIT);
    failure.retry_after_ns = delay_ns;
    return failure;
}

static struct retry_decision decide(const struct retry_policy *by, struct failure failure,
                                    struct attempts so_far) {
    return retry_decide(by, &failure, &so_far, 100 * TIME_S, &seed);
}

static void assert_gives_up(struct retry_decision decision, enum retry_reason reason) {
    assert_int_equal(decision.verdict, RETRY_GIVE_UP);
    assert_string_equal(retry_reason_name(decision.reason), retry_reason_name(reason));
    assert_int_equal(decision.delay_ns, 0);
}

static void assert_again(struct retry_decision decision, enum retry_reason reason) {
    assert_int_equal(decision.verdict, RETRY_AGAIN);
    assert_string_equal(retry_reason_name(decision.reason), retry_reason_name(reason));
}

/* Waits of many draws: their least and their most are near the bounds, and none is outside. */
static void assert_waits(const struct retry_policy *by, struct failure failure, int made,
                         int64_t least_ns, int64_t most_ns) {
    struct attempts so_far = { .made = made, .deadline_ns = TIME_NEVER };
    struct retry_policy patient = *by;
    patient.max_attempts = 1000;
    int64_t slack_ns = (most_ns - least_ns) / 50;
    int64_t low_ns = TIME_NEVER;
    int64_t high_ns = 0;
    for (int i = 0; i < 2000; i++) {
        struct retry_decision decision = decide(&patient, failure, so_far);
        assert_int_equal(decision.verdict, RETRY_AGAIN);
        if (decision.delay_ns < low_ns) low_ns = decision.delay_ns;
        if (decision.delay_ns > high_ns) high_ns = decision.delay_ns;
    }
    assert_in_range(low_ns, least_ns, least_ns + slack_ns);
    assert_in_range(high_ns, most_ns - slack_ns, most_ns);
}

static void test_reasons_have_names(void **state) {
    static const char *const names[] = { "backoff",       "told",           "fresh",
                                         "not_retryable", "attempts_spent", "told_too_long",
                                         "deadline",      "no_budget",      "repair",
                                         "elsewhere",     "other_method",   "no_method",
                                         "budget_spent" };
    for (int i = 0; i <= RETRY_BUDGET_SPENT; i++)
        assert_string_equal(retry_reason_name(i), names[i]);
}

// ---- our own waits ----

static void test_each_wait_is_drawn_from_the_whole_of_a_doubling_range(void **state) {
    static const enum failure_class classes[] = { FAILURE_SERVER,           FAILURE_NETWORK,
                                                  FAILURE_TIMEOUT,          FAILURE_CONFLICT,
                                                  FAILURE_STREAM_TRUNCATED, FAILURE_PENDING };
    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        assert_waits(&policy, failed(classes[i]), 1, 0, TIME_S / 2);
        assert_waits(&policy, failed(classes[i]), 2, 0, TIME_S);
        assert_waits(&policy, failed(classes[i]), 3, 0, 2 * TIME_S);
        assert_waits(&policy, failed(classes[i]), 7, 0, 30 * TIME_S); // 32 s, capped
        assert_waits(&policy, failed(classes[i]), 999, 0, 30 * TIME_S);
    }
}

static void test_where_there_is_no_capacity_the_wait_is_longer_and_never_near_zero(void **state) {
    static const enum failure_class classes[] = { FAILURE_OVERLOADED, FAILURE_RATE_LIMIT };
    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        assert_waits(&policy, failed(classes[i]), 1, TIME_S, 2 * TIME_S);
        assert_waits(&policy, failed(classes[i]), 2, 2 * TIME_S, 4 * TIME_S);
        assert_waits(&policy, failed(classes[i]), 9, 15 * TIME_S, 30 * TIME_S);
    }
}

static void test_max_delay_caps_our_waits_of_every_class(void **state) {
    struct retry_policy quick = policy;
    quick.max_delay_ns = TIME_S / 5;
    for (int class = FAILURE_NONE + 1; class < FAILURE_CLASS_COUNT; class ++)
        for (int made = 1; made < 3; made++)
            for (int i = 0; i < 100; i++) {
                struct retry_decision decision =
                    decide(&quick, failed(class),
                           (struct attempts){ .made = made, .deadline_ns = TIME_NEVER });
                assert_in_range(decision.delay_ns, 0, TIME_S / 5);
            }
}

static void test_a_factor_of_one_keeps_the_wait(void **state) {
    struct retry_policy constant = policy;
    constant.backoff_factor = 1;
    assert_waits(&constant, failed(FAILURE_SERVER), 50, 0, TIME_S / 2);
}

static void test_huge_values_do_not_overflow(void **state) {
    struct retry_policy huge = policy;
    huge.initial_delay_ns = INT64_C(1000000000) * TIME_S;
    huge.max_delay_ns = INT64_C(1000000000) * TIME_S;
    huge.backoff_factor = 1000;
    assert_waits(&huge, failed(FAILURE_SERVER), 900, 0, INT64_C(1000000000) * TIME_S);
    assert_waits(&huge, failed(FAILURE_OVERLOADED), 900, INT64_C(500000000) * TIME_S,
                 INT64_C(1000000000) * TIME_S);
}

static void test_no_delay_at_all_can_be_configured(void **state) {
    struct retry_policy none = policy;
    none.initial_delay_ns = 0;
    assert_waits(&none, failed(FAILURE_SERVER), 3, 0, 0);
    none.initial_delay_ns = TIME_S;
    none.max_delay_ns = 0;
    assert_waits(&none, failed(FAILURE_OVERLOADED), 1, 0, 0);
}

static void test_one_number_is_drawn_for_a_wait(void **state) {
    struct random random = { 7 };
    struct random expected = { 7 };
    struct failure failure = failed(FAILURE_SERVER);
    retry_decide(&policy, &failure, &first, 0, &random);
    random_next(&expected);
    assert_true(random.state == expected.state);
}

// ---- told waits ----

static void test_a_told_wait_is_kept_with_a_tenth_on_top_at_most(void **state) {
    assert_waits(&policy, told(2 * TIME_S), 1, 2 * TIME_S, 2 * TIME_S + TIME_S / 5);
    assert_waits(&policy, told(60 * TIME_S), 1, 60 * TIME_S, 66 * TIME_S);
    assert_waits(&policy, told(5), 1, 5, 5);
    assert_again(decide(&policy, told(TIME_S), first), RETRY_TOLD);
}

static void test_a_wait_of_nothing_was_not_told(void **state) {
    assert_again(decide(&policy, told(0), first), RETRY_BACKOFF);
    assert_again(decide(&policy, told(1), first), RETRY_TOLD);
}

static void test_a_told_wait_is_longer_than_max_delay_when_it_must(void **state) {
    struct retry_policy quick = policy;
    quick.max_delay_ns = TIME_MS;
    assert_waits(&quick, told(10 * TIME_S), 1, 10 * TIME_S, 11 * TIME_S);
}

static void test_a_told_wait_above_the_limit_fails_now(void **state) {
    assert_gives_up(decide(&policy, told(60 * TIME_S + 1), first), RETRY_TOLD_TOO_LONG);
    assert_again(decide(&policy, told(60 * TIME_S), first), RETRY_TOLD);
    assert_gives_up(decide(&policy, told(TIME_NEVER - 1), first), RETRY_TOLD_TOO_LONG);
}

// ---- attempts ----

static void test_attempts_end(void **state) {
    for (int made = 1; made <= 4; made++) {
        struct attempts so_far = { .made = made, .deadline_ns = TIME_NEVER };
        struct retry_decision decision = decide(&policy, failed(FAILURE_SERVER), so_far);
        if (made < 3)
            assert_again(decision, RETRY_BACKOFF);
        else
            assert_gives_up(decision, RETRY_ATTEMPTS_SPENT);
    }
}

static void test_what_cannot_help_is_not_tried(void **state) {
    struct failure failure = failed(FAILURE_AUTH);
    failure.retryable = false;
    assert_gives_up(decide(&policy, failure, first), RETRY_NOT_RETRYABLE);
    failure.retry_after_ns = TIME_S;
    assert_gives_up(decide(&policy, failure, first), RETRY_NOT_RETRYABLE);
}

static void test_some_failures_are_tried_once_more_and_no_more(void **state) {
    struct failure failure = failed(FAILURE_PROTOCOL);
    failure.retry_once = true;
    struct attempts so_far = { .made = 1, .once_used = 1, .deadline_ns = TIME_NEVER };
    assert_again(decide(&policy, failure, so_far), RETRY_BACKOFF);
    so_far.once_used = 2;
    assert_gives_up(decide(&policy, failure, so_far), RETRY_NOT_RETRYABLE);
    failure.retry_once = false;
    assert_again(decide(&policy, failure, so_far), RETRY_BACKOFF);
}

static void test_a_class_can_have_its_own_number_of_attempts(void **state) {
    static const struct {
        int own;
        int made;
        bool again;
    } rows[] = { { 0, 2, true },  { 0, 3, false }, { 1, 1, false }, { 2, 1, true },
                 { 2, 2, false }, { 5, 4, true },  { 5, 5, false } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct retry_policy own = policy;
        own.class_attempts[FAILURE_SERVER] = rows[i].own;
        struct attempts so_far = { .made = rows[i].made, .deadline_ns = TIME_NEVER };
        struct retry_decision decision = decide(&own, failed(FAILURE_SERVER), so_far);
        assert_int_equal(decision.verdict == RETRY_AGAIN, rows[i].again);
        so_far.made = 2; // other classes keep the common one
        assert_again(decide(&own, failed(FAILURE_TIMEOUT), so_far), RETRY_BACKOFF);
    }
    assert_int_equal(retry_attempts_of(&policy, FAILURE_SERVER), 3);
}

static void test_a_class_that_is_never_retryable_stays_so(void **state) {
    struct retry_policy own = policy;
    own.class_attempts[FAILURE_AUTH] = 9;
    struct failure failure = failed(FAILURE_AUTH);
    failure.retryable = false;
    assert_gives_up(decide(&own, failure, first), RETRY_NOT_RETRYABLE);
}

// ---- the free retry ----

static void test_a_dead_reused_connection_is_tried_again_at_once_once_and_free(void **state) {
    struct attempts so_far = { .made = 3, .reused_connection = true, .deadline_ns = TIME_NEVER };
    struct retry_decision decision = decide(&policy, failed(FAILURE_NETWORK), so_far);
    assert_again(decision, RETRY_FRESH); // though attempts are spent
    assert_int_equal(decision.delay_ns, 0);
    so_far.free_retry_used = true;
    assert_gives_up(decide(&policy, failed(FAILURE_NETWORK), so_far), RETRY_ATTEMPTS_SPENT);
    so_far.made = 1;
    assert_again(decide(&policy, failed(FAILURE_NETWORK), so_far), RETRY_BACKOFF);
}

static void test_a_certificate_is_not_tried_again_on_a_fresh_connection(void **state) {
    struct attempts so_far = { .made = 1, .reused_connection = true, .deadline_ns = TIME_NEVER };
    struct failure failure = failed(FAILURE_NETWORK);
    failure.retryable = false;
    assert_gives_up(decide(&policy, failure, so_far), RETRY_NOT_RETRYABLE);
}

// ---- the deadline ----

static void test_nothing_is_tried_past_the_deadline(void **state) {
    struct attempts so_far = { .made = 1, .reused_connection = true, .deadline_ns = 100 * TIME_S };
    assert_gives_up(decide(&policy, failed(FAILURE_NETWORK), so_far), RETRY_DEADLINE);
    so_far.deadline_ns = 99 * TIME_S;
    assert_gives_up(decide(&policy, failed(FAILURE_NETWORK), so_far), RETRY_DEADLINE);
    so_far.deadline_ns = 100 * TIME_S + 1;
    assert_again(decide(&policy, failed(FAILURE_NETWORK), so_far), RETRY_FRESH);
}

static void test_no_wait_of_ours_ends_past_the_deadline(void **state) {
    int waited = 0;
    int gave_up = 0;
    for (int i = 0; i < 1000; i++) {
        struct attempts so_far = { .made = 1, .deadline_ns = 100 * TIME_S + TIME_S / 4 };
        struct retry_decision decision = decide(&policy, failed(FAILURE_SERVER), so_far);
        waited += decision.verdict == RETRY_AGAIN;
        gave_up += decision.reason == RETRY_DEADLINE;
        assert_true(decision.delay_ns < TIME_S / 4);
    }
    assert_in_range(waited, 400, 600);
    assert_int_equal(waited + gave_up, 1000);
}

static void test_a_told_wait_past_the_deadline_fails_now(void **state) {
    struct attempts so_far = { .made = 1, .deadline_ns = 110 * TIME_S };
    assert_gives_up(decide(&policy, told(10 * TIME_S), so_far), RETRY_DEADLINE);
    assert_gives_up(decide(&policy, told(11 * TIME_S), so_far), RETRY_DEADLINE);
}

static void test_jitter_alone_makes_no_request_late(void **state) {
    struct attempts so_far = { .made = 1, .deadline_ns = 110 * TIME_S + TIME_S / 10 };
    for (int i = 0; i < 1000; i++) {
        struct retry_decision decision = decide(&policy, told(10 * TIME_S), so_far);
        assert_again(decision, RETRY_TOLD);
        assert_in_range(decision.delay_ns, 10 * TIME_S, 10 * TIME_S + TIME_S / 10 - 1);
    }
    so_far.deadline_ns = 110 * TIME_S + 1;
    assert_int_equal(decide(&policy, told(10 * TIME_S), so_far).delay_ns, 10 * TIME_S);
}

/* Of the waits 0 to 3, or 100 to 102, each is drawn, and the one that ends at the deadline is not.
 */
static void test_a_wait_that_ends_at_the_deadline_is_too_long(void **state) {
    struct retry_policy tiny = policy;
    tiny.initial_delay_ns = 3;
    int waited[4] = { 0 };
    int gave_up = 0;
    for (int i = 0; i < 400; i++) {
        struct attempts so_far = { .made = 1, .deadline_ns = 100 * TIME_S + 3 };
        struct retry_decision decision = decide(&tiny, failed(FAILURE_SERVER), so_far);
        assert_in_range(decision.delay_ns, 0, 2);
        waited[decision.delay_ns] += decision.verdict == RETRY_AGAIN;
        gave_up += decision.verdict == RETRY_GIVE_UP;
    }
    assert_true(waited[0] && waited[1] && waited[2] && gave_up);
    int above[3] = { 0 };
    for (int i = 0; i < 400; i++) {
        struct attempts so_far = { .made = 1, .deadline_ns = 100 * TIME_S + 103 };
        struct retry_decision decision = decide(&tiny, told(100), so_far);
        assert_in_range(decision.delay_ns, 100, 102);
        above[decision.delay_ns - 100]++;
    }
    assert_true(above[0] && above[1] && above[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons_have_names),
        cmocka_unit_test(test_each_wait_is_drawn_from_the_whole_of_a_doubling_range),
        cmocka_unit_test(test_where_there_is_no_capacity_the_wait_is_longer_and_never_near_zero),
        cmocka_unit_test(test_max_delay_caps_our_waits_of_every_class),
        cmocka_unit_test(test_a_factor_of_one_keeps_the_wait),
        cmocka_unit_test(test_huge_values_do_not_overflow),
        cmocka_unit_test(test_no_delay_at_all_can_be_configured),
        cmocka_unit_test(test_one_number_is_drawn_for_a_wait),
        cmocka_unit_test(test_a_told_wait_is_kept_with_a_tenth_on_top_at_most),
        cmocka_unit_test(test_a_wait_of_nothing_was_not_told),
        cmocka_unit_test(test_a_told_wait_is_longer_than_max_delay_when_it_must),
        cmocka_unit_test(test_a_told_wait_above_the_limit_fails_now),
        cmocka_unit_test(test_attempts_end),
        cmocka_unit_test(test_what_cannot_help_is_not_tried),
        cmocka_unit_test(test_some_failures_are_tried_once_more_and_no_more),
        cmocka_unit_test(test_a_class_can_have_its_own_number_of_attempts),
        cmocka_unit_test(test_a_class_that_is_never_retryable_stays_so),
        cmocka_unit_test(test_a_dead_reused_connection_is_tried_again_at_once_once_and_free),
        cmocka_unit_test(test_a_certificate_is_not_tried_again_on_a_fresh_connection),
        cmocka_unit_test(test_nothing_is_tried_past_the_deadline),
        cmocka_unit_test(test_no_wait_of_ours_ends_past_the_deadline),
        cmocka_unit_test(test_a_told_wait_past_the_deadline_fails_now),
        cmocka_unit_test(test_a_wait_that_ends_at_the_deadline_is_too_long),
        cmocka_unit_test(test_jitter_alone_makes_no_request_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
