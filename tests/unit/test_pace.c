/* Where a pace comes from, and what 429s do to it. Those that mean nothing: test_pace_strays.c. */
#include "tests/unit/pace_steps.h"

static void test_there_is_no_pace_before_a_limit_was_met(void **state) {
    struct pace pace;
    pace_init(&pace);
    accept(&pace, 1000, 100, 0);
    assert_true(pace_at(&pace, 10 * TIME_S) == 0);
    limit(&pace, 10 * TIME_S);
    assert_true(pace_at(&pace, 20 * TIME_S) == 0); // it must be found first
}

static void test_the_first_pace_is_that_of_the_burst_over_the_time_it_took(void **state) {
    struct pace pace;
    pace_init(&pace);
    accept(&pace, 3, 1, 0); // long before
    accept(&pace, 40, 1e9, 100 * TIME_S);
    limit(&pace, 100 * TIME_S);
    pace_find(&pace, 100 * TIME_S, 104 * TIME_S);
    assert_near(pace_at(&pace, 104 * TIME_S), 0.94 * 10);
}

static void test_a_burst_lasts_a_second_at_least(void **state) {
    struct pace pace;
    pace_init(&pace);
    accept(&pace, 40, 1e9, 0);
    limit(&pace, TIME_MS);
    pace_find(&pace, TIME_MS, 2 * TIME_MS);
    assert_near(pace_at(&pace, 2 * TIME_MS), 0.94 * 40);
}

static void test_what_was_accepted_after_the_limit_counts_but_begins_nothing(void **state) {
    struct pace pace;
    pace_init(&pace);
    accept(&pace, 40, 1e9, 0);
    limit(&pace, TIME_S);
    accept(&pace, 100, 1e9, 2 * TIME_S);
    pace_find(&pace, TIME_S, 2 * TIME_S); // 100 in no time are no pace
    assert_near(pace_at(&pace, 2 * TIME_S), 0.94 * 70);
}

static void test_a_burst_in_several_moments_is_one(void **state) {
    struct pace pace;
    pace_init(&pace);
    accept(&pace, 5, 1e9, 0); // before it
    accept(&pace, 20, 1e9, 30 * TIME_S);
    accept(&pace, 20, 1e9, 30 * TIME_S + TIME_S / 2);
    limit(&pace, 31 * TIME_S);
    pace_find(&pace, 31 * TIME_S, 34 * TIME_S);
    assert_near(pace_at(&pace, 34 * TIME_S), 0.94 * 10);
}

static void test_what_was_accepted_long_before_is_no_part_of_the_burst(void **state) {
    struct pace pace;
    pace_init(&pace);
    accept(&pace, 5, 1e9, 0);
    limit(&pace, 60 * TIME_S + 1); // a minute later nothing was accepted at all
    pace_find(&pace, 60 * TIME_S + 1, 61 * TIME_S);
    assert_true(pace_at(&pace, 61 * TIME_S) == 0);
    pace_find(&pace, 60 * TIME_S, 61 * TIME_S);
    assert_near(pace_at(&pace, 61 * TIME_S), 0.94 * 5 / 61);
}

static void test_slow_paces_are_paces(void **state) {
    struct pace pace = paced(0.1, 0.1);
    pace.grown_ns = 100 * TIME_S;
    assert_near(pace_at(&pace, 0), 0.1);
    accept(&pace, 5, 0.1, 0);
    limit(&pace, 50 * TIME_S);
    assert_true(pace.ceiling < 0.1 && pace.ceiling > 0.08);
    pace.cap = 0.01;
    assert_near(pace_at(&pace, 50 * TIME_S), 0.01);
    pace_find(&pace, 50 * TIME_S, 50 * TIME_S);
    assert_near(pace_at(&pace, 50 * TIME_S), 0.01);
    assert_true(pace.ceiling == 0);
}

static void test_only_the_newest_moments_are_kept(void **state) {
    struct pace pace;
    pace_init(&pace);
    int64_t now_ns = accept(&pace, 1000, 10, 0); // 100 s of moments, 3.2 s are kept
    limit(&pace, now_ns);
    pace_find(&pace, now_ns, now_ns);
    assert_near(pace_at(&pace, now_ns), 0.94 * 10);
    assert_int_equal(pace.moment_count, PACE_MOMENTS);
}

static void
test_a_search_doubles_every_three_seconds_and_slower_where_replies_are_slow(void **state) {
    struct pace pace = paced(10, 0);
    assert_near(pace_at(&pace, 3 * TIME_S), 20);
    assert_near(pace_at(&pace, 6 * TIME_S), 40);
    pace.latency_ns = 1.5e9;
    assert_near(pace_at(&pace, 6 * TIME_S), 20);
    assert_true(pace_at(&pace, TIME_NEVER - 1) < 1e9); // and not for ever
}

static void test_it_grows_towards_the_ceiling_fast_around_it_slowly_and_beyond_fast(void **state) {
    struct pace pace = paced(94, 100);
    double before = pace_at(&pace, 0);
    assert_near(before, 94);
    assert_near(pace_at(&pace, 8434 * TIME_MS), 100); // the cube root of 0.06 / 0.0001
    double first = pace_at(&pace, TIME_S) - before;
    double around = pace_at(&pace, 9 * TIME_S) - pace_at(&pace, 8 * TIME_S);
    double beyond = pace_at(&pace, 30 * TIME_S) - pace_at(&pace, 29 * TIME_S);
    assert_true(around > 0 && around < first / 20);
    assert_true(beyond > 5 * first);
    assert_near(pace_at(&pace, 8434 * TIME_MS + 10 * TIME_S), 110);
}

static void test_it_waits_at_its_beginning_while_it_is_paused(void **state) {
    struct pace pace = paced(94, 100);
    pace.grown_ns = 50 * TIME_S;
    assert_near(pace_at(&pace, 0), 94);
    assert_near(pace_at(&pace, 50 * TIME_S), 94);
}

static void test_what_headers_tell_caps_it(void **state) {
    struct pace pace = paced(94, 100);
    pace.cap = 20;
    assert_near(pace_at(&pace, 0), 20);
    pace.cap = 1000;
    assert_near(pace_at(&pace, 0), 94);
}

static void test_what_headers_tell_is_the_first_pace(void **state) {
    struct pace pace;
    pace_init(&pace);
    accept(&pace, 40, 1e9, 0);
    limit(&pace, TIME_S);
    pace.cap = 7;
    pace_find(&pace, TIME_S, 2 * TIME_S);
    assert_near(pace_at(&pace, 2 * TIME_S), 7);
    pace.cap = 0;
    assert_near(pace_at(&pace, 2 * TIME_S), 7);
}

static void test_a_cap_is_no_pace(void **state) {
    struct pace pace;
    pace_init(&pace);
    pace.cap = 7;
    assert_true(pace_at(&pace, 0) == 0);
}

static void test_a_search_ends_a_little_below_what_met_the_limit(void **state) {
    struct pace pace = paced(10, 0);
    accept(&pace, 60, 20, 0);
    limit(&pace, 3 * TIME_S); // at 20
    assert_near(pace.ceiling, 17);
    assert_near(pace_at(&pace, 3 * TIME_S), 0.94 * 17);
}

static void test_the_ceiling_lies_between_what_was_accepted_and_what_was_sent(void **state) {
    static const struct {
        int accepted; /* in 100 s at 100 a second */
        double ceiling;
    } rows[] = { { 10000, 98 }, { 9000, 96 }, { 8000, 92 }, { 6000, 85 }, { 4100, 85 } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pace pace = paced(100, 100);
        pace.kept = 100;
        pace.grown_ns = 200 * TIME_S; // no growth
        pace_note_turned_away(&pace);
        pace.marked_ns = 100 * TIME_S;
        accept(&pace, rows[i].accepted, rows[i].accepted / 100.0, 100 * TIME_S);
        limit(&pace, 200 * TIME_S);
        assert_near(pace.ceiling, rows[i].ceiling);
    }
}

static void test_far_less_accepted_is_believed_the_second_time(void **state) {
    struct pace pace = paced(100, 100);
    pace.marked_ns = 0;
    for (int i = 1; i <= 2; i++) {
        pace.per_s = pace.ceiling = 100;
        pace.grown_ns = i * 10 * TIME_S;
        accept(&pace, i == 1 ? 300 : 310, 31, (i - 1) * 10 * TIME_S);
        limit(&pace, i * 10 * TIME_S);
        assert_near(pace.ceiling, i == 1 ? 85 : 31);
    }
    pace.per_s = pace.ceiling = 1000;
    pace.grown_ns = 30 * TIME_S;
    limit(&pace, 30 * TIME_S); // nothing at all: not below a quarter at once
    assert_near(pace.ceiling, 250);
}

static void test_far_less_must_come_twice_in_a_row(void **state) {
    static const int accepted[] = { 300, 900, 300, 300 }; // in 10 s at 100 a second
    static const double ceilings[] = { 85, 96, 85, 30 };
    struct pace pace = paced(100, 100);
    pace.marked_ns = 0;
    for (int i = 0; i < 4; i++) {
        int64_t now_ns = (i + 1) * 10 * TIME_S;
        pace.per_s = pace.ceiling = 100;
        pace.grown_ns = now_ns;
        pace.kept = 100;
        accept(&pace, accepted[i], accepted[i] / 10.0, now_ns - 10 * TIME_S);
        limit(&pace, now_ns);
        assert_near(pace.ceiling, ceilings[i]);
    }
}

static void test_a_burst_of_429s_lowers_it_once(void **state) {
    struct pace pace = paced(94, 100);
    pace.latency_ns = 1e9;
    limit(&pace, 10 * TIME_S);
    double ceiling = pace.ceiling;
    limit(&pace, 11 * TIME_S); // sent while the first was on its way
    assert_true(pace.ceiling == ceiling);
    limit(&pace, 11 * TIME_S + 1);
    assert_true(pace.ceiling < ceiling);
}

static void test_half_a_second_counts_as_one_burst_at_least(void **state) {
    struct pace pace = paced(94, 100);
    limit(&pace, 10 * TIME_S);
    double ceiling = pace.ceiling;
    limit(&pace, 10 * TIME_S + TIME_S / 2);
    assert_true(pace.ceiling == ceiling);
    limit(&pace, 10 * TIME_S + TIME_S / 2 + 1);
    assert_true(pace.ceiling < ceiling);
}

static void test_it_waits_before_it_grows_again(void **state) {
    struct pace pace = paced(94, 100);
    pace_note_turned_away(&pace);
    pace_note_limit(&pace, 10 * TIME_S, 10 * TIME_S, 20 * TIME_S);
    assert_true(pace_at(&pace, 20 * TIME_S) == pace.per_s);
    assert_true(pace_at(&pace, 21 * TIME_S) > pace.per_s);
}

static void test_latency_is_smoothed(void **state) {
    struct pace pace;
    pace_init(&pace);
    pace_note_accepted(&pace, 0, 8 * TIME_S);
    assert_near(pace.latency_ns, 1e9);
    pace_note_accepted(&pace, 0, 9 * TIME_S);
    assert_near(pace.latency_ns, 2e9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_no_pace_before_a_limit_was_met),
        cmocka_unit_test(test_the_first_pace_is_that_of_the_burst_over_the_time_it_took),
        cmocka_unit_test(test_a_burst_lasts_a_second_at_least),
        cmocka_unit_test(test_what_was_accepted_after_the_limit_counts_but_begins_nothing),
        cmocka_unit_test(test_a_burst_in_several_moments_is_one),
        cmocka_unit_test(test_what_was_accepted_long_before_is_no_part_of_the_burst),
        cmocka_unit_test(test_slow_paces_are_paces),
        cmocka_unit_test(test_only_the_newest_moments_are_kept),
        cmocka_unit_test(
            test_a_search_doubles_every_three_seconds_and_slower_where_replies_are_slow),
        cmocka_unit_test(test_it_grows_towards_the_ceiling_fast_around_it_slowly_and_beyond_fast),
        cmocka_unit_test(test_it_waits_at_its_beginning_while_it_is_paused),
        cmocka_unit_test(test_what_headers_tell_caps_it),
        cmocka_unit_test(test_what_headers_tell_is_the_first_pace),
        cmocka_unit_test(test_a_cap_is_no_pace),
        cmocka_unit_test(test_a_search_ends_a_little_below_what_met_the_limit),
        cmocka_unit_test(test_the_ceiling_lies_between_what_was_accepted_and_what_was_sent),
        cmocka_unit_test(test_far_less_accepted_is_believed_the_second_time),
        cmocka_unit_test(test_far_less_must_come_twice_in_a_row),
        cmocka_unit_test(test_a_burst_of_429s_lowers_it_once),
        cmocka_unit_test(test_half_a_second_counts_as_one_burst_at_least),
        cmocka_unit_test(test_it_waits_before_it_grows_again),
        cmocka_unit_test(test_latency_is_smoothed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
