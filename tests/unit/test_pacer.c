/* The window, the tickets and the pause. What comes after a pause is in test_pacer_release.c, what
 * becomes of a crowd in test_pacer_crowd.c. */
#include "tests/unit/pacer_steps.h"

// ---- the window ----

static void test_eight_prompts_start_at_once(void **state) {
    begin();
    assert_int_equal(send_all(8, TIME_S), 8);
    assert_int_equal(pacer_next_ns(&pacer, TIME_S), 0);
}

static void test_a_burst_of_unknown_fate_is_bounded(void **state) {
    begin();
    assert_int_equal(send_all(1000, TIME_S), 32);
    assert_int_equal(pacer.unanswered, 32);
}

static void test_a_window_grows_fourfold_when_most_of_it_was_accepted(void **state) {
    begin();
    send_all(1000, TIME_S);
    accept_from(0, 23, TIME_S);
    assert_int_equal(send_all(1000, TIME_S), 0); // the rest may be turned away
    accept_from(23, 1, TIME_S);
    assert_int_equal(send_all(1000, TIME_S), 128 - 8);
    accept_from(24, 95, TIME_S);
    assert_int_equal(send_all(1000, TIME_S), 0);
    accept_from(119, 1, TIME_S);
    assert_int_equal(send_all(1000, TIME_S), 512 - 32);
}

static void test_a_window_that_is_not_reached_proves_nothing(void **state) {
    begin();
    for (int i = 0; i < 1000; i++) {
        send_one(TIME_S);
        accept_from(i, 1, TIME_S);
    }
    assert_int_equal(send_all(1000, TIME_S), 32);
}

static void test_requests_on_their_way_do_not_fill_the_window_for_ever(void **state) {
    begin();
    send_all(2, TIME_S);
    for (int i = 0; i < 100; i++) { // never more than two at once
        accept_from(i, 1, TIME_S);
        send_one(TIME_S);
    }
    assert_int_equal(pacer.unanswered, 2);
    assert_int_equal(send_all(1000, TIME_S), 30);
}

static void test_requests_that_end_otherwise_free_their_places(void **state) {
    begin();
    send_all(1000, TIME_S);
    for (int i = 0; i < 10; i++)
        pacer_note_ended(&pacer, &tickets[i]);
    assert_int_equal(pacer.unanswered, 22);
    assert_int_equal(send_all(1000, TIME_S), 10);
}

static void test_a_window_that_was_answered_but_not_accepted_is_opened_again(void **state) {
    begin();
    send_all(1000, TIME_S);
    accept_from(0, 20, TIME_S);
    for (int i = 20; i < 32; i++)
        pacer_note_ended(&pacer, &tickets[i]);
    assert_int_equal(send_all(1000, TIME_S), 32); // not grown, not stuck
}

static void test_patience_ends(void **state) {
    begin();
    send_all(1000, TIME_S);
    assert_int_equal(pacer_next_ns(&pacer, TIME_S), 3 * TIME_S);
    assert_int_equal(send_all(1000, 3 * TIME_S - 1), 0);
    assert_int_equal(send_all(1000, 3 * TIME_S), 32);
    assert_int_equal(pacer_next_ns(&pacer, 3 * TIME_S), 5 * TIME_S);
    assert_int_equal(send_all(1000, 5 * TIME_S), 64);
}

static void test_patience_does_not_end_for_ever(void **state) {
    begin();
    int64_t now_ns = TIME_S;
    int64_t next_ns = 0;
    for (int i = 0; i < 20 && next_ns != TIME_NEVER; i++) {
        send_all(TICKETS - sent, now_ns);
        next_ns = pacer_next_ns(&pacer, now_ns);
        now_ns = next_ns;
    }
    assert_true(next_ns == TIME_NEVER); // only an answer frees it
    assert_int_equal(sent, 1024);
    accept_from(0, 768, 100 * TIME_S);
    assert_true(send_all(TICKETS - sent, 100 * TIME_S) > 3000);
}

static void test_the_window_has_an_end(void **state) {
    begin();
    pacer.window = 1 << 19;
    pacer.in_window = pacer.unanswered = pacer.window_unanswered = pacer.window - 1;
    pacer.proven = pacer.window;
    send_one(TIME_S);
    accept_from(0, 1, TIME_S);
    assert_int_equal(pacer.window, 1 << 20);
}

static void test_looking_changes_nothing(void **state) {
    begin();
    send_all(31, TIME_S);
    assert_true(pacer_would_allow(&pacer, TIME_S));
    send_all(1, TIME_S);
    assert_false(pacer_would_allow(&pacer, TIME_S));
    assert_true(pacer_would_allow(&pacer, 3 * TIME_S)); // patience would end
    assert_int_equal(pacer.window, 32);
}

// ---- tickets ----

static void test_each_ticket_frees_its_place_once(void **state) {
    begin();
    send_all(4, TIME_S);
    for (int i = 0; i < 3; i++) {
        pacer_note_accepted(&pacer, &tickets[0], TIME_S);
        pacer_note_ended(&pacer, &tickets[0]);
        pacer_note_ended(&pacer, &tickets[1]);
        pacer_note_accepted(&pacer, &tickets[1], TIME_S);
        limit(2, TIME_S, TIME_S);
        pacer_note_ended(&pacer, &tickets[2]);
    }
    assert_int_equal(pacer.unanswered, 1);
    assert_int_equal(pacer.pace.accepted, 1);
}

static void test_a_ticket_that_was_never_sent_changes_nothing(void **state) {
    struct pacer_ticket never = { 0 };
    begin();
    send_all(4, TIME_S);
    pacer_note_ended(&pacer, &never);
    pacer_note_accepted(&pacer, &never, TIME_S);
    assert_int_equal(pacer.unanswered, 4);
    assert_int_equal(pacer.pace.accepted, 0);
}

static void test_a_stream_may_be_limited_after_it_was_accepted(void **state) {
    begin();
    send_all(1, TIME_S);
    accept_from(0, 1, TIME_S);
    limit(0, 5 * TIME_S, TIME_S);
    assert_int_equal(pacer.unanswered, 0);
    assert_int_equal(pacer_pause_left_ns(&pacer, TIME_S), 5 * TIME_S);
}

// ---- the pause ----

static void test_a_429_pauses_everybody_for_as_long_as_told(void **state) {
    begin();
    send_all(4, TIME_S);
    limit(0, 5 * TIME_S, TIME_S);
    assert_int_equal(pacer_next_ns(&pacer, TIME_S), 6 * TIME_S);
    assert_int_equal(pacer_pause_left_ns(&pacer, 2 * TIME_S), 4 * TIME_S);
    assert_int_equal(send_all(10, 6 * TIME_S - 1), 0);
    assert_int_equal(pacer_pause_left_ns(&pacer, 6 * TIME_S), 0);
    assert_true(send_all(10, 6 * TIME_S) > 0);
}

static void test_news_never_shorten_a_pause(void **state) {
    begin();
    send_all(4, TIME_S);
    limit(0, 5 * TIME_S, TIME_S);
    limit(1, TIME_S, TIME_S);
    limit(2, -1, TIME_S);
    accept_from(3, 1, TIME_S);
    assert_int_equal(pacer_pause_left_ns(&pacer, TIME_S), 5 * TIME_S);
    limit(1, 7 * TIME_S, TIME_S); // but they lengthen it, of the same burst too
    assert_int_equal(pacer_pause_left_ns(&pacer, TIME_S), 7 * TIME_S);
}

static void test_a_told_pause_lasts_a_tenth_of_a_second_at_least(void **state) {
    begin();
    send_all(1, TIME_S);
    limit(0, TIME_MS, TIME_S);
    assert_int_equal(pacer_pause_left_ns(&pacer, TIME_S), TIME_S / 10);
}

static void test_our_own_pause_is_half_to_a_whole_second(void **state) {
    int64_t least_ns = TIME_NEVER;
    int64_t most_ns = 0;
    for (int i = 0; i < 1000; i++) {
        begin();
        send_all(1, TIME_S);
        limit(0, i % 2 ? -1 : 0, TIME_S);
        int64_t left_ns = pacer_pause_left_ns(&pacer, TIME_S);
        if (left_ns < least_ns) least_ns = left_ns;
        if (left_ns > most_ns) most_ns = left_ns;
    }
    assert_in_range(least_ns, TIME_S / 2, TIME_S / 2 + 20 * TIME_MS);
    assert_in_range(most_ns, TIME_S - 20 * TIME_MS, TIME_S);
}

static void test_our_own_pause_doubles_while_nothing_is_accepted(void **state) {
    begin();
    int64_t now_ns = TIME_S;
    for (int64_t whole_ns = TIME_S; whole_ns < 100 * TIME_S; whole_ns *= 2) {
        int64_t max_ns = whole_ns < 30 * TIME_S ? whole_ns : 30 * TIME_S;
        send_one(now_ns);
        limit(sent - 1, -1, now_ns);
        assert_in_range(pacer_pause_left_ns(&pacer, now_ns), max_ns / 2, max_ns);
        now_ns = pacer.pause_until_ns;
    }
    send_one(now_ns);
    accept_from(sent - 1, 1, now_ns);
    send_one(now_ns);
    limit(sent - 1, -1, now_ns);
    assert_in_range(pacer_pause_left_ns(&pacer, now_ns), TIME_S / 2, TIME_S);
}

static void test_one_burst_pauses_once(void **state) {
    begin();
    send_all(8, TIME_S);
    for (int i = 0; i < 8; i++)
        limit(i, -1, TIME_S + i);
    assert_int_equal(pacer.limited_in_row, 1);
    assert_true(pacer_pause_left_ns(&pacer, TIME_S + 7) <= TIME_S);
    assert_int_equal(pacer.pace.turned_away, 7); // since the first
}

static void test_a_late_429_of_the_same_burst_that_tells_nothing_pauses_no_longer(void **state) {
    begin();
    send_all(2, TIME_S);
    limit(0, -1, TIME_S);
    int64_t until_ns = pacer.pause_until_ns;
    limit(1, -1, until_ns - TIME_MS);
    assert_int_equal(pacer.pause_until_ns, until_ns);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eight_prompts_start_at_once),
        cmocka_unit_test(test_a_burst_of_unknown_fate_is_bounded),
        cmocka_unit_test(test_a_window_grows_fourfold_when_most_of_it_was_accepted),
        cmocka_unit_test(test_a_window_that_is_not_reached_proves_nothing),
        cmocka_unit_test(test_requests_on_their_way_do_not_fill_the_window_for_ever),
        cmocka_unit_test(test_requests_that_end_otherwise_free_their_places),
        cmocka_unit_test(test_a_window_that_was_answered_but_not_accepted_is_opened_again),
        cmocka_unit_test(test_patience_ends),
        cmocka_unit_test(test_patience_does_not_end_for_ever),
        cmocka_unit_test(test_the_window_has_an_end),
        cmocka_unit_test(test_looking_changes_nothing),
        cmocka_unit_test(test_each_ticket_frees_its_place_once),
        cmocka_unit_test(test_a_ticket_that_was_never_sent_changes_nothing),
        cmocka_unit_test(test_a_stream_may_be_limited_after_it_was_accepted),
        cmocka_unit_test(test_a_429_pauses_everybody_for_as_long_as_told),
        cmocka_unit_test(test_news_never_shorten_a_pause),
        cmocka_unit_test(test_a_told_pause_lasts_a_tenth_of_a_second_at_least),
        cmocka_unit_test(test_our_own_pause_is_half_to_a_whole_second),
        cmocka_unit_test(test_our_own_pause_doubles_while_nothing_is_accepted),
        cmocka_unit_test(test_one_burst_pauses_once),
        cmocka_unit_test(test_a_late_429_of_the_same_burst_that_tells_nothing_pauses_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
