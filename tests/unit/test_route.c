#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/policy/route.h"

enum { PATIENCE_S = 5, WAIT_MAX_S = 60 };

static const struct retry_decision again_at_once = { RETRY_AGAIN, RETRY_BACKOFF, 0 };
static const struct retry_decision no_more = { RETRY_GIVE_UP, RETRY_ATTEMPTS_SPENT, 0 };

#define FRESH                                                                                      \
    { .usable = true, .admits = true }

static struct route_choice begin(const struct route_member *members, size_t count) {
    return route_choose(members, count, 0, NULL, NULL, PATIENCE_S * TIME_S, WAIT_MAX_S * TIME_S);
}

static struct route_choice after(const struct route_member *members, size_t count, size_t last,
                                 enum failure_class class, const struct retry_decision *same) {
    struct failure failure = { .class = class };
    return route_choose(members, count, last, &failure, same, PATIENCE_S * TIME_S,
                        WAIT_MAX_S * TIME_S);
}

static void assert_member(struct route_choice choice, size_t member) {
    assert_true(choice.found);
    assert_int_equal(choice.member, member);
}

static void test_the_first_provider_is_asked_first(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    assert_member(begin(members, 2), 0);
}

static void test_an_open_breaker_is_skipped(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    members[0].admits = false;
    assert_member(begin(members, 2), 1);
}

static void test_a_provider_without_a_key_is_skipped(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    members[0].usable = false;
    assert_member(begin(members, 2), 1);
}

static void test_a_long_pause_is_skipped_and_a_short_one_waited_out(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    members[0].wait_ns = PATIENCE_S * TIME_S;
    assert_member(begin(members, 2), 0);
    members[0].wait_ns++;
    assert_member(begin(members, 2), 1);
}

static void test_when_all_rest_the_one_that_rests_shortest_is_asked(void **state) {
    struct route_member members[] = { FRESH, FRESH, FRESH };
    members[0].wait_ns = 30 * TIME_S;
    members[1].wait_ns = 20 * TIME_S;
    members[2].wait_ns = 40 * TIME_S;
    assert_member(begin(members, 3), 1);
}

static void test_nobody_is_asked_who_is_paused_longer_than_may_be_waited(void **state) {
    struct route_member members[] = { FRESH };
    members[0].wait_ns = WAIT_MAX_S * TIME_S + 1;
    assert_false(begin(members, 1).found);
    assert_false(begin(members, 1).all_refused);
}

static void test_that_all_breakers_are_open_is_told_apart(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    members[0].admits = members[1].admits = false;
    struct route_choice choice = begin(members, 2);
    assert_false(choice.found);
    assert_true(choice.all_refused);
}

static void test_a_failure_is_retried_where_it_happened(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    members[0].tried = true;
    assert_member(after(members, 2, 0, FAILURE_SERVER, &again_at_once), 0);
}

static void test_a_told_wait_longer_than_the_patience_moves_on(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    struct retry_decision told = { RETRY_AGAIN, RETRY_TOLD, PATIENCE_S * TIME_S };
    members[0].tried = true;
    assert_member(after(members, 2, 0, FAILURE_RATE_LIMIT, &told), 0);
    told.delay_ns++;
    assert_member(after(members, 2, 0, FAILURE_RATE_LIMIT, &told), 1);
}

static void test_a_long_told_wait_is_waited_out_when_nobody_else_is_there(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    struct retry_decision told = { RETRY_AGAIN, RETRY_TOLD, 20 * TIME_S };
    members[0].tried = true;
    members[0].wait_ns = 20 * TIME_S;
    members[1].usable = false;
    assert_member(after(members, 2, 0, FAILURE_RATE_LIMIT, &told), 0);
}

static void test_spent_attempts_move_on_to_the_next(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    members[0].tried = true;
    assert_member(after(members, 2, 0, FAILURE_SERVER, &no_more), 1);
}

static void test_who_was_silent_is_not_asked_again_before_the_others_were(void **state) {
    struct route_member members[] = { FRESH, FRESH };
    members[0].tried = members[0].silent = true;
    assert_member(after(members, 2, 0, FAILURE_TIMEOUT, &again_at_once), 1);
    members[1].tried = true;
    assert_member(after(members, 2, 1, FAILURE_SERVER, &no_more), 0);
}

static void test_who_was_not_asked_comes_before_who_was(void **state) {
    struct route_member members[] = { FRESH, FRESH, FRESH };
    members[0].tried = members[1].tried = true;
    assert_member(after(members, 3, 1, FAILURE_SERVER, &no_more), 2);
}

static void test_what_others_would_repeat_ends_the_route(void **state) {
    static const struct {
        enum failure_class class;
        bool ends;
    } rows[] = {
        { FAILURE_VALIDATION, true },      { FAILURE_CONTENT_FILTER, true },
        { FAILURE_CANCELLED, true },       { FAILURE_INTERNAL, true },
        { FAILURE_AUTH, false },           { FAILURE_BILLING, false },
        { FAILURE_PERMISSION, false },     { FAILURE_NOT_FOUND, false },
        { FAILURE_CONTEXT_LENGTH, false }, { FAILURE_RATE_LIMIT, false },
        { FAILURE_OVERLOADED, false },     { FAILURE_STREAM_TRUNCATED, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct route_member members[] = { FRESH, FRESH };
        members[0].tried = true;
        assert_int_equal(after(members, 2, 0, rows[i].class, &no_more).found, !rows[i].ends);
    }
}

static void test_silence_is_a_timeout_or_a_stall(void **state) {
    for (int class = FAILURE_NONE; class < FAILURE_CLASS_COUNT; class ++) {
        struct failure failure = { .class = class };
        bool expected = class == FAILURE_TIMEOUT || class == FAILURE_STREAM_STALLED;
        assert_int_equal(route_is_silence(&failure), expected);
    }
}

static void test_a_gateway_timeout_is_an_answer(void **state) {
    struct failure failure = { .class = FAILURE_TIMEOUT, .http_status = 504 };
    assert_false(route_is_silence(&failure));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_provider_is_asked_first),
        cmocka_unit_test(test_an_open_breaker_is_skipped),
        cmocka_unit_test(test_a_provider_without_a_key_is_skipped),
        cmocka_unit_test(test_a_long_pause_is_skipped_and_a_short_one_waited_out),
        cmocka_unit_test(test_when_all_rest_the_one_that_rests_shortest_is_asked),
        cmocka_unit_test(test_nobody_is_asked_who_is_paused_longer_than_may_be_waited),
        cmocka_unit_test(test_that_all_breakers_are_open_is_told_apart),
        cmocka_unit_test(test_a_failure_is_retried_where_it_happened),
        cmocka_unit_test(test_a_told_wait_longer_than_the_patience_moves_on),
        cmocka_unit_test(test_a_long_told_wait_is_waited_out_when_nobody_else_is_there),
        cmocka_unit_test(test_spent_attempts_move_on_to_the_next),
        cmocka_unit_test(test_who_was_silent_is_not_asked_again_before_the_others_were),
        cmocka_unit_test(test_who_was_not_asked_comes_before_who_was),
        cmocka_unit_test(test_what_others_would_repeat_ends_the_route),
        cmocka_unit_test(test_silence_is_a_timeout_or_a_stall),
        cmocka_unit_test(test_a_gateway_timeout_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
