#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/policy/retry_budget.h"

static struct retry_budget full_at(int64_t now_ns) {
    struct retry_budget budget;
    retry_budget_init(&budget, &retry_budget_default, now_ns);
    return budget;
}

static int take_all(struct retry_budget *budget, double cost, int64_t now_ns) {
    int count = 0;
    while (retry_budget_take(budget, cost, now_ns))
        count++;
    return count;
}

static bool is_near(double value, double expected) {
    return value > expected - 1e-6 && value < expected + 1e-6;
}

static void test_it_starts_full_and_is_spent_by_retries(void **state) {
    struct retry_budget budget = full_at(5 * TIME_S);
    assert_int_equal(take_all(&budget, 1, 5 * TIME_S), 20);
    assert_int_equal(budget.taken, 20);
    assert_int_equal(budget.denied, 1);
}

static void test_a_denied_retry_costs_nothing(void **state) {
    struct retry_budget budget = full_at(0);
    take_all(&budget, 1, 0);
    assert_true(is_near(retry_budget_tokens(&budget, 0), 0));
    assert_false(retry_budget_take(&budget, 2, 3 * TIME_S)); // 1.5 are there
    assert_true(retry_budget_take(&budget, 1, 3 * TIME_S));
}

static void test_five_successes_pay_for_a_retry(void **state) {
    struct retry_budget budget = full_at(0);
    take_all(&budget, 1, 0);
    for (int i = 0; i < 5; i++) {
        assert_false(retry_budget_take(&budget, 1, 0));
        retry_budget_note_success(&budget, 0);
    }
    assert_true(is_near(retry_budget_tokens(&budget, 0), 1));
    assert_true(is_near(retry_budget_left_ratio(&budget, 0), 0.05));
}

static void test_time_pays_for_a_retry_every_two_seconds(void **state) {
    struct retry_budget budget = full_at(0);
    take_all(&budget, 1, 0);
    assert_false(retry_budget_take(&budget, 1, 2 * TIME_S - TIME_MS));
    assert_true(retry_budget_take(&budget, 1, 2 * TIME_S));
    assert_false(retry_budget_take(&budget, 1, 2 * TIME_S));
}

static void test_it_never_holds_more_than_its_maximum(void **state) {
    struct retry_budget budget = full_at(0);
    for (int i = 0; i < 1000; i++)
        retry_budget_note_success(&budget, i * TIME_S);
    assert_true(is_near(retry_budget_tokens(&budget, 10000 * TIME_S), 20));
    assert_true(is_near(retry_budget_left_ratio(&budget, 10000 * TIME_S), 1));
    assert_int_equal(take_all(&budget, 1, 10000 * TIME_S), 20);
}

static void test_time_that_seems_to_go_back_changes_nothing(void **state) {
    struct retry_budget budget = full_at(10 * TIME_S);
    take_all(&budget, 1, 10 * TIME_S);
    assert_false(retry_budget_take(&budget, 1, 0));
    assert_false(retry_budget_take(&budget, 1, 10 * TIME_S)); // not filled twice
    assert_true(is_near(retry_budget_tokens(&budget, 11 * TIME_S), 0.5));
}

static void test_without_a_maximum_every_retry_is_granted(void **state) {
    static const struct retry_budget_policy none = { 0 };
    struct retry_budget budget;
    retry_budget_init(&budget, &none, 0);
    for (int i = 0; i < 1000; i++)
        assert_true(retry_budget_take(&budget, 2, 0));
    assert_int_equal(budget.denied, 0);
    assert_true(retry_budget_left_ratio(&budget, 0) == 1);
}

static void test_the_smallest_bucket_still_holds_one_retry(void **state) {
    static const struct retry_budget_policy one = { .tokens_max = 1 };
    struct retry_budget budget;
    retry_budget_init(&budget, &one, 0);
    assert_true(retry_budget_take(&budget, 1, 0));
    assert_false(retry_budget_take(&budget, 1, 0));
}

static void test_a_retry_costs_what_it_did_to_the_provider(void **state) {
    static const struct {
        enum failure_class class;
        int http_status;
        enum billed billed;
        bool has_gained;
        double cost;
    } rows[] = {
        { FAILURE_OVERLOADED, 503, BILLED_NO, false, 1 },
        { FAILURE_RATE_LIMIT, 429, BILLED_NO, false, 0.1 }, // the pacer spaces them out
        { FAILURE_SERVER, 500, BILLED_MAYBE, false, 1 },
        { FAILURE_CONFLICT, 409, BILLED_NO, false, 1 },
        { FAILURE_PROTOCOL, 200, BILLED_YES, false, 1 },
        { FAILURE_STREAM_TRUNCATED, 200, BILLED_YES, false, 1 },
        { FAILURE_TIMEOUT, 0, BILLED_MAYBE, false, 2 },   // sent, and no reply
        { FAILURE_TIMEOUT, 504, BILLED_MAYBE, false, 2 }, // theirs
        { FAILURE_TIMEOUT, 408, BILLED_NO, false, 2 },
        { FAILURE_STREAM_STALLED, 200, BILLED_YES, false, 2 },
        { FAILURE_TIMEOUT, 0, BILLED_NO, false, 0.25 }, // never connected
        { FAILURE_NETWORK, 0, BILLED_NO, false, 0.25 },
        { FAILURE_NETWORK, 0, BILLED_MAYBE, false, 1 }, // broke after it was sent
        { FAILURE_STREAM_STALLED, 200, BILLED_YES, true, 0.1 },
        { FAILURE_STREAM_TRUNCATED, 200, BILLED_YES, true, 0.1 },
        { FAILURE_NETWORK, 0, BILLED_NO, true, 0.1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct failure failure = { .class = rows[i].class,
                                   .http_status = rows[i].http_status,
                                   .billed = rows[i].billed };
        double cost = retry_budget_cost(&failure, rows[i].has_gained);
        if (!is_near(cost, rows[i].cost)) fail_msg("row %zu costs %g", i, cost);
    }
}

static void test_a_failed_connect_costs_a_quarter_as_the_transport_tells_it(void **state) {
    struct failure failure;
    failure_from_transport(TRANSPORT_REFUSED, false, "", &failure);
    assert_true(is_near(retry_budget_cost(&failure, false), 0.25));
    failure_from_timer(TIMER_CONNECT, TIME_S, &failure);
    assert_true(is_near(retry_budget_cost(&failure, false), 0.25));
    failure_from_timer(TIMER_HEADERS, TIME_S, &failure);
    assert_true(is_near(retry_budget_cost(&failure, false), 2));
    failure_from_transport(TRANSPORT_RECEIVE, false, "", &failure);
    assert_true(is_near(retry_budget_cost(&failure, false), 1));
}

/* Of requests at a steady rate each attempt fails by chance. */
static double completed_at(double requests_per_second, double failing, uint64_t seed) {
    enum { REQUESTS = 20000, ATTEMPTS = 5 };
    struct random random = { seed };
    struct retry_budget budget = full_at(0);
    int completed = 0;
    for (int i = 0; i < REQUESTS; i++) {
        int64_t now_ns = time_from_seconds(i / requests_per_second);
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            if (random_unit(&random) >= failing) {
                retry_budget_note_success(&budget, now_ns);
                completed++;
                break;
            }
            if (!retry_budget_take(&budget, 1, now_ns)) break;
        }
    }
    return (double)completed / REQUESTS;
}

static void test_ordinary_failures_are_retried_at_any_rate(void **state) {
    assert_true(completed_at(0.5, 0.2, 1) > 0.999);
    assert_true(completed_at(0.5, 0.3, 2) > 0.996);
    assert_true(completed_at(1000, 0.1, 3) > 0.9995);
}

static void test_a_total_outage_is_hardly_amplified(void **state) {
    struct retry_budget budget = full_at(0);
    int retries = 0;
    for (int i = 0; i < 10000; i++) // 100 requests a second for 100 s, each with two retries
        for (int retry = 0; retry < 2; retry++)
            retries += retry_budget_take(&budget, 1, i * 10 * TIME_MS);
    assert_in_range(retries, 60, 70); // 20, and one every two seconds
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_starts_full_and_is_spent_by_retries),
        cmocka_unit_test(test_a_denied_retry_costs_nothing),
        cmocka_unit_test(test_five_successes_pay_for_a_retry),
        cmocka_unit_test(test_time_pays_for_a_retry_every_two_seconds),
        cmocka_unit_test(test_it_never_holds_more_than_its_maximum),
        cmocka_unit_test(test_time_that_seems_to_go_back_changes_nothing),
        cmocka_unit_test(test_without_a_maximum_every_retry_is_granted),
        cmocka_unit_test(test_the_smallest_bucket_still_holds_one_retry),
        cmocka_unit_test(test_a_retry_costs_what_it_did_to_the_provider),
        cmocka_unit_test(test_a_failed_connect_costs_a_quarter_as_the_transport_tells_it),
        cmocka_unit_test(test_ordinary_failures_are_retried_at_any_rate),
        cmocka_unit_test(test_a_total_outage_is_hardly_amplified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
