/* 429s that come whatever the pace. */
#include "tests/unit/pace_steps.h"

/* After 100 requests at 100 a second were accepted with one 429 among them. */
static struct pace kept_100(void) {
    struct pace pace = paced(100, 100);
    pace.grown_ns = 1000 * TIME_S;
    pace.marked_ns = 0;
    accept(&pace, 100, 100, TIME_S);
    limit(&pace, 2 * TIME_S);
    assert_near(pace.kept, 100);
    return pace;
}

static void lone_429(struct pace *pace, double per_s, int accepted, int64_t now_ns) {
    pace->per_s = pace->ceiling = per_s;
    pace->grown_ns = now_ns;
    accept(pace, accepted, 1e9, now_ns - TIME_S);
    limit(pace, now_ns);
}

static void test_lone_429s_far_below_a_kept_pace_are_strays(void **state) {
    struct pace pace = kept_100();
    for (int i = 1; i <= 3; i++) {
        assert_false(pace.has_strays);
        lone_429(&pace, 69, 16, (10 + i) * 5 * TIME_S);
    }
    assert_true(pace.has_strays);
    assert_true(pace_at(&pace, 1000 * TIME_S) == 0);
}

static void test_a_429_near_the_kept_pace_is_a_limit(void **state) {
    struct pace pace = kept_100();
    lone_429(&pace, 69, 16, 10 * TIME_S);
    lone_429(&pace, 69, 16, 20 * TIME_S);
    lone_429(&pace, 70, 16, 30 * TIME_S); // and the count begins anew
    lone_429(&pace, 69, 16, 40 * TIME_S);
    lone_429(&pace, 69, 16, 50 * TIME_S);
    assert_false(pace.has_strays);
    lone_429(&pace, 69, 16, 60 * TIME_S);
    assert_true(pace.has_strays);
}

static void test_429s_that_are_not_lone_are_no_strays(void **state) {
    struct pace pace = kept_100();
    for (int i = 1; i <= 10; i++)
        lone_429(&pace, 50, 15, 10 * i * TIME_S);
    assert_false(pace.has_strays);
    for (int i = 11; i <= 20; i++) {
        pace_note_turned_away(&pace); // two among 31
        lone_429(&pace, 50, 31, 10 * i * TIME_S);
    }
    assert_false(pace.has_strays);
}

static struct pace with_strays(void) {
    struct pace pace = kept_100();
    for (int i = 1; i <= 3; i++)
        lone_429(&pace, 50, 16, 10 * i * TIME_S);
    assert_true(pace.has_strays);
    return pace;
}

static void test_few_strays_stay_strays(void **state) {
    struct pace pace = with_strays();
    for (int i = 0; i < 1000; i++) {
        accept(&pace, 40, 1e9, (100 + i) * TIME_S);
        limit(&pace, (100 + i) * TIME_S);
        assert_true(pace.has_strays);
        assert_true(pace_at(&pace, (101 + i) * TIME_S) == 0);
    }
}

static void test_many_at_once_are_a_limit_again(void **state) {
    struct pace pace = with_strays();
    accept(&pace, 40, 1e9, 100 * TIME_S);
    for (int i = 0; i < 4; i++)
        limit(&pace, 100 * TIME_S); // 4 for 40
    assert_true(pace.has_strays);
    limit(&pace, 100 * TIME_S);
    assert_false(pace.has_strays);
    assert_true(pace.kept == 0);
    assert_int_equal(pace.strays_in_row, 0);
    pace = with_strays();
    for (int i = 0; i < 3; i++)
        limit(&pace, 100 * TIME_S);
    assert_true(pace.has_strays); // three are not many
    limit(&pace, 100 * TIME_S);
    assert_false(pace.has_strays);
}

static void test_old_requests_do_not_hide_a_new_limit(void **state) {
    struct pace pace = with_strays();
    for (int i = 0; i < 200; i++) {
        accept(&pace, 100, 1e9, (100 + i) * TIME_S);
        limit(&pace, (100 + i) * TIME_S);
    }
    int refused = 0;
    for (; pace.has_strays && refused < 1000; refused++)
        limit(&pace, 400 * TIME_S);
    assert_in_range(refused, 4, 200);
}

static void test_forgetting_a_limit_keeps_what_was_accepted(void **state) {
    struct pace pace = with_strays();
    int64_t accepted = pace.accepted;
    pace.per_s = pace.ceiling = 5;
    pace.far_in_row = 1;
    pace.turned_away = 1;
    pace_forget(&pace);
    assert_true(pace_at(&pace, 1000 * TIME_S) == 0);
    assert_false(pace.has_strays);
    assert_int_equal(pace.marked_ns, -1);
    assert_int_equal(pace.far_in_row, 0);
    assert_int_equal(pace.turned_away, 0);
    assert_int_equal(pace.accepted, accepted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lone_429s_far_below_a_kept_pace_are_strays),
        cmocka_unit_test(test_a_429_near_the_kept_pace_is_a_limit),
        cmocka_unit_test(test_429s_that_are_not_lone_are_no_strays),
        cmocka_unit_test(test_few_strays_stay_strays),
        cmocka_unit_test(test_many_at_once_are_a_limit_again),
        cmocka_unit_test(test_old_requests_do_not_hide_a_new_limit),
        cmocka_unit_test(test_forgetting_a_limit_keeps_what_was_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
