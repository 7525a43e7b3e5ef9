/* Trials at twice the pace, which tell a limit from 429s that come whatever the pace. */
#include "tests/unit/pace_steps.h"

enum { PACE = 20, LONE = 32 };

/* Two 429s came, each after LONE requests were accepted; the next would be sent at the time. */
static struct pace tried(int64_t *now_ns) {
    struct pace pace = paced(PACE, PACE);
    pace.trial_after = 2;
    pace.marked_ns = 0;
    for (int i = 1; i <= 2; i++) {
        assert_true(pace.tried_from == 0);
        *now_ns = 100 * i * TIME_S;
        pace.per_s = pace.ceiling = PACE;
        pace.grown_ns = *now_ns;
        accept(&pace, LONE, 1e9, *now_ns - TIME_S);
        limit(&pace, *now_ns);
    }
    return pace;
}

static void test_two_lone_429s_make_a_trial_at_twice_the_pace(void **state) {
    int64_t now_ns;
    struct pace pace = tried(&now_ns);
    assert_near(pace.tried_from, PACE);
    assert_near(pace_at(&pace, now_ns), 2 * PACE);
    assert_false(pace.has_strays);
}

static void test_a_trial_passes_when_enough_was_accepted(void **state) {
    int64_t now_ns;
    struct pace pace = tried(&now_ns);
    int needed = (int)(pace.trial_passes - pace.accepted);
    assert_in_range(needed, 24, 2 * LONE);
    now_ns = accept(&pace, needed - 1, 2 * PACE, now_ns);
    assert_false(pace.has_strays);
    now_ns = accept(&pace, 1, 2 * PACE, now_ns);
    assert_true(pace.has_strays);
    assert_true(pace_at(&pace, now_ns) == 0);
}

static void test_a_429_ends_a_trial_below_the_pace_before_it(void **state) {
    int64_t now_ns;
    struct pace pace = tried(&now_ns);
    now_ns = accept(&pace, 20, 2 * PACE, now_ns + TIME_S);
    limit(&pace, now_ns);
    assert_true(pace.tried_from == 0);
    assert_true(pace_at(&pace, now_ns) < PACE);
    assert_true(pace_at(&pace, now_ns) > 0.7 * PACE);
    assert_false(pace.has_strays);
}

static void test_a_trial_that_failed_makes_the_next_one_rarer(void **state) {
    int64_t now_ns;
    struct pace pace = tried(&now_ns);
    limit(&pace, now_ns + TIME_S);
    int after = pace.trial_after;
    assert_true(after > 2);
    for (int i = 0; i < 100; i++) {
        pace.tried_from = 1;
        limit(&pace, now_ns + (10 + i) * TIME_S);
    }
    assert_int_equal(pace.trial_after, 6);
}

static void test_where_replies_take_long_no_trial_is_made(void **state) {
    struct pace pace = paced(PACE, PACE);
    pace.trial_after = 1;
    pace.marked_ns = 0;
    pace.latency_ns = 1e9; // 20 on their way before the first 429 is seen
    accept(&pace, LONE, 1e9, 10 * TIME_S);
    pace.latency_ns = 1e9;
    limit(&pace, 20 * TIME_S);
    assert_true(pace.tried_from == 0);
}

static void test_what_headers_tell_needs_no_trial(void **state) {
    struct pace pace = paced(PACE, PACE);
    pace.trial_after = 1;
    pace.marked_ns = 0;
    pace.cap = PACE;
    accept(&pace, LONE, 1e9, 10 * TIME_S);
    limit(&pace, 20 * TIME_S);
    assert_true(pace.tried_from == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_lone_429s_make_a_trial_at_twice_the_pace),
        cmocka_unit_test(test_a_trial_passes_when_enough_was_accepted),
        cmocka_unit_test(test_a_429_ends_a_trial_below_the_pace_before_it),
        cmocka_unit_test(test_a_trial_that_failed_makes_the_next_one_rarer),
        cmocka_unit_test(test_where_replies_take_long_no_trial_is_made),
        cmocka_unit_test(test_what_headers_tell_needs_no_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
