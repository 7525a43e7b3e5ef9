#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/policy/hint.h"

enum { HEADERS_MAX = 8 };

static const char date[] = "Wed, 21 Oct 2026 07:28:00 GMT";
static const int64_t date_ns = INT64_C(1792567680) * TIME_S;

struct asked {
    const char *headers[HEADERS_MAX][2];
    const char *body;
    enum failure_class class; /* rate_limit unless said */
    int status;               /* 429 unless said */
    int64_t wall_ns;
};

static int64_t told_ns(const struct asked *asked) {
    struct header headers[HEADERS_MAX];
    struct failure_body body;
    size_t count = 0;
    for (; count < HEADERS_MAX && asked->headers[count][0]; count++)
        headers[count] = (struct header){ slice_of(asked->headers[count][0]),
                                          slice_of(asked->headers[count][1]) };
    struct failed_reply reply = { .status = asked->status ? asked->status : 429,
                                  .headers = headers,
                                  .header_count = count,
                                  .wall_ns = asked->wall_ns };
    failure_body_read(slice_of(asked->body), &body);
    int64_t ns =
        hint_retry_after_ns(&reply, &body, asked->class ? asked->class : FAILURE_RATE_LIMIT);
    failure_body_finish(&body);
    return ns;
}

#define ASSERT_TOLD(ns, ...)                                                                       \
    do {                                                                                           \
        static const struct asked asked = { __VA_ARGS__ };                                         \
        assert_int_equal(told_ns(&asked), ns);                                                     \
    } while (0)

static int64_t message_ns(const char *message, enum failure_class class) {
    char text[300];
    snprintf(text, sizeof(text), "{\"error\":{\"message\":\"%s\"}}", message);
    struct asked asked = { .body = text, .class = class };
    return told_ns(&asked);
}

// ---- headers ----

static void test_headers_are_found_without_case_and_trimmed(void **state) {
    static const struct header headers[] = { { { "A-b", 3 }, { " 1 ", 3 } },
                                             { { "a-B", 3 }, { "2", 1 } } };
    assert_true(slice_equals(header_find(headers, 2, "a-b"), "1"));
    assert_null(header_find(headers, 2, "a-c").data);
    assert_null(header_find(NULL, 0, "a-c").data);
}

static void test_x_should_retry_is_true_false_or_absent(void **state) {
    static const struct {
        const char *value;
        int said;
    } rows[] = { { "true", 1 }, { "TRUE ", 1 }, { "false", 0 }, { "False", 0 }, { "maybe", -1 } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct header header = { slice_of("X-Should-Retry"), slice_of(rows[i].value) };
        assert_int_equal(hint_should_retry(&header, 1), rows[i].said);
    }
    assert_int_equal(hint_should_retry(NULL, 0), -1);
}

static void test_milliseconds_win_over_seconds(void **state) {
    ASSERT_TOLD(1500 * TIME_MS,
                .headers = { { "retry-after", "9" }, { "retry-after-ms", "1500" } });
    ASSERT_TOLD(500 * TIME_MS + 250000, .headers = { { "Retry-After-Ms", "500.25" } });
    ASSERT_TOLD(7 * TIME_MS, .headers = { { "x-ms-retry-after-ms", "7" } });
    ASSERT_TOLD(7 * TIME_MS,
                .headers = { { "retry-after-ms", "7" }, { "x-ms-retry-after-ms", "8" } });
}

static void test_seconds_may_have_a_fraction(void **state) {
    ASSERT_TOLD(20 * TIME_S, .headers = { { "retry-after", " 20 " } });
    ASSERT_TOLD(1500 * TIME_MS, .headers = { { "retry-after", "1.5" } });
    ASSERT_TOLD(86400 * TIME_S, .headers = { { "retry-after", "86400" } });
    ASSERT_TOLD(90 * TIME_S, .headers = { { "retry-after", "1m30s" } });
}

static void test_dates_are_told_from_the_replys_own(void **state) {
    ASSERT_TOLD(30 * TIME_S, .headers = { { "date", date },
                                          { "retry-after", "Wed, 21 Oct 2026 07:28:30 GMT" } });
    ASSERT_TOLD(30 * TIME_S, .headers = { { "date", date },
                                          { "retry-after", "Wednesday, 21-Oct-26 07:28:30 GMT" } });
    ASSERT_TOLD(30 * TIME_S,
                .headers = { { "date", date }, { "retry-after", "Wed Oct 21 07:28:30 2026" } });
    ASSERT_TOLD(30 * TIME_S,
                .headers = { { "date", date }, { "retry-after", "Wed, 21 Oct 2026 07:28:30 GMT" } },
                .wall_ns = 5); // however wrong our clock is
}

static void test_an_instant_may_be_written_as_in_json(void **state) {
    ASSERT_TOLD(30 * TIME_S,
                .headers = { { "date", date }, { "retry-after", "2026-10-21T07:28:30Z" } });
    ASSERT_TOLD(30 * TIME_S,
                .headers = { { "date", date },
                             { "x-ratelimit-remaining", "0" },
                             { "x-ratelimit-reset", "Wed, 21 Oct 2026 07:28:30 GMT" } });
}

static void test_of_several_the_longest_keeps_to_all(void **state) {
    ASSERT_TOLD(30 * TIME_S, .headers = { { "retry-after", "2" }, { "Retry-After", "30" } });
    ASSERT_TOLD(30 * TIME_S, .headers = { { "retry-after", "30" }, { "retry-after", "2" } });
    ASSERT_TOLD(30 * TIME_S, .headers = { { "retry-after", "soon" }, { "retry-after", "30" } });
}

static void test_our_clock_helps_where_the_reply_has_no_date(void **state) {
    static const struct asked told = { .headers = {
                                           { "retry-after", "Wed, 21 Oct 2026 07:28:30 GMT" } } };
    assert_int_equal(told_ns(&told), -1);
    struct asked with_clock = told;
    with_clock.wall_ns = date_ns;
    assert_int_equal(told_ns(&with_clock), 30 * TIME_S);
}

static void test_the_time_of_a_reply_is_its_date_or_ours(void **state) {
    static const struct header header = { { "Date", 4 }, { date, sizeof(date) - 1 } };
    assert_int_equal(hint_reply_wall_ns(&header, 1, 5), date_ns);
    assert_int_equal(hint_reply_wall_ns(NULL, 0, 5), 5);
}

static void test_what_is_not_above_zero_was_not_told(void **state) {
    ASSERT_TOLD(-1, .headers = { { "retry-after", "0" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after", "0.0" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after", "-5" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after", "NaN" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after", "soon" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after", "" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after", "0s" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after", "5 seconds" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after-ms", "0" } });
    ASSERT_TOLD(-1, .headers = { { "retry-after-ms", "x" } });
    ASSERT_TOLD(
        -1, .headers = { { "date", date }, { "retry-after", "Wed, 21 Oct 2026 07:28:00 GMT" } });
    ASSERT_TOLD(
        -1, .headers = { { "date", date }, { "retry-after", "Wed, 21 Oct 2020 07:28:00 GMT" } });
    ASSERT_TOLD(-1, .body = "{\"error\":{\"message\":\"no hint\"}}");
    ASSERT_TOLD(-1, .body = "");
}

static void test_an_absent_hint_leaves_the_word_to_the_next_source(void **state) {
    ASSERT_TOLD(3 * TIME_S, .headers = { { "retry-after-ms", "0" }, { "retry-after", "3" } });
    ASSERT_TOLD(4 * TIME_S, .headers = { { "retry-after", "0" } }, .body = "{\"retry_after\":4}");
    ASSERT_TOLD(5 * TIME_S, .body = "{\"retry_after\":0,\"message\":\"try again in 5s\"}");
}

static void test_every_kind_of_failure_may_tell_by_header(void **state) {
    ASSERT_TOLD(20 * TIME_S, .headers = { { "retry-after", "20" } }, .class = FAILURE_SERVER,
                .status = 500);
    ASSERT_TOLD(20 * TIME_S, .headers = { { "retry-after", "20" } }, .class = FAILURE_OVERLOADED,
                .status = 503);
}

// ---- the body ----

static void test_a_number_in_the_body_is_one_of_seconds(void **state) {
    ASSERT_TOLD(120 * TIME_S, .body = "{\"status\":522,\"retryable\":true,\"retry_after\":120}");
    ASSERT_TOLD(2500 * TIME_MS, .body = "{\"error\":{\"message\":\"m\",\"retry_after\":2.5}}");
    ASSERT_TOLD(7 * TIME_S, .body = "{\"error\":{\"message\":\"m\"},\"retry_after\":\"7\"}");
    ASSERT_TOLD(8 * TIME_S, .body = "[{\"retry_after\":8}]");
    ASSERT_TOLD(8 * TIME_S, .body = "[{\"error\":{\"message\":\"m\"},\"retry_after\":8}]");
    ASSERT_TOLD(-1, .body = "{\"retryable\":false,\"retry_after\":120}");
    ASSERT_TOLD(-1, .body = "{\"retry_after\":-1}");
    ASSERT_TOLD(-1, .body = "{\"retry_after\":\"later\"}");
    ASSERT_TOLD(-1, .body = "{\"retry_after\":true}");
}

#define GOOGLE(details) "[{\"error\":{\"code\":429,\"message\":\"m\",\"details\":[" details "]}}]"

static void test_googles_delay_is_read(void **state) {
    ASSERT_TOLD(36 * TIME_S, .body = GOOGLE("{\"@type\":\"x\"},{\"retryDelay\":\"36s\"}"));
    ASSERT_TOLD(36 * TIME_S, .body = GOOGLE("{\"retryDelay\":\"36s\"},{\"retryDelay\":\"1s\"}"));
    ASSERT_TOLD(34400 * TIME_MS, .body = GOOGLE("{\"retryDelay\":\"34.4s\"}"));
    ASSERT_TOLD(2 * TIME_S, .body = GOOGLE("{\"retryDelay\":\"0s\"},{\"retryDelay\":\"2s\"}"));
    ASSERT_TOLD(-1, .body = GOOGLE("{\"retryDelay\":36},{\"retryDelay\":\"x\"}"));
    ASSERT_TOLD(-1, .body = GOOGLE(""));
}

static void test_messages_tell_in_many_words(void **state) {
    static const struct {
        const char *message;
        int64_t ns;
    } rows[] = {
        { "Please try again in 11.054s. Visit the site.", 11054 * TIME_MS },
        { "Please try again in 120ms.", 120 * TIME_MS },
        { "Please try again in 6m0s.", 360 * TIME_S },
        { "Please try again in 1m30s", 90 * TIME_S },
        { "try again in 9m38.016s", 578016 * TIME_MS },
        { "Try Again In 1h2m3s", 3723 * TIME_S },
        { "try again in 5 seconds", 5 * TIME_S },
        { "try again in 1 second", TIME_S },
        { "try again in 20 sec", 20 * TIME_S },
        { "try again in 2 minutes.", 120 * TIME_S },
        { "try again in 2 mins", 120 * TIME_S },
        { "try again in 1 minute and 30 seconds", 90 * TIME_S },
        { "try again in 1 minute, 30 seconds", 90 * TIME_S },
        { "try again in 1 hour 1 minute", 3660 * TIME_S },
        { "try again in 3 hrs", 3 * 3600 * TIME_S },
        { "try again in 1 day", 86400 * TIME_S },
        { "try again in 250 milliseconds", 250 * TIME_MS },
        { "try again in about 5 minutes", 300 * TIME_S },
        { "try again in at least 7 s", 7 * TIME_S },
        { "try again in 30.", 30 * TIME_S },
        { "Please retry after 45 seconds.", 45 * TIME_S },
        { "Retry after: 30s", 30 * TIME_S },
        { "retry after 12", 12 * TIME_S },
        { "Please retry in 36.5s.", 36500 * TIME_MS },
        { "Please wait 27 seconds before retrying.", 27 * TIME_S },
        { "Please wait a moment and try again in 3s.", 3 * TIME_S },
        { "please try again after 8 seconds", 8 * TIME_S },
        { "try again in a moment, or retry after 9 seconds", 9 * TIME_S },
        { "Used 500, please try again in 20s. Need more? See 2025.", 20 * TIME_S },
        { "try again in 20s 40 times", 20 * TIME_S },
        { "try again in 20s 40", 20 * TIME_S },
        { "try again in a few seconds", -1 },
        { "try again in 0s", -1 },
        { "try again in 3 attempts", -1 },
        { "try again in", -1 },
        { "try again in 5 months", -1 },
        { "try again in 3 steps", -1 }, // only a word that is nothing else is a unit of one letter
        { "try again in 2 hops, then in 3s", -1 },
        { "try again in -5s", -1 },
        { "wait for 5s", -1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (message_ns(rows[i].message, FAILURE_RATE_LIMIT) != rows[i].ns)
            fail_msg("%s: %lld", rows[i].message,
                     (long long)message_ns(rows[i].message, FAILURE_RATE_LIMIT));
}

static void test_only_what_passes_by_itself_is_told_in_messages(void **state) {
    assert_int_equal(message_ns("try again in 5s", FAILURE_OVERLOADED), 5 * TIME_S);
    assert_int_equal(message_ns("try again in 5s", FAILURE_SERVER), -1);
    assert_int_equal(message_ns("try again in 5s", FAILURE_BILLING), -1);
}

// ---- reset headers ----

static void test_the_longest_reset_of_an_exhausted_bucket_is_the_last_resort(void **state) {
    ASSERT_TOLD(6 * TIME_S, .headers = { { "x-ratelimit-remaining-requests", "0" },
                                         { "x-ratelimit-reset-requests", "2s" },
                                         { "x-ratelimit-remaining-tokens", "0" },
                                         { "x-ratelimit-reset-tokens", "6s" } });
    ASSERT_TOLD(2 * TIME_S, .headers = { { "x-ratelimit-remaining-requests", "0" },
                                         { "x-ratelimit-reset-requests", "2s" },
                                         { "x-ratelimit-remaining-tokens", "5" },
                                         { "x-ratelimit-reset-tokens", "6s" } });
    ASSERT_TOLD(6 * TIME_S, .headers = { { "x-ratelimit-reset-tokens", " 6s " },
                                         { "x-ratelimit-remaining-tokens", "0" },
                                         { "x-ratelimit-reset-requests", " 2 " },
                                         { "x-ratelimit-remaining-requests", "0" } });
    ASSERT_TOLD(2 * TIME_S, .headers = { { "x-ratelimit-reset-tokens", "6s" },
                                         { "x-ratelimit-remaining-tokens", "1" },
                                         { "x-ratelimit-reset-requests", " 2 " },
                                         { "x-ratelimit-remaining-requests", "0" } });
    ASSERT_TOLD(9 * TIME_S,
                .headers = { { "date", date },
                             { "anthropic-ratelimit-tokens-remaining", "0" },
                             { "anthropic-ratelimit-tokens-reset", "2026-10-21T07:28:09Z" } });
    ASSERT_TOLD(10 * TIME_S, .headers = { { "date", "Wed, 21 Oct 2026 07:28:20 GMT" },
                                          { "X-RateLimit-Remaining", "0" },
                                          { "X-RateLimit-Reset", "1792567710000" } });
}

static void test_resets_tell_nothing_where_anything_is_missing(void **state) {
    ASSERT_TOLD(-1, .headers = { { "x-ratelimit-reset-requests", "2s" } });
    ASSERT_TOLD(-1, .headers = { { "x-ratelimit-remaining-requests", "x" },
                                 { "x-ratelimit-reset-requests", "2s" } });
    ASSERT_TOLD(-1, .headers = { { "x-ratelimit-remaining-requests", "-1" },
                                 { "x-ratelimit-reset-requests", "2s" } });
    ASSERT_TOLD(-1, .headers = { { "x-remaining-requests", "0" }, { "x-reset-requests", "2s" } });
    ASSERT_TOLD(-1,
                .headers = { { "x-ratelimit-remaining-requests", "0" },
                             { "x-ratelimit-reset-requests", "2s" } },
                .status = 503, .class = FAILURE_OVERLOADED);
    ASSERT_TOLD(-1, .headers = { { "anthropic-ratelimit-tokens-remaining", "0" },
                                 { "anthropic-ratelimit-tokens-reset", "2026-10-21T07:28:09Z" } });
}

static void test_every_other_hint_wins_over_resets(void **state) {
    ASSERT_TOLD(3 * TIME_S,
                .headers = { { "x-ratelimit-remaining-requests", "0" },
                             { "x-ratelimit-reset-requests", "2s" } },
                .body = "{\"message\":\"try again in 3s\"}");
}

static void test_very_long_header_names_are_no_buckets(void **state) {
    static char name[200] = "x-ratelimit-reset-";
    for (size_t i = 18; i < sizeof(name) - 1; i++)
        name[i] = 'a';
    for (size_t length = 60; length < sizeof(name); length++) {
        struct header headers[] = { { { name, length }, slice_of("2s") } };
        struct failed_reply reply = { .status = 429, .headers = headers, .header_count = 1 };
        struct failure_body body = { 0 };
        assert_int_equal(hint_retry_after_ns(&reply, &body, FAILURE_RATE_LIMIT), -1);
    }
}

static void test_resets_are_durations_instants_or_bare_numbers(void **state) {
    static const struct {
        const char *text;
        int64_t wall_ns;
        int64_t ns;
    } rows[] = {
        { "6m0s", 0, 360 * TIME_S },
        { "7", 0, 7 * TIME_S },
        { "0.5", 0, TIME_S / 2 },
        { "999999999", 0, 999999999 * TIME_S },
        { "1792567690", date_ns, 10 * TIME_S },
        { "1792567690", 0, -1 },
        { "1792567690000", date_ns, 10 * TIME_S },
        { "1792567690500", date_ns, 10500 * TIME_MS },
        { "1792567680", date_ns, -1 },
        { "1792567600000", date_ns, -1 },
        { "2026-10-21T07:28:10Z", date_ns, 10 * TIME_S },
        { "2026-10-21T07:28:10Z", 0, -1 },
        { "0", 0, -1 },
        { "0s", 0, -1 },
        { "soon", date_ns, -1 },
        { "", date_ns, -1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (hint_reset_ns(slice_of(rows[i].text), rows[i].wall_ns) != rows[i].ns)
            fail_msg("row %zu: %lld", i,
                     (long long)hint_reset_ns(slice_of(rows[i].text), rows[i].wall_ns));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_found_without_case_and_trimmed),
        cmocka_unit_test(test_x_should_retry_is_true_false_or_absent),
        cmocka_unit_test(test_milliseconds_win_over_seconds),
        cmocka_unit_test(test_seconds_may_have_a_fraction),
        cmocka_unit_test(test_dates_are_told_from_the_replys_own),
        cmocka_unit_test(test_an_instant_may_be_written_as_in_json),
        cmocka_unit_test(test_of_several_the_longest_keeps_to_all),
        cmocka_unit_test(test_our_clock_helps_where_the_reply_has_no_date),
        cmocka_unit_test(test_the_time_of_a_reply_is_its_date_or_ours),
        cmocka_unit_test(test_what_is_not_above_zero_was_not_told),
        cmocka_unit_test(test_an_absent_hint_leaves_the_word_to_the_next_source),
        cmocka_unit_test(test_every_kind_of_failure_may_tell_by_header),
        cmocka_unit_test(test_a_number_in_the_body_is_one_of_seconds),
        cmocka_unit_test(test_googles_delay_is_read),
        cmocka_unit_test(test_messages_tell_in_many_words),
        cmocka_unit_test(test_only_what_passes_by_itself_is_told_in_messages),
        cmocka_unit_test(test_the_longest_reset_of_an_exhausted_bucket_is_the_last_resort),
        cmocka_unit_test(test_resets_tell_nothing_where_anything_is_missing),
        cmocka_unit_test(test_every_other_hint_wins_over_resets),
        cmocka_unit_test(test_very_long_header_names_are_no_buckets),
        cmocka_unit_test(test_resets_are_durations_instants_or_bare_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
