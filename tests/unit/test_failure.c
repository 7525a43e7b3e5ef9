#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/policy/failure.h"

static struct failure failure;

static void from_reply(int status, const char *body, const struct header *headers, size_t count) {
    struct failed_reply reply = {
        .status = status, .headers = headers, .header_count = count, .body = slice_of(body)
    };
    failure_from_reply(&reply, &failure);
}

static void assert_failure(enum failure_class class, enum failure_cause cause, bool retryable,
                           bool retry_once, bool counts, enum billed billed) {
    assert_string_equal(failure_class_name(failure.class), failure_class_name(class));
    assert_int_equal(failure.cause, cause);
    assert_int_equal(failure.retryable, retryable);
    assert_int_equal(failure.retry_once, retry_once);
    assert_int_equal(failure.counts_for_breaker, counts);
    assert_string_equal(billed_name(failure.billed), billed_name(billed));
    assert_int_equal(failure.retry_after_ns, -1);
}

static void test_classes_have_the_words_of_the_manual(void **state) {
    static const char *const names[FAILURE_CLASS_COUNT] = { "ok",
                                                            "auth",
                                                            "permission",
                                                            "billing",
                                                            "not_found",
                                                            "validation",
                                                            "context_length",
                                                            "request_too_large",
                                                            "content_filter",
                                                            "rate_limit",
                                                            "conflict",
                                                            "overloaded",
                                                            "server",
                                                            "network",
                                                            "timeout",
                                                            "stream_truncated",
                                                            "stream_stalled",
                                                            "protocol",
                                                            "breaker_open",
                                                            "budget",
                                                            "schema",
                                                            "pending",
                                                            "cancelled",
                                                            "internal" };
    for (int class = 0; class < FAILURE_CLASS_COUNT; class ++)
        assert_string_equal(failure_class_name(class), names[class]);
    assert_string_equal(billed_name(BILLED_NO), "no");
    assert_string_equal(billed_name(BILLED_MAYBE), "maybe");
    assert_string_equal(billed_name(BILLED_YES), "yes");
}

// ---- replies ----

static void test_a_reply_fills_everything(void **state) {
    static const struct header headers[] = { { { "x-request-id", 12 }, { "req_7", 5 } },
                                             { { "retry-after", 11 }, { "3", 1 } } };
    from_reply(429,
               "{\"error\":{\"type\":\"requests\",\"code\":\"rate_limit_exceeded\",\"message\":"
               "\"slow\\u001b[31m for sk-abc\"}}",
               headers, 2);
    assert_int_equal(failure.class, FAILURE_RATE_LIMIT);
    assert_int_equal(failure.http_status, 429);
    assert_int_equal(failure.retry_after_ns, 3 * TIME_S);
    assert_string_equal(failure.type, "requests");
    assert_string_equal(failure.code, "rate_limit_exceeded");
    assert_string_equal(failure.message, "slow?[31m for sk-***");
    assert_string_equal(failure.provider_request_id, "req_7");
}

static void test_keys_are_hidden_in_every_text(void **state) {
    from_reply(400, "{\"error\":{\"type\":\"sk-abc\",\"code\":\"sk-def\",\"message\":\"sk-ghi\"}}",
               NULL, 0);
    assert_string_equal(failure.type, "sk-***");
    assert_string_equal(failure.code, "sk-***");
    assert_string_equal(failure.message, "sk-***");
}

static void test_the_very_key_is_hidden_in_every_text(void **state) {
    static const struct header id = { { "request-id", 10 }, { "hunter22", 8 } };
    from_reply(
        400,
        "{\"error\":{\"type\":\"t hunter22\",\"code\":\"hunter22\",\"message\":\"m hunter22\"}}",
        &id, 1);
    failure_hide_secret(&failure, slice_of("hunter22"));
    assert_string_equal(failure.type, "t ********");
    assert_string_equal(failure.code, "********");
    assert_string_equal(failure.message, "m ********");
    assert_string_equal(failure.provider_request_id, "********");
}

static void test_details_are_shown_as_the_code(void **state) {
    from_reply(429, "{\"error\":{\"code\":\"c\",\"details\":{\"error_code\":\"d\"}}}", NULL, 0);
    assert_string_equal(failure.code, "d");
}

static void test_the_request_id_is_found_in_the_body_or_in_one_of_many_headers(void **state) {
    static const char *const names[] = { "X-Request-Id", "request-id", "x-generation-id",
                                         "apim-request-id", "cf-ray" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct header header = { slice_of(names[i]), slice_of("id1") };
        from_reply(500, "", &header, 1);
        assert_string_equal(failure.provider_request_id, "id1");
        from_reply(500, "{\"error\":\"m\",\"request_id\":\"id2\"}", &header, 1);
        assert_string_equal(failure.provider_request_id, "id2");
    }
    from_reply(500, "", NULL, 0);
    assert_string_equal(failure.provider_request_id, "");
}

static void test_a_redirect_says_what_it_is(void **state) {
    static const int statuses[] = { 300, 301, 399 };
    for (size_t i = 0; i < 3; i++) {
        from_reply(statuses[i], "", NULL, 0);
        assert_non_null(strstr(failure.message, "redirect"));
    }
    from_reply(299, "", NULL, 0);
    assert_null(strstr(failure.message, "redirect"));
    from_reply(301, "m", NULL, 0);
    assert_string_equal(failure.message, "m");
    from_reply(301, "moved", NULL, 0);
    assert_string_equal(failure.message, "moved");
    from_reply(400, "", NULL, 0);
    assert_string_equal(failure.message, "");
    from_reply(202, "", NULL, 0);
    assert_string_equal(failure.message, "");
}

static void test_what_may_have_been_charged_is_said(void **state) {
    static const struct {
        int status;
        const char *body;
        enum billed billed;
    } rows[] = {
        { 429, "", BILLED_NO },
        { 503, "", BILLED_NO },
        { 529, "", BILLED_NO },
        { 400, "", BILLED_NO },
        { 501, "", BILLED_NO },
        { 500, "", BILLED_MAYBE },
        { 502, "", BILLED_MAYBE },
        { 504, "", BILLED_MAYBE },
        { 408, "", BILLED_MAYBE },
        { 403, "{\"error\":\"violates usage guidelines\"}", BILLED_MAYBE },
        { 500, "{\"error\":{\"code\":\"server_is_overloaded\"}}", BILLED_NO },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        from_reply(rows[i].status, rows[i].body, NULL, 0);
        assert_int_equal(failure.billed, rows[i].billed);
    }
    struct failed_reply event = { .status = 200,
                                  .body = slice_of("{\"error\":{\"type\":\"overloaded_error\"}}"),
                                  .in_stream = true };
    failure_from_reply(&event, &failure);
    assert_int_equal(failure.billed, BILLED_MAYBE);
}

// ---- transport ----

static void test_every_end_of_a_transfer_has_its_verdict(void **state) {
    static const struct {
        enum transport_end end;
        enum failure_class class;
        enum failure_cause cause;
        bool retryable, retry_once, counts;
        enum billed billed;
        bool is_cut; /* with bytes of the answer it is a truncated stream */
    } rows[] = {
        { TRANSPORT_OK, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE, true },
        { TRANSPORT_RESOLVE, FAILURE_NETWORK, CAUSE_RESOLVE, true, false, true, BILLED_NO, false },
        { TRANSPORT_RESOLVE_PROXY, FAILURE_NETWORK, CAUSE_PROXY, true, false, false, BILLED_NO,
          false },
        { TRANSPORT_REFUSED, FAILURE_NETWORK, CAUSE_REFUSED, true, false, true, BILLED_NO, false },
        { TRANSPORT_UNREACHABLE, FAILURE_NETWORK, CAUSE_UNREACHABLE, true, false, true, BILLED_NO,
          false },
        { TRANSPORT_CONNECT_TIMEOUT, FAILURE_TIMEOUT, CAUSE_NONE, true, false, true, BILLED_NO,
          false },
        { TRANSPORT_TLS_HANDSHAKE, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_NO,
          true },
        { TRANSPORT_CERTIFICATE, FAILURE_NETWORK, CAUSE_CERTIFICATE, false, false, false, BILLED_NO,
          false },
        { TRANSPORT_CA_FILE, FAILURE_NETWORK, CAUSE_CERTIFICATE, false, false, false, BILLED_NO,
          false },
        { TRANSPORT_BAD_URL, FAILURE_VALIDATION, CAUSE_NONE, false, false, false, BILLED_NO,
          false },
        { TRANSPORT_EMPTY_REPLY, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE,
          true },
        { TRANSPORT_SEND, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE, true },
        { TRANSPORT_RECEIVE, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE, true },
        { TRANSPORT_PARTIAL, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE, true },
        { TRANSPORT_HTTP2_STREAM, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE,
          true },
        { TRANSPORT_HTTP2, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE, true },
        { TRANSPORT_NOT_HTTP, FAILURE_PROTOCOL, CAUSE_NONE, false, false, true, BILLED_NO, false },
        { TRANSPORT_BAD_ENCODING, FAILURE_PROTOCOL, CAUSE_NONE, true, true, true, BILLED_YES,
          false },
        { TRANSPORT_NO_MEMORY, FAILURE_INTERNAL, CAUSE_MEMORY, false, false, false, BILLED_MAYBE,
          false },
        { TRANSPORT_ABORTED, FAILURE_CANCELLED, CAUSE_NONE, false, false, false, BILLED_MAYBE,
          false },
        { TRANSPORT_OTHER, FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE, true },
    };
    assert_int_equal(sizeof(rows) / sizeof(*rows), TRANSPORT_OTHER + 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(rows[i].end, i);
        failure_from_transport(rows[i].end, false, "w", &failure);
        assert_failure(rows[i].class, rows[i].cause, rows[i].retryable, rows[i].retry_once,
                       rows[i].counts, rows[i].billed);
        assert_string_equal(failure.message, "w");
        assert_int_equal(failure.http_status, 0);
        failure_from_transport(rows[i].end, true, "", &failure);
        assert_failure(rows[i].is_cut ? FAILURE_STREAM_TRUNCATED : rows[i].class, rows[i].cause,
                       rows[i].retryable, rows[i].retry_once, rows[i].counts,
                       rows[i].is_cut ? BILLED_YES : rows[i].billed);
        assert_string_equal(failure.message, "the connection ended without a reply");
    }
}

// ---- timers and streams ----

static void test_every_timer_has_its_verdict(void **state) {
    static const struct {
        enum timer_end timer;
        enum failure_class class;
        bool retryable;
        enum billed billed;
        const char *message;
    } rows[] = {
        { TIMER_CONNECT, FAILURE_TIMEOUT, true, BILLED_NO, "not connected within 2.5 s" },
        { TIMER_HEADERS, FAILURE_TIMEOUT, true, BILLED_MAYBE, "no reply within 2.5 s" },
        { TIMER_FIRST_TOKEN, FAILURE_STREAM_STALLED, true, BILLED_MAYBE,
          "a reply, but no content within 2.5 s" },
        { TIMER_READ, FAILURE_STREAM_STALLED, true, BILLED_YES, "no further content within 2.5 s" },
        { TIMER_IDLE, FAILURE_STREAM_STALLED, true, BILLED_YES, "not a byte more within 2.5 s" },
        { TIMER_TOTAL, FAILURE_TIMEOUT, false, BILLED_MAYBE,
          "not finished (timeouts.total) within 2.5 s" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        failure_from_timer(rows[i].timer, 2500 * TIME_MS, &failure);
        // the user's own deadline says nothing about the provider
        assert_failure(rows[i].class, CAUSE_NONE, rows[i].retryable, false, rows[i].retryable,
                       rows[i].billed);
        assert_string_equal(failure.message, rows[i].message);
    }
}

static void test_every_bad_end_of_a_stream_has_its_verdict(void **state) {
    static const struct {
        enum stream_end end;
        enum failure_class class;
        bool retryable, retry_once, counts;
        enum billed billed;
    } rows[] = {
        { STREAM_TRUNCATED, FAILURE_STREAM_TRUNCATED, true, false, true, BILLED_YES },
        { STREAM_UNVERIFIED, FAILURE_STREAM_TRUNCATED, true, false, false, BILLED_YES },
        { STREAM_ABORTED, FAILURE_STREAM_TRUNCATED, true, false, true, BILLED_YES },
        { STREAM_OVERLOADED, FAILURE_OVERLOADED, true, false, true, BILLED_YES },
        { STREAM_FILTERED, FAILURE_CONTENT_FILTER, false, false, false, BILLED_YES },
        { STREAM_TOO_LONG, FAILURE_PROTOCOL, false, false, true, BILLED_YES },
        { STREAM_RESTARTED, FAILURE_PROTOCOL, true, true, true, BILLED_YES },
        { STREAM_GAP, FAILURE_PROTOCOL, true, true, false, BILLED_YES },
        { STREAM_SEAM, FAILURE_STREAM_TRUNCATED, false, false, false, BILLED_YES },
        { STREAM_NOT_STREAM, FAILURE_PROTOCOL, false, false, false, BILLED_NO },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        failure_from_stream(rows[i].end, slice_of("why sk-abc"), &failure);
        assert_failure(rows[i].class, CAUSE_NONE, rows[i].retryable, rows[i].retry_once,
                       rows[i].counts, rows[i].billed);
        assert_int_equal(failure.http_status, 200);
        assert_non_null(strstr(failure.message, ": why sk-***"));
        failure_from_stream(rows[i].end, (struct slice){ 0 }, &failure);
        assert_null(strstr(failure.message, ":"));
        assert_true(failure.message[0]);
    }
}

static void test_our_own_refusals_say_nothing_about_the_provider(void **state) {
    failure_from_us(FAILURE_BREAKER_OPEN, "closed for sk-abc", &failure);
    assert_failure(FAILURE_BREAKER_OPEN, CAUSE_NONE, false, false, false, BILLED_NO);
    assert_string_equal(failure.message, "closed for sk-***");
}

// ---- advice ----

static void test_everybody_gets_advice_and_each_class_its_own(void **state) {
    for (int class = 0; class < FAILURE_CLASS_COUNT; class ++) {
        failure = (struct failure){ .class = class };
        const char *advice = failure_advice(&failure);
        assert_non_null(advice);
        assert_true(strlen(advice) > 5);
        for (int other = 0; other < class; other++) {
            struct failure another = { .class = other };
            assert_ptr_not_equal(advice, failure_advice(&another));
        }
    }
}

static void test_advice_for_the_network_depends_on_the_cause(void **state) {
    static const struct {
        enum failure_cause cause;
        const char *word;
    } rows[] = { { CAUSE_NONE, "ask again" },  { CAUSE_RESOLVE, "host name" },
                 { CAUSE_REFUSED, "nobody" },  { CAUSE_UNREACHABLE, "no way" },
                 { CAUSE_RESET, "ask again" }, { CAUSE_CERTIFICATE, "ca_file" },
                 { CAUSE_PROXY, "proxy" },     { CAUSE_MEMORY, "ask again" } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        failure = (struct failure){ .class = FAILURE_NETWORK, .cause = rows[i].cause };
        assert_non_null(strstr(failure_advice(&failure), rows[i].word));
    }
    failure = (struct failure){ .class = FAILURE_AUTH, .http_status = 407 };
    assert_non_null(strstr(failure_advice(&failure), "proxy"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_have_the_words_of_the_manual),
        cmocka_unit_test(test_a_reply_fills_everything),
        cmocka_unit_test(test_keys_are_hidden_in_every_text),
        cmocka_unit_test(test_the_very_key_is_hidden_in_every_text),
        cmocka_unit_test(test_details_are_shown_as_the_code),
        cmocka_unit_test(test_the_request_id_is_found_in_the_body_or_in_one_of_many_headers),
        cmocka_unit_test(test_a_redirect_says_what_it_is),
        cmocka_unit_test(test_what_may_have_been_charged_is_said),
        cmocka_unit_test(test_every_end_of_a_transfer_has_its_verdict),
        cmocka_unit_test(test_every_timer_has_its_verdict),
        cmocka_unit_test(test_every_bad_end_of_a_stream_has_its_verdict),
        cmocka_unit_test(test_our_own_refusals_say_nothing_about_the_provider),
        cmocka_unit_test(test_everybody_gets_advice_and_each_class_its_own),
        cmocka_unit_test(test_advice_for_the_network_depends_on_the_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
