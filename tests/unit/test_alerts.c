#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/policy/alerts.h"

static struct alerts fresh(void) {
    struct alerts alerts;
    alerts_init(&alerts, &alert_limits_default);
    return alerts;
}

static void assert_change(const struct alert_change *change, enum alert alert, bool is_raised,
                          double value, double threshold) {
    assert_int_equal(change->alert, alert);
    assert_int_equal(change->is_raised, is_raised);
    assert_true(change->value == value);
    assert_true(change->threshold == threshold);
}

static void test_a_breaker_that_opens_is_told_once_until_all_are_closed(void **state) {
    struct alerts alerts = fresh();
    struct alert_change change;
    assert_false(alerts_note_breakers(&alerts, 0, 0, &change));
    assert_true(alerts_note_breakers(&alerts, 1, 0, &change));
    assert_change(&change, ALERT_BREAKER_OPEN, true, 1, 1);
    assert_false(alerts_note_breakers(&alerts, 2, 0, &change));
    assert_false(alerts_note_breakers(&alerts, 0, 1, &change)); // half open: not over yet
    assert_false(alerts_note_breakers(&alerts, 1, 0, &change));
    assert_true(alerts_note_breakers(&alerts, 0, 0, &change));
    assert_change(&change, ALERT_BREAKER_OPEN, false, 0, 1);
    assert_true(alerts_note_breakers(&alerts, 1, 0, &change)); // armed again
}

static void test_an_error_rate_needs_enough_ended_requests(void **state) {
    struct alerts alerts = fresh();
    struct alert_change change;
    assert_false(alerts_note_error_rate(&alerts, 1.0, 4, &change));
    assert_false(alerts_note_error_rate(&alerts, 0.49, 100, &change));
    assert_true(alerts_note_error_rate(&alerts, 0.5, 5, &change));
    assert_change(&change, ALERT_ERROR_RATE, true, 0.5, 0.5);
}

static void test_an_error_rate_ends_below_half_its_threshold(void **state) {
    struct alerts alerts = fresh();
    struct alert_change change;
    assert_true(alerts_note_error_rate(&alerts, 0.8, 10, &change));
    assert_false(alerts_note_error_rate(&alerts, 0.3, 10, &change));
    assert_false(alerts_note_error_rate(&alerts, 0.25, 10, &change));
    assert_true(alerts_note_error_rate(&alerts, 0.24, 10, &change));
    assert_change(&change, ALERT_ERROR_RATE, false, 0.24, 0.25);
    assert_false(alerts_note_error_rate(&alerts, 0.4, 10, &change));
    assert_true(alerts_note_error_rate(&alerts, 0.6, 10, &change));
    assert_true(alerts_note_error_rate(&alerts, 0, 0, &change)); // nothing ended for five minutes
}

static void test_a_refused_key_is_told_until_the_next_success(void **state) {
    struct alerts alerts = fresh();
    struct alert_change change;
    assert_false(alerts_note_key(&alerts, false, &change));
    assert_true(alerts_note_key(&alerts, true, &change));
    assert_change(&change, ALERT_KEY_REFUSED, true, 1, 1);
    assert_false(alerts_note_key(&alerts, true, &change));
    assert_true(alerts_note_key(&alerts, false, &change));
    assert_change(&change, ALERT_KEY_REFUSED, false, 0, 1);
    assert_false(alerts_note_key(&alerts, false, &change));
}

static void test_a_budget_is_told_when_it_is_nearly_spent(void **state) {
    struct alerts alerts = fresh();
    struct alert_change change;
    assert_false(alerts_note_budget(&alerts, 0.89, &change));
    assert_true(alerts_note_budget(&alerts, 0.9, &change));
    assert_false(alerts_note_budget(&alerts, 1.2, &change));
    assert_false(alerts_note_budget(&alerts, 0.8, &change));
    assert_true(alerts_note_budget(&alerts, 0.0, &change)); // a new day
    assert_change(&change, ALERT_BUDGET, false, 0.0, 0.8);
}

static void test_a_denied_retry_is_told_until_the_budget_is_half_full(void **state) {
    struct alerts alerts = fresh();
    struct alert_change change;
    assert_false(alerts_note_retry_budget(&alerts, false, 0.1, &change));
    assert_true(alerts_note_retry_budget(&alerts, true, 0.02, &change));
    assert_change(&change, ALERT_RETRY_BUDGET_EXHAUSTED, true, 0.02, 0);
    assert_false(alerts_note_retry_budget(&alerts, false, 0.5, &change));
    assert_false(alerts_note_retry_budget(&alerts, true, 0.6, &change)); // denied: not recovered
    assert_true(alerts_note_retry_budget(&alerts, false, 0.51, &change));
    assert_change(&change, ALERT_RETRY_BUDGET_EXHAUSTED, false, 0.51, 0.5);
}

static void test_only_what_time_can_end_asks_to_be_noted_again(void **state) {
    struct alerts alerts = fresh();
    struct alert_change change;
    assert_true(alerts_next_ns(&alerts, 0) == TIME_NEVER);
    alerts_note_breakers(&alerts, 1, 0, &change);
    alerts_note_key(&alerts, true, &change);
    assert_true(alerts_next_ns(&alerts, 0) == TIME_NEVER);
    alerts_note_error_rate(&alerts, 1, 100, &change);
    assert_true(alerts_next_ns(&alerts, 5) == 10 * TIME_S + 5);
    alerts_note_error_rate(&alerts, 0, 0, &change);
    assert_true(alerts_next_ns(&alerts, 0) == TIME_NEVER);
    assert_true(alerts_is_raised(&alerts, ALERT_BREAKER_OPEN));
    assert_true(alerts_is_raised(&alerts, ALERT_KEY_REFUSED));
}

static void test_each_alert_has_a_name_and_says_what_to_do(void **state) {
    for (int alert = 0; alert < ALERT_COUNT; alert++) {
        assert_true(strlen(alert_name((enum alert)alert)) > 3);
        assert_true(strlen(alert_advice((enum alert)alert, true)) > 10);
        assert_true(strlen(alert_advice((enum alert)alert, false)) > 10);
    }
}

static void test_a_value_that_wavers_between_its_thresholds_changes_nothing(void **state) {
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct random random = { seed };
        struct alerts alerts = fresh();
        struct alert_change change;
        bool starts_raised = seed % 2;
        if (starts_raised) alerts_note_error_rate(&alerts, 0.9, 100, &change);
        for (int step = 0; step < 200; step++) {
            double rate = 0.25 + random_unit(&random) * 0.2499;
            if (alerts_note_error_rate(&alerts, rate, 100, &change))
                fail_msg("seed %llu, step %d: %g", (unsigned long long)seed, step, rate);
        }
        assert_int_equal(alerts_is_raised(&alerts, ALERT_ERROR_RATE), starts_raised);
    }
}

/* One random thing that may happen to a provider. */
static bool happens(struct alerts *alerts, struct random *random, struct alert_change *change) {
    size_t some = (size_t)random_between(random, 0, 2);
    switch (random_between(random, 0, 4)) {
    case 0:
        return alerts_note_breakers(alerts, some, (size_t)random_between(random, 0, 1), change);
    case 1:
        return alerts_note_error_rate(alerts, random_unit(random), some * 4, change);
    case 2:
        return alerts_note_key(alerts, some == 0, change);
    case 3:
        return alerts_note_budget(alerts, random_unit(random), change);
    default:
        return alerts_note_retry_budget(alerts, some == 0, random_unit(random), change);
    }
}

static void
test_whatever_happens_raises_and_ends_alternate_and_each_crossed_its_threshold(void **state) {
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct random random = { seed };
        struct alerts alerts = fresh();
        bool is_raised[ALERT_COUNT] = { false };
        for (int step = 0; step < 300; step++) {
            struct alert_change change;
            if (!happens(&alerts, &random, &change)) continue;
            if (change.is_raised == is_raised[change.alert])
                fail_msg("seed %llu, step %d", (unsigned long long)seed, step);
            is_raised[change.alert] = change.is_raised;
            bool is_above = change.value >= change.threshold;
            bool ends_above = change.alert == ALERT_RETRY_BUDGET_EXHAUSTED;
            assert_true(is_above == (change.is_raised || ends_above));
        }
        for (int alert = 0; alert < ALERT_COUNT; alert++)
            assert_int_equal(alerts_is_raised(&alerts, (enum alert)alert), is_raised[alert]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_breaker_that_opens_is_told_once_until_all_are_closed),
        cmocka_unit_test(test_an_error_rate_needs_enough_ended_requests),
        cmocka_unit_test(test_an_error_rate_ends_below_half_its_threshold),
        cmocka_unit_test(test_a_refused_key_is_told_until_the_next_success),
        cmocka_unit_test(test_a_budget_is_told_when_it_is_nearly_spent),
        cmocka_unit_test(test_a_denied_retry_is_told_until_the_budget_is_half_full),
        cmocka_unit_test(test_only_what_time_can_end_asks_to_be_noted_again),
        cmocka_unit_test(test_each_alert_has_a_name_and_says_what_to_do),
        cmocka_unit_test(test_a_value_that_wavers_between_its_thresholds_changes_nothing),
        cmocka_unit_test(
            test_whatever_happens_raises_and_ends_alternate_and_each_crossed_its_threshold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
