/* How requests are released after a pause, and when a limit is forgotten. */
#include "tests/unit/pacer_steps.h"

// ---- after the pause ----

static void test_after_a_pause_of_our_own_one_request_finds_out(void **state) {
    begin();
    send_all(20, TIME_S);
    accept_from(0, 19, TIME_S);
    limit(19, -1, TIME_S);
    int64_t now_ns = pacer.pause_until_ns;
    assert_int_equal(send_all(100, now_ns), 1);
    assert_int_equal(pacer_next_ns(&pacer, now_ns), now_ns + 2 * TIME_S); // patience
    accept_from(20, 1, now_ns + TIME_MS);
    assert_true(pacer_pace(&pacer, now_ns + TIME_MS) > 10); // and the pace is known
    assert_int_equal(send_all(100, now_ns + TIME_MS), 1);
}

static void test_after_a_told_pause_the_pace_is_that_of_the_burst(void **state) {
    begin();
    send_all(20, TIME_S);
    accept_from(0, 19, TIME_S);
    limit(19, 2 * TIME_S, TIME_S);
    assert_int_equal(send_all(100, 3 * TIME_S), 1);
    assert_true(pacer_pace(&pacer, 3 * TIME_S) > 8.8);
    assert_true(pacer_pace(&pacer, 3 * TIME_S) < 9);
}

static void test_where_nothing_was_accepted_before_one_request_finds_out(void **state) {
    begin();
    send_all(20, TIME_S);
    limit(0, TIME_S, TIME_S);
    assert_int_equal(send_all(100, 2 * TIME_S), 1);
    accept_from(20, 1, 2 * TIME_S);
    assert_true(pacer_pace(&pacer, 2 * TIME_S) == 0); // and nothing says what the pace may be
    assert_int_equal(send_all(100, 2 * TIME_S), 32);
}

static void test_a_second_429_in_a_row_says_no_pace_even_when_it_tells(void **state) {
    begin();
    send_all(20, TIME_S);
    accept_from(0, 19, TIME_S);
    limit(19, -1, TIME_S);
    send_one(pacer.pause_until_ns);
    limit(20, TIME_S, pacer.pause_until_ns);
    int64_t now_ns = pacer.pause_until_ns;
    assert_int_equal(send_all(100, now_ns), 1);
    assert_true(pacer_pace(&pacer, now_ns) == 0);
    accept_from(21, 1, now_ns);
    assert_true(pacer_pace(&pacer, now_ns) > 0);
}

static void test_a_told_pause_that_was_wrong_is_followed_by_one_request(void **state) {
    begin();
    send_all(20, TIME_S);
    accept_from(0, 19, TIME_S);
    limit(19, TIME_S, TIME_S);
    send_all(1, 2 * TIME_S);
    limit(20, TIME_S, 2 * TIME_S);
    assert_int_equal(send_all(100, 3 * TIME_S), 1);
    assert_int_equal(send_all(100, 4 * TIME_S), 0); // until it is answered
}

/* At a pace of 10 a second, which is not growing, nothing on its way. */
static void begin_paced(int64_t now_ns) {
    begin();
    pacer.limited_ns = pacer.felt_ns = now_ns;
    pacer.pace.per_s = pacer.pace.ceiling = 10;
    pacer.pace.grown_ns = TIME_NEVER - 1;
    pacer.due_ns = pacer.next_ns = now_ns;
}

static void test_requests_are_released_evenly(void **state) {
    int64_t now_ns = 10 * TIME_S;
    begin_paced(now_ns);
    for (int i = 0; i < 200; i++) {
        int64_t even_ns = 10 * TIME_S + i * (TIME_S / 10);
        assert_in_range(now_ns, even_ns - 10 * TIME_MS, even_ns + 10 * TIME_MS);
        assert_int_equal(send_all(100, now_ns), 1);
        accept_from(i, 1, now_ns);
        now_ns = pacer_next_ns(&pacer, now_ns);
    }
}

static void test_their_jitter_is_a_tenth_either_way(void **state) {
    int64_t now_ns = 10 * TIME_S;
    int64_t least_ns = TIME_S;
    int64_t most_ns = -TIME_S;
    begin_paced(now_ns);
    for (int i = 0; i < 500; i++) {
        send_one(now_ns);
        accept_from(i, 1, now_ns);
        now_ns = pacer_next_ns(&pacer, now_ns);
        int64_t off_ns = now_ns - 10 * TIME_S - (i + 1) * (TIME_S / 10);
        if (off_ns < least_ns) least_ns = off_ns;
        if (off_ns > most_ns) most_ns = off_ns;
    }
    assert_true(least_ns < -9 * TIME_MS && least_ns >= -10 * TIME_MS);
    assert_true(most_ns > 9 * TIME_MS && most_ns <= 10 * TIME_MS);
}

static void test_a_late_wake_up_is_made_good_but_not_more(void **state) {
    begin_paced(10 * TIME_S);
    assert_int_equal(send_all(100, 10 * TIME_S), 1);
    assert_int_equal(send_all(100, 10 * TIME_S + 150 * TIME_MS), 1);
    assert_int_equal(send_all(100, 10 * TIME_S + 211 * TIME_MS), 1); // 50 ms were made good
    assert_in_range(send_all(100, 20 * TIME_S), 1, 2);               // not 10 seconds
}

static void test_nothing_is_made_good_after_a_pause(void **state) {
    begin_paced(10 * TIME_S);
    send_all(1, 10 * TIME_S);
    limit(0, 10 * TIME_S, 10 * TIME_S);
    pacer.is_blind = false;
    assert_int_equal(send_all(100, 20 * TIME_S), 1);
    assert_int_equal(send_all(100, 20 * TIME_S + 80 * TIME_MS), 0);
}

static void test_the_window_does_not_hold_a_proven_pace_back(void **state) {
    begin_paced(10 * TIME_S);
    pacer.window = 500;
    pacer.pace.latency_ns = 10e9; // a hundred are on their way
    send_all(1, 10 * TIME_S);
    limit(0, TIME_S, 10 * TIME_S);
    assert_in_range(pacer.window, 150, 200);
    pacer.window = 64; // no more than was proven
    send_one(20 * TIME_S);
    pacer.limited_in_row = 0;
    limit(1, TIME_S, 30 * TIME_S);
    assert_int_equal(pacer.window, 64);
    pacer.pace.latency_ns = 0;
    send_one(40 * TIME_S);
    pacer.limited_in_row = 0;
    limit(2, TIME_S, 50 * TIME_S);
    assert_int_equal(pacer.window, 32);
}

static void test_a_pace_that_was_left_does_not_hold_the_next_one_back(void **state) {
    begin_paced(10 * TIME_S);
    pacer.pace.per_s = 0;
    pacer.due_ns = pacer.next_ns = 1000 * TIME_S;
    assert_int_equal(pacer_next_ns(&pacer, 11 * TIME_S), 0);
    pacer.pace.has_strays = true;
    pacer.next_ns = 1000 * TIME_S;
    assert_int_equal(pacer_next_ns(&pacer, 11 * TIME_S), 0);
    pacer.pace.has_strays = false;
    pacer.pace.cap = 10;
    assert_int_equal(pacer_next_ns(&pacer, 12 * TIME_S), 0); // found now
    assert_true(pacer_pace(&pacer, 12 * TIME_S) > 0);
}

static void test_a_slow_pace_is_kept_too(void **state) {
    begin_paced(10 * TIME_S);
    pacer.pace.per_s = pacer.pace.ceiling = 0.1;
    assert_int_equal(send_all(100, 10 * TIME_S), 1);
    assert_in_range(pacer_next_ns(&pacer, 10 * TIME_S), 19 * TIME_S, 21 * TIME_S);
}

// ---- forgetting ----

static void test_a_limit_that_nobody_feels_is_forgotten(void **state) {
    begin_paced(10 * TIME_S);
    send_all(1, 10 * TIME_S);
    accept_from(0, 1, 10 * TIME_S);
    assert_true(pacer_next_ns(&pacer, 10 * TIME_S) > 0); // felt
    pacer_next_ns(&pacer, 70 * TIME_S);
    assert_true(pacer_pace(&pacer, 70 * TIME_S) > 0);
    assert_int_equal(send_all(8, 70 * TIME_S + 1), 8);
    assert_true(pacer_pace(&pacer, 70 * TIME_S + 1) == 0);
}

static void test_a_limit_that_makes_somebody_wait_is_not_forgotten(void **state) {
    int64_t now_ns = 10 * TIME_S;
    begin_paced(now_ns);
    for (int i = 0; i < 2000; i++) {
        send_one(now_ns);
        accept_from(i, 1, now_ns);
        now_ns = pacer_next_ns(&pacer, now_ns);
    }
    assert_true(now_ns > 200 * TIME_S);
    assert_true(pacer_pace(&pacer, now_ns) > 0);
}

static void test_a_limit_of_late_is_not_forgotten(void **state) {
    begin();
    send_all(20, 1000 * TIME_S);
    accept_from(0, 19, 1000 * TIME_S);
    limit(19, TIME_S, 1000 * TIME_S); // the first ever
    send_all(1, 1001 * TIME_S);
    assert_true(pacer_pace(&pacer, 1001 * TIME_S) > 0);
}

static void test_with_a_limit_the_probing_is_forgotten(void **state) {
    begin();
    int64_t now_ns = TIME_S;
    for (int i = 0; i < 3; i++) {
        send_one(now_ns);
        limit(i, -1, now_ns);
        now_ns = pacer.pause_until_ns;
    }
    assert_int_equal(pacer.window, 1);
    now_ns += 100 * TIME_S;
    assert_int_equal(send_all(1000, now_ns), 32);
    limit(3, -1, now_ns);
    assert_true(pacer_pause_left_ns(&pacer, now_ns) <= TIME_S);
}

static void test_a_long_pause_is_not_forgotten(void **state) {
    begin();
    send_all(1, TIME_S);
    limit(0, 1000 * TIME_S, TIME_S);
    assert_int_equal(pacer_next_ns(&pacer, 500 * TIME_S), 1001 * TIME_S);
    assert_int_equal(pacer.limited_ns, TIME_S);
}

static void test_requests_from_before_do_not_fill_the_window_of_after(void **state) {
    begin();
    send_all(32, TIME_S);
    limit(0, TIME_S, TIME_S);
    pacer_next_ns(&pacer, 100 * TIME_S); // forgotten; 31 still hang
    assert_int_equal(send_all(100, 100 * TIME_S), 32);
    accept_from(1, 31, 100 * TIME_S); // and their late answers prove nothing
    assert_int_equal(send_all(100, 100 * TIME_S), 0);
    assert_int_equal(pacer.unanswered, 32);
}

// ---- headers ----

static void headers(const char *remaining, const char *reset, int64_t now_ns) {
    struct header told[] = {
        { slice_of("x-ratelimit-limit-requests"), slice_of("100") },
        { slice_of("x-ratelimit-remaining-requests"), slice_of(remaining) },
        { slice_of("x-ratelimit-reset-requests"), slice_of(reset) },
    };
    pacer_note_headers(&pacer, told, 3, now_ns, 0);
}

static void test_no_more_is_sent_than_the_headers_leave(void **state) {
    begin();
    send_all(1, TIME_S);
    accept_from(0, 1, TIME_S);
    headers("5", "95s", TIME_S);
    assert_int_equal(send_all(100, TIME_S), 5);
    assert_true(pacer_next_ns(&pacer, TIME_S) > TIME_S);
    assert_true(pacer_next_ns(&pacer, TIME_S) < 3 * TIME_S);
}

static void test_headers_of_a_429_set_the_pace(void **state) {
    begin();
    send_all(1, TIME_S);
    headers("0", "10s", TIME_S);
    limit(0, TIME_S, TIME_S);
    pacer_next_ns(&pacer, 2 * TIME_S);
    assert_true(pacer_pace(&pacer, 2 * TIME_S) > 9.6);
    assert_true(pacer_pace(&pacer, 20 * TIME_S) < 9.8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_a_pause_of_our_own_one_request_finds_out),
        cmocka_unit_test(test_after_a_told_pause_the_pace_is_that_of_the_burst),
        cmocka_unit_test(test_where_nothing_was_accepted_before_one_request_finds_out),
        cmocka_unit_test(test_a_second_429_in_a_row_says_no_pace_even_when_it_tells),
        cmocka_unit_test(test_a_pace_that_was_left_does_not_hold_the_next_one_back),
        cmocka_unit_test(test_a_slow_pace_is_kept_too),
        cmocka_unit_test(test_a_limit_of_late_is_not_forgotten),
        cmocka_unit_test(test_with_a_limit_the_probing_is_forgotten),
        cmocka_unit_test(test_a_told_pause_that_was_wrong_is_followed_by_one_request),
        cmocka_unit_test(test_requests_are_released_evenly),
        cmocka_unit_test(test_their_jitter_is_a_tenth_either_way),
        cmocka_unit_test(test_a_late_wake_up_is_made_good_but_not_more),
        cmocka_unit_test(test_nothing_is_made_good_after_a_pause),
        cmocka_unit_test(test_the_window_does_not_hold_a_proven_pace_back),
        cmocka_unit_test(test_a_limit_that_nobody_feels_is_forgotten),
        cmocka_unit_test(test_a_limit_that_makes_somebody_wait_is_not_forgotten),
        cmocka_unit_test(test_a_long_pause_is_not_forgotten),
        cmocka_unit_test(test_requests_from_before_do_not_fill_the_window_of_after),
        cmocka_unit_test(test_no_more_is_sent_than_the_headers_leave),
        cmocka_unit_test(test_headers_of_a_429_set_the_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
