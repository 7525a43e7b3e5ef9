#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/policy/quota.h"

#define DAY (86400 * TIME_S)
#define NOON (20000 * DAY + DAY / 2)

static struct quota of(const struct quota_policy *policy) {
    struct quota quota;
    quota_init(&quota, policy, NOON);
    return quota;
}

static void spend(struct quota *quota, int64_t input, int64_t output, int64_t wall_ns) {
    quota_note_sent(quota);
    quota_note_ended(quota, true, wall_ns);
    quota_note_usage(quota, input, output, wall_ns);
}

static bool is_near(double value, double expected) {
    return value > expected - 1e-6 && value < expected + 1e-6;
}

static void test_without_limits_everything_is_allowed(void **state) {
    static const struct quota_policy none = { .period_ns = DAY };
    struct quota quota = of(&none);
    for (int i = 0; i < 1000; i++)
        spend(&quota, 1000000, 1000000, NOON);
    assert_true(quota_allows(&quota, NOON, NULL));
    assert_int_equal(quota_resets_at_ns(&quota, NOON), TIME_NEVER);
    for (int kind = 0; kind < QUOTA_KINDS; kind++) {
        assert_true(quota_left(&quota, kind, NOON) == -1);
        assert_true(quota_spent_ratio(&quota, kind, NOON) == 0);
    }
}

static void test_as_many_requests_as_the_budget_has_and_no_more(void **state) {
    static const struct quota_policy three = { .requests = 3, .period_ns = DAY };
    struct quota quota = of(&three);
    enum quota_kind lacking = QUOTA_MONEY;
    for (int i = 0; i < 3; i++) {
        assert_true(quota_allows(&quota, NOON, &lacking));
        spend(&quota, -1, -1, NOON);
    }
    assert_false(quota_allows(&quota, NOON, &lacking));
    assert_int_equal(lacking, QUOTA_REQUESTS);
    assert_true(quota_left(&quota, QUOTA_REQUESTS, NOON) == 0);
    assert_true(quota_spent_ratio(&quota, QUOTA_REQUESTS, NOON) == 1);
}

static void test_what_is_under_way_holds_its_request(void **state) {
    static const struct quota_policy two = { .requests = 2, .period_ns = DAY };
    struct quota quota = of(&two);
    quota_note_sent(&quota);
    quota_note_sent(&quota);
    assert_false(quota_allows(&quota, NOON, NULL));
    assert_true(quota_spent_ratio(&quota, QUOTA_REQUESTS, NOON) == 0);
    quota_note_ended(&quota, false, NOON); // it was turned away
    assert_true(quota_allows(&quota, NOON, NULL));
    assert_true(quota_left(&quota, QUOTA_REQUESTS, NOON) == 1);
}

static void test_tokens_of_both_directions_count_together(void **state) {
    static const struct quota_policy policy = { .tokens = 100, .period_ns = DAY };
    struct quota quota = of(&policy);
    enum quota_kind lacking;
    spend(&quota, 60, 39, NOON);
    assert_true(quota_allows(&quota, NOON, NULL));
    assert_true(quota_left(&quota, QUOTA_TOKENS, NOON) == 1);
    spend(&quota, 50, 50, NOON);
    assert_false(quota_allows(&quota, NOON, &lacking));
    assert_int_equal(lacking, QUOTA_TOKENS);
    assert_true(quota_left(&quota, QUOTA_TOKENS, NOON) == 0); // never below
    assert_true(is_near(quota_spent_ratio(&quota, QUOTA_TOKENS, NOON), 1.99));
}

static void test_usage_that_was_not_told_counts_as_a_request_only(void **state) {
    static const struct quota_policy policy = {
        .requests = 10, .tokens = 10, .money = 1, .period_ns = DAY, .input_price = 1e6
    };
    struct quota quota = of(&policy);
    spend(&quota, -1, -1, NOON);
    assert_true(quota_left(&quota, QUOTA_REQUESTS, NOON) == 9);
    assert_true(quota_left(&quota, QUOTA_TOKENS, NOON) == 10);
    assert_true(quota_left(&quota, QUOTA_MONEY, NOON) == 1);
}

static void test_money_is_tokens_by_their_price(void **state) {
    static const struct quota_policy policy = {
        .money = 1, .period_ns = DAY, .input_price = 2.5, .output_price = 10
    };
    struct quota quota = of(&policy);
    spend(&quota, 100000, 50000, NOON); // 0.25 and 0.5
    assert_true(is_near(quota_left(&quota, QUOTA_MONEY, NOON), 0.25));
    assert_true(is_near(quota_most_spent_ratio(&quota, NOON), 0.75));
    spend(&quota, -1, 25000, NOON);
    enum quota_kind lacking;
    assert_false(quota_allows(&quota, NOON, &lacking));
    assert_int_equal(lacking, QUOTA_MONEY);
}

static void test_money_in_tenths_adds_up_to_a_whole(void **state) {
    static const struct quota_policy policy = { .money = 1, .period_ns = DAY, .input_price = 0.1 };
    struct quota quota = of(&policy);
    for (int i = 0; i < 10; i++) {
        assert_true(quota_allows(&quota, NOON, NULL));
        spend(&quota, 1000000, 0, NOON);
    }
    assert_false(quota_allows(&quota, NOON, NULL));
}

static void test_a_period_ends_with_its_last_nanosecond(void **state) {
    static const struct quota_policy one = { .requests = 1, .period_ns = DAY };
    struct quota quota = of(&one);
    int64_t midnight_ns = NOON + DAY / 2;
    spend(&quota, 1, 1, NOON);
    assert_int_equal(quota_resets_at_ns(&quota, NOON), midnight_ns);
    assert_false(quota_allows(&quota, midnight_ns - 1, NULL));
    assert_true(quota_allows(&quota, midnight_ns, NULL));
    assert_false(quota_allows(&quota, NOON, NULL)); // to ask for a time to come changes nothing
    spend(&quota, 1, 1, midnight_ns);
    assert_false(quota_allows(&quota, midnight_ns, NULL));
    assert_int_equal(quota_resets_at_ns(&quota, midnight_ns), midnight_ns + DAY);
}

static void test_what_ends_in_a_period_is_counted_in_it(void **state) {
    static const struct quota_policy policy = { .requests = 1, .tokens = 10, .period_ns = DAY };
    struct quota quota = of(&policy);
    int64_t tomorrow_ns = NOON + DAY;
    quota_note_sent(&quota);
    assert_false(quota_allows(&quota, tomorrow_ns, NULL)); // still under way
    quota_note_ended(&quota, true, tomorrow_ns);
    quota_note_usage(&quota, 4, 5, tomorrow_ns);
    assert_true(quota_left(&quota, QUOTA_REQUESTS, tomorrow_ns) == 0);
    assert_true(quota_left(&quota, QUOTA_TOKENS, tomorrow_ns) == 1);
}

static void test_a_clock_that_is_set_back_gives_nothing_back(void **state) {
    static const struct quota_policy one = { .requests = 1, .period_ns = DAY };
    struct quota quota = of(&one);
    spend(&quota, 1, 1, NOON);
    assert_false(quota_allows(&quota, NOON - DAY / 4, NULL));
    assert_false(quota_allows(&quota, NOON - DAY, NULL)); // the day before
    assert_int_equal(quota_resets_at_ns(&quota, NOON - DAY), NOON + DAY / 2);
    assert_false(quota_allows(&quota, NOON - DAY / 2, NULL)); // and today again
    assert_true(quota_allows(&quota, NOON + DAY / 2, NULL));
}

static void test_a_clock_that_was_years_ahead_does_not_hold_the_budget_for_years(void **state) {
    static const struct quota_policy one = { .requests = 1, .period_ns = DAY };
    struct quota quota;
    quota_init(&quota, &one, NOON + 1000 * DAY);
    spend(&quota, 1, 1, NOON + 1000 * DAY);
    assert_false(quota_allows(&quota, NOON, NULL));
    assert_int_equal(quota_resets_at_ns(&quota, NOON), NOON + DAY / 2);
    spend(&quota, 1, 1, NOON);
    assert_true(quota_allows(&quota, NOON + DAY / 2, NULL));
}

static void test_times_before_1970_have_periods_too(void **state) {
    static const struct quota_policy one = { .requests = 1, .period_ns = DAY };
    struct quota quota;
    quota_init(&quota, &one, -1);
    assert_int_equal(quota_resets_at_ns(&quota, -1), 0);
    spend(&quota, 1, 1, -1);
    assert_false(quota_allows(&quota, -1, NULL));
    assert_true(quota_allows(&quota, 0, NULL));
}

static void test_a_new_policy_finds_what_was_spent(void **state) {
    static const struct quota_policy two = { .requests = 2, .period_ns = DAY };
    static const struct quota_policy five = { .requests = 5, .tokens = 3, .period_ns = DAY };
    static const struct quota_policy hourly = { .requests = 2, .period_ns = 3600 * TIME_S };
    struct quota quota = of(&two);
    spend(&quota, 1, 1, NOON);
    spend(&quota, 0, 0, NOON);
    assert_false(quota_allows(&quota, NOON, NULL));
    quota_set_policy(&quota, &five, NOON);
    assert_true(quota_allows(&quota, NOON, NULL));
    assert_true(quota_left(&quota, QUOTA_REQUESTS, NOON) == 3);
    assert_true(quota_left(&quota, QUOTA_TOKENS, NOON) == 1); // counted before there was a limit
    quota_set_policy(&quota, &hourly, NOON);
    assert_false(quota_allows(&quota, NOON, NULL));
    assert_int_equal(quota_resets_at_ns(&quota, NOON), NOON + 3600 * TIME_S);
    quota_set_policy(&quota, &two, NOON + 3600 * TIME_S);
    assert_true(quota_left(&quota, QUOTA_REQUESTS, NOON + 3600 * TIME_S) == 2);
}

static void test_a_period_of_0_never_ends(void **state) {
    static const struct quota_policy one = { .requests = 1 };
    struct quota quota = of(&one);
    spend(&quota, 1, 1, NOON);
    assert_false(quota_allows(&quota, NOON + 1000 * DAY, NULL));
    assert_int_equal(quota_resets_at_ns(&quota, NOON), TIME_NEVER);
}

/* Whatever the order of sending and ending, and whatever the clock does meanwhile but going back.
 */
static void test_no_period_sees_more_requests_sent_than_its_budget(void **state) {
    static const struct quota_policy policy = { .requests = 4, .period_ns = 10 };
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct random random = { seed };
        struct quota quota;
        int64_t wall_ns = 0;
        int sent_in[64] = { 0 };
        quota_init(&quota, &policy, wall_ns);
        while (wall_ns < 600) {
            if (random_unit(&random) < 0.6 && quota_allows(&quota, wall_ns, NULL)) {
                quota_note_sent(&quota);
                sent_in[wall_ns / 10]++;
            } else if (quota.under_way && random_unit(&random) < 0.5) {
                quota_note_ended(&quota, true, wall_ns);
            } else {
                wall_ns += random_between(&random, 0, 4);
            }
        }
        for (int i = 0; i < 64; i++)
            if (sent_in[i] > 4) fail_msg("seed %d: %d sent", (int)seed, sent_in[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_limits_everything_is_allowed),
        cmocka_unit_test(test_as_many_requests_as_the_budget_has_and_no_more),
        cmocka_unit_test(test_what_is_under_way_holds_its_request),
        cmocka_unit_test(test_tokens_of_both_directions_count_together),
        cmocka_unit_test(test_usage_that_was_not_told_counts_as_a_request_only),
        cmocka_unit_test(test_money_is_tokens_by_their_price),
        cmocka_unit_test(test_money_in_tenths_adds_up_to_a_whole),
        cmocka_unit_test(test_a_period_ends_with_its_last_nanosecond),
        cmocka_unit_test(test_what_ends_in_a_period_is_counted_in_it),
        cmocka_unit_test(test_a_clock_that_is_set_back_gives_nothing_back),
        cmocka_unit_test(test_a_clock_that_was_years_ahead_does_not_hold_the_budget_for_years),
        cmocka_unit_test(test_times_before_1970_have_periods_too),
        cmocka_unit_test(test_a_new_policy_finds_what_was_spent),
        cmocka_unit_test(test_a_period_of_0_never_ends),
        cmocka_unit_test(test_no_period_sees_more_requests_sent_than_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
