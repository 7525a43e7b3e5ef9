/*
 * A thousand requests that wait at once, at servers of several kinds. What is promised: on a limit
 * of 20 a second, at most 1.05 requests sent for each that was accepted, and all accepted in at
 * most 1.25 times the time that the limit allows; a server without a limit is not slowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/limiters.h"

enum { SEEDS = 10 };

static const double sent_most = 1.05;
static const double time_most = 1.25;

static struct crowd crowd;
static struct limiter limiter;

static const char *const kinds[] = { "none", "fixed window", "sliding window", "token bucket",
                                     "strays" };
static const char *const tells[] = { "no hint", "exact hints", "hints in seconds" };

static double seconds_taken(void) {
    return limiter_seconds(crowd.ended_ns - TIME_S);
}

static void run(int requests, double latency_s, uint64_t seed) {
    if (!crowd_run(&crowd, &limiter, requests, latency_s, seed, 1e5))
        fail_msg("seed %llu: %d of %d requests were accepted", (unsigned long long)seed,
                 crowd.accepted, requests);
}

static int check(double latency_s, uint64_t seed, double sent_max, double time_max) {
    double ideal_s = 1000 / (limiter.limit / limiter.window_s) + latency_s;
    run(1000, latency_s, seed);
    double ratio = (double)crowd.sent / crowd.accepted;
    double time = seconds_taken() / ideal_s;
    if (ratio <= sent_max && time <= time_max && crowd.attempts_most <= 3) return 0;
    print_error("%s, %s, %s, latency %g s, seed %llu: %.3f sent for each, %.3f of the time, "
                "%d attempts\n",
                kinds[limiter.kind], tells[limiter.tells],
                limiter.has_headers ? "headers" : "no headers", latency_s, (unsigned long long)seed,
                ratio, time, crowd.attempts_most);
    return 1;
}

static int check_kind(enum limiter_kind kind, double latency_s) {
    int wrong = 0;
    for (int told = TELLS_NOTHING; told <= TELLS_SECONDS; told++)
        for (int has_headers = 0; has_headers < 2; has_headers++)
            for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                limiter = (struct limiter){ .kind = kind,
                                            .limit = 20,
                                            .window_s = 1,
                                            .tells = told,
                                            .has_headers = has_headers };
                wrong += check(latency_s, seed, sent_most, time_most);
            }
    return wrong;
}

static int check_limiters(double latency_s) {
    int wrong = 0;
    for (int kind = LIMITER_FIXED; kind <= LIMITER_BUCKET; kind++)
        wrong += check_kind(kind, latency_s);
    return wrong;
}

static void test_a_limit_is_met_gently_when_replies_come_at_once(void **state) {
    assert_int_equal(check_limiters(0), 0);
}

static void test_a_limit_is_met_gently_when_replies_take_50_milliseconds(void **state) {
    assert_int_equal(check_limiters(0.05), 0);
}

static void test_a_limit_is_met_gently_when_replies_take_a_second(void **state) {
    assert_int_equal(check_limiters(1), 0);
}

static void test_a_limit_is_met_when_replies_take_three_seconds(void **state) {
    int wrong = 0;
    for (int kind = LIMITER_FIXED; kind <= LIMITER_BUCKET; kind++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            limiter = (struct limiter){ .kind = kind, .limit = 20, .window_s = 1 };
            wrong += check(3, seed, 1.10, 1.4); // too late to be gentle
        }
    assert_int_equal(wrong, 0);
}

static void test_a_limit_a_minute_is_kept_by_its_headers(void **state) {
    int wrong = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        limiter = (struct limiter){
            .kind = LIMITER_BUCKET, .limit = 500, .window_s = 60, .has_headers = true
        };
        wrong += check(1, seed, 1.02, 1.1);
    }
    assert_int_equal(wrong, 0);
}

static void test_a_large_limit_is_used(void **state) {
    for (uint64_t seed = 1; seed <= 3; seed++) {
        limiter = (struct limiter){ .kind = LIMITER_BUCKET, .limit = 200, .window_s = 1 };
        run(10000, 0.05, seed);
        assert_true(crowd.sent <= 10500);
        assert_true(seconds_taken() <= 1.1 * 50);
    }
}

static void test_ten_thousand_at_once_are_sent_within_a_few_round_trips(void **state) {
    static const double latencies_s[] = { 0.001, 0.1, 1 };
    for (size_t i = 0; i < 3; i++) {
        limiter = (struct limiter){ .kind = LIMITER_NONE };
        run(10000, latencies_s[i], 1);
        assert_int_equal(crowd.sent, 10000);
        assert_true(limiter_seconds(crowd.all_sent_ns - TIME_S) < 4.01 * latencies_s[i]);
    }
}

static void test_a_thousand_streams_start_within_milliseconds_at_a_healthy_server(void **state) {
    limiter = (struct limiter){ .kind = LIMITER_NONE };
    run(1000, 0.001, 1);
    assert_true(limiter_seconds(crowd.all_sent_ns - TIME_S) < 0.0031);
}

static void test_a_server_that_thinks_for_long_is_given_more_meanwhile(void **state) {
    limiter = (struct limiter){ .kind = LIMITER_NONE };
    run(100, 20, 1);
    assert_true(limiter_seconds(crowd.all_sent_ns - TIME_S) < 4.01);
}

/* Each 429 pauses everybody, so a hundred of them take as long as they take; but no longer. */
static void test_429s_that_come_by_chance_pause_but_do_not_strangle(void **state) {
    static const double latencies_s[] = { 0.001, 0.1, 1 };
    for (int told = TELLS_NOTHING; told <= TELLS_SECONDS; told++)
        for (size_t i = 0; i < 3; i++) {
            limiter = (struct limiter){
                .kind = LIMITER_STRAY, .window_s = 1, .stray = 0.01, .tells = told
            };
            run(10000, latencies_s[i], 1);
            double paused_s = told == TELLS_NOTHING ? 0.75 : 1;
            double expected_s = crowd.limited * (paused_s + 2 * latencies_s[i]);
            if (seconds_taken() > expected_s + 30)
                fail_msg("%s, latency %g s: %g s for %d pauses", tells[told], latencies_s[i],
                         seconds_taken(), crowd.limited);
            assert_true(crowd.attempts_most <= 4);
        }
}

static void test_nobody_is_sent_before_the_told_time(void **state) {
    limiter = (struct limiter){ .kind = LIMITER_FIXED, .limit = 5, .window_s = 10 };
    limiter.tells = TELLS_SECONDS;
    run(50, 0.05, 1);
    assert_true(crowd.early == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_limit_is_met_gently_when_replies_come_at_once),
        cmocka_unit_test(test_a_limit_is_met_gently_when_replies_take_50_milliseconds),
        cmocka_unit_test(test_a_limit_is_met_gently_when_replies_take_a_second),
        cmocka_unit_test(test_a_limit_is_met_when_replies_take_three_seconds),
        cmocka_unit_test(test_a_limit_a_minute_is_kept_by_its_headers),
        cmocka_unit_test(test_a_large_limit_is_used),
        cmocka_unit_test(test_ten_thousand_at_once_are_sent_within_a_few_round_trips),
        cmocka_unit_test(test_a_thousand_streams_start_within_milliseconds_at_a_healthy_server),
        cmocka_unit_test(test_a_server_that_thinks_for_long_is_given_more_meanwhile),
        cmocka_unit_test(test_429s_that_come_by_chance_pause_but_do_not_strangle),
        cmocka_unit_test(test_nobody_is_sent_before_the_told_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
