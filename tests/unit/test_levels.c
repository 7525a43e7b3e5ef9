#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/policy/levels.h"

static struct levels levels;

static void forget(void) {
    memset(&levels, 0, sizeof(levels));
}

static void told_of(enum limit_kind kind, struct limit limit, int64_t unanswered, int64_t accepted,
                    int64_t now_ns) {
    struct limit limits[LIMIT_KINDS];
    for (int i = 0; i < LIMIT_KINDS; i++)
        limits[i] = (struct limit){ 0, -1, -1 };
    limits[kind] = limit;
    levels_note(&levels, limits, unanswered, accepted, now_ns);
}

/* A bucket of 100 requests that is full after 100 s. */
static void told_requests(double remaining, int64_t unanswered, int64_t now_ns) {
    int64_t reset_ns = (int64_t)(100 - remaining) * TIME_S;
    told_of(LIMIT_REQUESTS, (struct limit){ 100, remaining, reset_ns }, unanswered, 0, now_ns);
}

static int64_t next_ns(int64_t now_ns) {
    return levels_next_ns(&levels, 0, false, now_ns);
}

static int spend_all(int64_t now_ns) {
    int count = 0;
    for (; next_ns(now_ns) == 0 && count < 1000; count++)
        levels_spend(&levels, now_ns);
    return count;
}

static void test_nothing_known_holds_nobody(void **state) {
    forget();
    assert_int_equal(spend_all(0), 1000);
    assert_true(levels_pace(&levels) == 0);
}

static void test_what_remains_may_be_spent_less_what_is_on_its_way(void **state) {
    forget();
    told_requests(10, 3, TIME_S);
    assert_int_equal(spend_all(TIME_S), 7);
}

static void test_an_empty_bucket_is_waited_for_until_it_holds_one(void **state) {
    forget();
    told_requests(0, 0, 0); // fills in 100 s, a little less than one a second is counted on
    int64_t at_ns = next_ns(0);
    assert_in_range(at_ns, 1030 * TIME_MS, 1032 * TIME_MS);
    assert_int_equal(next_ns(at_ns), 0);
    assert_true(next_ns(at_ns - TIME_MS) > 0);
}

static void test_time_fills_it_up_to_its_limit(void **state) {
    forget();
    told_requests(0, 0, 0);
    assert_int_equal(spend_all(50 * TIME_S), 48);
    assert_int_equal(spend_all(1000 * TIME_S), 100);
}

static void test_news_lowers_a_level_but_never_raises_it(void **state) {
    forget();
    told_requests(10, 0, 0);
    told_requests(50, 0, 0); // from before
    assert_int_equal(spend_all(0), 10);
    forget();
    told_requests(50, 0, 0);
    told_requests(10, 0, 0);
    assert_int_equal(spend_all(0), 10);
}

static void test_more_on_its_way_than_remains_is_waited_for(void **state) {
    forget();
    told_requests(2, 12, 0);
    assert_in_range(next_ns(0), 11 * TIME_S, 12 * TIME_S); // for 11 of them
}

static void test_a_wait_of_hours_is_asked_about_one_request_at_a_time(void **state) {
    forget();
    told_of(LIMIT_REQUESTS, (struct limit){ 50, 0, 3600 * TIME_S }, 0, 0, 0); // 72 s for one
    assert_int_equal(levels_next_ns(&levels, 0, false, 0), 0);
    assert_int_equal(levels_next_ns(&levels, 0, true, 0), TIME_S);
    assert_int_equal(levels_next_ns(&levels, 0, true, TIME_S), 0); // no answer: the next one asks
    levels_spend(&levels, 0);
    assert_int_equal(levels_next_ns(&levels, 0, false, 0), 0);
    assert_true(levels_pace(&levels) == 0);
    assert_true(next_ns(3600 * TIME_S) == 0);
    forget();
    told_of(LIMIT_REQUESTS, (struct limit){ 60, 0, 3600 * TIME_S }, 0, 0, 0);
    assert_in_range(levels_next_ns(&levels, 0, false, 0), 60 * TIME_S, 62 * TIME_S);
    assert_true(levels_pace(&levels) > 0.015);
}

static void test_another_limit_is_another_bucket(void **state) {
    forget();
    told_requests(0, 0, 0);
    told_of(LIMIT_REQUESTS, (struct limit){ 1000, 900, 10 * TIME_S }, 0, 0, 0);
    assert_int_equal(spend_all(0), 900);
}

static void test_a_bucket_without_a_time_to_fill_says_nothing(void **state) {
    forget();
    told_of(LIMIT_REQUESTS, (struct limit){ 100, 0, -1 }, 0, 0, 0);
    assert_int_equal(next_ns(0), 0);
    assert_true(levels_pace(&levels) == 0);
}

static void test_what_cannot_be_meant_is_ignored(void **state) {
    static const struct limit strange[] = {
        { 0, 5, TIME_S }, { 100, -1, TIME_S }, { 100, 101, TIME_S }, { -1, 0, TIME_S }
    };
    forget();
    for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++)
        told_of(LIMIT_REQUESTS, strange[i], 0, 0, 0);
    assert_int_equal(next_ns(0), 0);
    assert_true(levels.levels[LIMIT_REQUESTS].limit == 0);
}

static void test_news_older_than_a_filling_is_out_of_date(void **state) {
    forget();
    told_requests(0, 0, 0);
    assert_true(levels_next_ns(&levels, 25e9, false, 0) > 0); // four times 25 s are 100 s
    assert_int_equal(levels_next_ns(&levels, 25.1e9, false, 0), 0);
}

static void test_the_pace_is_known_once_the_whole_filling_time_was_told(void **state) {
    forget();
    told_requests(90, 0, 0);
    assert_true(levels_pace(&levels) == 0); // told 10 s, for a tenth
    told_requests(11, 0, 0);
    assert_true(levels_pace(&levels) == 0);
    told_requests(10, 0, 0);
    assert_true(levels_pace(&levels) > 1 && levels_pace(&levels) < 1.1);
    told_requests(0, 0, 0);
    assert_true(levels_pace(&levels) > 0.96 && levels_pace(&levels) < 0.98);
    told_requests(50, 0, 0); // shorter times do not make it faster
    assert_true(levels_pace(&levels) < 0.98);
}

static void test_an_empty_bucket_that_tells_no_time_is_not_the_whole(void **state) {
    forget();
    told_requests(90, 0, 0);
    told_of(LIMIT_REQUESTS, (struct limit){ 100, 0, -1 }, 0, 0, 0);
    assert_true(levels_pace(&levels) == 0);
}

/* A bucket of 10,000 tokens that is full after 100 s. */
static void told_tokens(double remaining, int64_t accepted, int64_t now_ns) {
    told_of(LIMIT_TOKENS, (struct limit){ 10000, remaining, 100 * TIME_S }, 0, accepted, now_ns);
}

static void test_tokens_hold_nobody_until_it_is_known_what_a_request_takes(void **state) {
    forget();
    told_tokens(0, 1, 0); // others may have spent it
    assert_int_equal(spend_all(0), 1000);
    assert_true(levels_pace(&levels) == 0);
}

static void test_what_a_request_takes_of_the_tokens_is_learnt(void **state) {
    forget();
    told_tokens(5000, 1, 0);
    told_tokens(4000, 3, 0); // 500 each
    assert_int_equal(spend_all(0), 8);
    told_tokens(0, 3, 0); // nobody else accepted: not learnt from
    told_tokens(0, 4, 0); // nothing gone: neither
    assert_true(levels.levels[LIMIT_TOKENS].cost == 500);
    assert_in_range(next_ns(0), 5 * TIME_S, 5200 * TIME_MS);
}

static void test_what_filled_up_meanwhile_was_taken_too(void **state) {
    forget();
    told_tokens(5000, 1, 0);
    told_tokens(5000, 2, 10 * TIME_S); // 970 came, and went
    assert_true(levels.levels[LIMIT_TOKENS].cost == 970);
    told_tokens(5000, 3, 20 * TIME_S); // and again
    assert_true(levels.levels[LIMIT_TOKENS].cost == 970);
}

static void test_the_cost_follows_slowly(void **state) {
    forget();
    told_tokens(9000, 1, 0);
    told_tokens(8000, 2, 0);
    told_tokens(6000, 3, 0);
    assert_true(levels.levels[LIMIT_TOKENS].cost == 1250);
}

static void test_a_request_larger_than_the_bucket_waits_for_a_full_one(void **state) {
    forget();
    told_of(LIMIT_TOKENS, (struct limit){ 10000, 10000, 60 * TIME_S }, 0, 1, 0);
    levels.levels[LIMIT_TOKENS].cost = 1e9;
    assert_int_equal(next_ns(0), 0);
    levels.levels[LIMIT_TOKENS].left = 0;
    assert_in_range(next_ns(0), 60 * TIME_S, 62 * TIME_S);
}

static void test_tokens_on_their_way_are_as_good_as_gone(void **state) {
    forget();
    told_tokens(5000, 1, 0);
    told_tokens(4000, 2, 0);
    told_of(LIMIT_TOKENS, (struct limit){ 10000, 3000, 100 * TIME_S }, 2, 3, 0);
    assert_int_equal(spend_all(0), 1); // 1000 each
}

static void test_the_emptiest_bucket_decides(void **state) {
    forget();
    told_requests(99, 0, 0);
    told_tokens(2000, 1, 0);
    told_tokens(1000, 2, 0);
    assert_int_equal(spend_all(0), 1);
    int64_t tokens_ns = next_ns(0);
    told_requests(0, 0, 0); // sooner full than that
    assert_int_equal(next_ns(0), tokens_ns);
    told_requests(0, 50, 0); // later
    assert_true(next_ns(0) > tokens_ns);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_known_holds_nobody),
        cmocka_unit_test(test_what_remains_may_be_spent_less_what_is_on_its_way),
        cmocka_unit_test(test_an_empty_bucket_is_waited_for_until_it_holds_one),
        cmocka_unit_test(test_time_fills_it_up_to_its_limit),
        cmocka_unit_test(test_news_lowers_a_level_but_never_raises_it),
        cmocka_unit_test(test_more_on_its_way_than_remains_is_waited_for),
        cmocka_unit_test(test_a_wait_of_hours_is_asked_about_one_request_at_a_time),
        cmocka_unit_test(test_another_limit_is_another_bucket),
        cmocka_unit_test(test_a_bucket_without_a_time_to_fill_says_nothing),
        cmocka_unit_test(test_what_cannot_be_meant_is_ignored),
        cmocka_unit_test(test_news_older_than_a_filling_is_out_of_date),
        cmocka_unit_test(test_the_pace_is_known_once_the_whole_filling_time_was_told),
        cmocka_unit_test(test_an_empty_bucket_that_tells_no_time_is_not_the_whole),
        cmocka_unit_test(test_tokens_hold_nobody_until_it_is_known_what_a_request_takes),
        cmocka_unit_test(test_what_a_request_takes_of_the_tokens_is_learnt),
        cmocka_unit_test(test_what_filled_up_meanwhile_was_taken_too),
        cmocka_unit_test(test_the_cost_follows_slowly),
        cmocka_unit_test(test_a_request_larger_than_the_bucket_waits_for_a_full_one),
        cmocka_unit_test(test_tokens_on_their_way_are_as_good_as_gone),
        cmocka_unit_test(test_the_emptiest_bucket_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
