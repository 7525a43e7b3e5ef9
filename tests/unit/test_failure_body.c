#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/policy/failure_body.h"

static struct failure_body body;

static void read_bytes(struct slice bytes) {
    char *copy = malloc(bytes.length ? bytes.length : 1); // a sanitizer sees what is read beyond
    if (bytes.length) memcpy(copy, bytes.data, bytes.length);
    failure_body_finish(&body);
    failure_body_read((struct slice){ copy, bytes.length }, &body);
    free(copy);
}

static void read_text(const char *text) {
    read_bytes(slice_of(text));
}

static void assert_read(const char *type, const char *code, const char *message) {
    assert_string_equal(body.type, type);
    assert_string_equal(body.code, code);
    assert_string_equal(body.message, message);
}

static void test_every_known_shape_gives_type_code_and_message(void **state) {
    static const struct {
        const char *text;
        const char *type, *code, *message;
    } rows[] = {
        { "{\"error\":{\"type\":\"t\",\"code\":\"c\",\"message\":\"m\",\"param\":null}}", "t", "c",
          "m" },
        { "{\"type\":\"error\",\"error\":{\"type\":\"t\",\"message\":\"m\"}}", "t", "", "m" },
        { "{\"error\":\"a sentence\"}", "", "", "a sentence" },
        { "{\"error\":\"a sentence\",\"code\":\"c\",\"type\":\"t\"}", "t", "c", "a sentence" },
        { "{\"error\":\"a sentence\",\"error_type\":\"t\"}", "t", "", "a sentence" },
        { "{\"code\":\"A sentence too\",\"error\":\"m\"}", "", "A sentence too", "m" },
        { "{\"error\":\"word\",\"code\":\"c\"}", "", "c", "word" },
        { "{\"error\":{\"type\":\"t\"}}", "t", "", "" },
        { "{\"error\":{\"code\":\"c\"}}", "", "c", "" },
        { "{\"error\":\"invalid_token\",\"error_description\":\"it is old\"}", "", "invalid_token",
          "invalid_token: it is old" },
        { "{\"error\":\"Unauthorized\",\"message\":\"no key\"}", "", "Unauthorized",
          "Unauthorized: no key" },
        { "{\"object\":\"error\",\"message\":\"m\",\"type\":\"t\",\"code\":\"1300\"}", "t", "1300",
          "m" },
        { "{\"message\":\"m\"}", "", "", "m" },
        { "{\"detail\":\"m\"}", "", "", "m" },
        { "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"m\",\"type\":\"missing\"}]}", "", "", "m" },
        { "{\"detail\":{\"message\":\"m\"}}", "", "", "m" },
        { "{\"detail\":{\"error\":{\"type\":\"t\",\"code\":\"c\",\"message\":\"m\"}}}", "t", "c",
          "m" },
        { "{\"message\":{\"detail\":[{\"msg\":\"m\"}]},\"type\":\"t\"}", "t", "", "m" },
        { "{\"message\":[\"m\",\"n\"]}", "", "", "m" },
        { "{\"message\":null,\"detail\":\"m\"}", "", "", "m" },
        { "{\"message\":\"\",\"detail\":\"m\"}", "", "", "m" },
        { "{\"title\":\"m\",\"status\":522,\"error_name\":\"c\",\"error_code\":522}", "", "c",
          "m" },
        { "{\"title\":\"t\",\"detail\":\"m\"}", "", "", "m" },
        { "[{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"}}]",
          "INVALID_ARGUMENT", "400", "m" },
        { "{\"error\":[{\"code\":\"c\",\"message\":\"m\"}]}", "", "c", "m" },
        { "{\"error\":[\"m\"]}", "", "", "m" },
        { "{\"errors\":[{\"code\":7003,\"message\":\"m\"}],\"success\":false}", "", "7003", "m" },
        { "{\"error\":{\"error\":{\"type\":\"t\",\"message\":\"m\"}}}", "t", "", "m" },
        { "{\"error\":{\"error\":\"m\"}}", "", "", "m" },
        { "{\"error\":\"e\",\"errors\":[{\"message\":\"m\"}]}", "", "", "m" },
        { "{\"code\":\"c\",\"error\":{\"message\":\"m\"}}", "", "c", "m" },
        { "{\"choices\":[{\"error\":{\"code\":\"c\",\"message\":\"m\"}}]}", "", "c", "m" },
        { "{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"c\",\"message\":\"m\"}"
          "}}",
          "", "c", "m" },
        { "{\"type\":\"response.failed\",\"response\":{\"error\":null}}", "response.failed", "",
          "" },
        { "{\"type\":\"error\",\"code\":\"c\",\"message\":\"m\"}", "error", "c", "m" },
        { "{\"id\":\"r\",\"status\":\"failed\",\"error\":{\"code\":\"c\",\"message\":\"m\"}}", "",
          "c", "m" },
        { "{\"id\":\"r\",\"status\":\"in_progress\",\"error\":null}", "", "in_progress", "" },
        { "{\"status\":\"EXPIRED\"}", "", "EXPIRED", "" },
        { "{\"error\":{\"type\":\"None\",\"code\":\"429\",\"message\":\"m\"}}", "", "429", "m" },
        { "{\"error\":{\"type\":\"t\",\"code\":null,\"message\":\"m\"}}", "t", "", "m" },
        { "{\"error\":{\"code\":429.0,\"message\":\"m\"}}", "", "429", "m" },
        { "{\"error\":{\"code\":true,\"message\":\"m\"}}", "", "", "m" },
        { "{\"error\":{\"message\":\"m\",\"metadata\":{\"raw\":\"behind\"}}}", "", "",
          "m: behind" },
        { "{\"error\":{\"metadata\":{\"raw\":\"behind\"}}}", "", "", "behind" },
        { "\xef\xbb\xbf {\"message\":\"m\"}\r\n", "", "", "m" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        read_text(rows[i].text);
        assert_read(rows[i].type, rows[i].code, rows[i].message);
        assert_non_null(body.root);
        assert_non_null(body.error);
        assert_false(body.is_html);
    }
}

static void test_what_tells_nothing_is_shown_as_it_is(void **state) {
    static const char *const texts[] = { "{}",
                                         "[]",
                                         "[1]",
                                         "{\"errors\":{\"a\":\"b\"}}",
                                         "[[]]",
                                         "{\"a\":\"b\"}",
                                         "[\"m\"]",
                                         "{\"error\":false}",
                                         "{\"error\":{}}" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        read_text(texts[i]);
        assert_read("", "", texts[i]);
        assert_non_null(body.root);
    }
}

static void test_nothing_is_empty(void **state) {
    static const char *const texts[] = { "", "  \r\n\t", "\xef\xbb\xbf", "\xef\xbb\xbf \n" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        read_text(texts[i]);
        assert_true(body.is_empty);
        assert_null(body.root);
        assert_read("", "", "");
    }
    read_text("x");
    assert_false(body.is_empty);
}

static void test_a_status_named_inside_is_found(void **state) {
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        { "{\"error\":{\"code\":400}}", 400 },
        { "{\"error\":{\"code\":599}}", 599 },
        { "{\"error\":{\"code\":399}}", 0 },
        { "{\"error\":{\"code\":600}}", 0 },
        { "{\"error\":{\"code\":\"429\"}}", 429 },
        { "{\"error\":{\"code\":\"429 Too Many\"}}", 0 },
        { "{\"error\":{\"code\":502.0}}", 502 },
        { "{\"error\":{\"code\":\"x\",\"status\":503}}", 503 },
        { "{\"error\":{\"status_code\":400}}", 400 },
        { "{\"error\":{\"statusCode\":401}}", 401 },
        { "{\"error\":{\"http_status\":402}}", 402 },
        { "{\"object\":\"error\",\"message\":\"m\",\"raw_status_code\":422}", 422 },
        { "{\"error\":{\"code\":404,\"status\":500}}", 404 },
        { "{\"status\":504,\"error\":{\"message\":\"m\"}}", 504 },
        { "{\"code\":429,\"error\":\"m\"}", 429 },
        { "{\"error\":{\"code\":\"None\",\"status\":\"UNAVAILABLE\"}}", 0 },
        { "{\"error\":{\"code\":123456789012345678901234567890}}", 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        read_text(rows[i].text);
        assert_int_equal(body.inner_status, rows[i].status);
    }
}

static void test_details_say_more_than_the_code(void **state) {
    read_text("{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\","
              "\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}}}");
    assert_int_equal(body.detail_code_count, 1);
    assert_string_equal(body.detail_codes[0], "enforced_spend_limit_reached");
    read_text("{\"error\":{\"details\":[{\"reason\":\"A\"},{\"x\":1},{\"reason\":\"B\"}],"
              "\"innererror\":{\"code\":\"C\"}}}");
    assert_int_equal(body.detail_code_count, 3);
    assert_string_equal(body.detail_codes[1], "B");
    assert_string_equal(body.detail_codes[2], "C");
    read_text("{\"error\":{\"details\":[{\"reason\":\"1\"},{\"reason\":\"2\"},{\"reason\":\"3\"},"
              "{\"reason\":\"4\"},{\"reason\":\"5\"},{\"reason\":6}]}}");
    assert_int_equal(body.detail_code_count, FAILURE_DETAIL_CODES_MAX);
    read_text("{\"error\":{\"message\":\"m\",\"details\":\"text\"}}");
    assert_int_equal(body.detail_code_count, 0);
}

static void test_a_quota_of_a_day_is_seen(void **state) {
    static const struct {
        const char *id;
        bool is_daily;
    } rows[] = { { "\"GenerateRequestsPerDayPerProject\"", true },
                 { "\"GenerateRequestsPerMinutePerProject\"", false },
                 { "7", false } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[200];
        snprintf(text, sizeof(text),
                 "[{\"error\":{\"details\":[{},{\"violations\":[{},{\"quotaId\":%s}]}]}}]",
                 rows[i].id);
        read_text(text);
        assert_int_equal(body.is_daily_quota, rows[i].is_daily);
    }
}

static void test_reasons_of_a_moderator_are_seen(void **state) {
    read_text("{\"error\":{\"metadata\":{\"reasons\":[\"violence\"]}}}");
    assert_true(body.has_flag_reasons);
    read_text("{\"error\":{\"metadata\":{\"reasons\":[]}}}");
    assert_false(body.has_flag_reasons);
}

static void test_the_request_id_is_taken(void **state) {
    read_text("{\"type\":\"error\",\"error\":{\"message\":\"m\"},\"request_id\":\"req_1\"}");
    assert_string_equal(body.request_id, "req_1");
}

static void test_of_a_page_the_title_is_shown(void **state) {
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        { "<html><head><title> 502 Bad Gateway </title></head></html>", "502 Bad Gateway" },
        { "  <!DOCTYPE html><TITLE>x</TITLE>", "x" },
        { "<html>no title</html>", "<html>no title</html>" },
        { "<html><title>never ends", "<html><title>never ends" },
        { "<title>", "<title>" },
        { "<", "<" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        read_text(rows[i].text);
        assert_true(body.is_html);
        assert_read("", "", rows[i].message);
    }
}

static void test_other_text_is_cut_and_made_printable(void **state) {
    char text[1000];
    memset(text, 'x', sizeof(text));
    text[3] = '\x1b';
    read_bytes((struct slice){ text, sizeof(text) });
    assert_int_equal(strlen(body.message), 512);
    assert_int_equal(body.message[3], '?');
    assert_null(body.root);
}

static void test_json_that_a_strict_parser_refuses_is_read(void **state) {
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        { "{\"message\":\"a\xff z\"}", "a? z" },
        { "{\"message\":\"\xe2\x82\"}", "??" },
        { "{\"message\":\"\xe2\x82\xac\xff\"}", "\xe2\x82\xac?" },
        { "{\"message\":\"\xf0\x9f\x98\x80\xff\"}", "\xf0\x9f\x98\x80?" },
        { "{\"message\":\"\\ud83d\"}", "?" },
        { "{\"message\":\"\\ud800\"}", "?" },
        { "{\"message\":\"\\udc00\"}", "?" },
        { "{\"message\":\"\\udbff\\udc00\xff\"}", "\xf4\x8f\xb0\x80?" },
        { "{\"message\":\"\\\\ud83d\xff\"}", "\\ud83d?" }, // a backslash, not an escape
        { "{\"message\":\"\\ude00\"}", "?" },
        { "{\"message\":\"\\ud83d\\n\"}", "? " },
        { "{\"message\":\"\\ud83d\\nabcdef\"}", "? abcdef" },
        { "{\"message\":\"\\ud83dabcdef\"}", "?abcdef" },
        { "{\"message\":\"\\ud83d\\u0041\"}", "?A" },
        { "{\"message\":\"\\ud83d\\ude00\xff\"}", "\xf0\x9f\x98\x80?" },
        { "{\"message\":\"\\u0041\\\"\xff\"}", "A\"?" },
        { "{\"message\":\"\\udfff\\ud7ff\\ue000\"}", "?\xed\x9f\xbf\xee\x80\x80" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        read_text(rows[i].text);
        assert_non_null(body.root);
        assert_string_equal(body.message, rows[i].message);
    }
}

static void test_broken_json_is_text(void **state) {
    static const char *const texts[] = { "{\"message\":\"m\"", "{\"message\":\"\\",
                                         "{\"message\":\"\\u12", "{\"message\":\"\\ud83d\\u", "[" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        read_text(texts[i]);
        assert_null(body.root);
        assert_string_equal(body.message, texts[i]);
    }
}

/* {"message":"xxx…"} of that many bytes, the last byte of the text given. */
static void read_long(size_t length, char last) {
    char *text = malloc(length);
    memset(text, 'x', length);
    memcpy(text, "{\"message\":\"", 12);
    text[length - 3] = last;
    memcpy(text + length - 2, "\"}", 2);
    read_bytes((struct slice){ text, length });
    free(text);
}

static void test_long_bodies_are_read_up_to_a_size(void **state) {
    read_long(256 << 10, 'x');
    assert_non_null(body.root);
    assert_int_equal(strlen(body.message), sizeof(body.message) - 1);
    read_long((256 << 10) + 1, 'x');
    assert_null(body.root);
    assert_int_equal(strlen(body.message), 512);
    read_long(16 << 10, '\xff');
    assert_non_null(body.root);
    read_long((16 << 10) + 1, '\xff'); // this much is not repaired
    assert_null(body.root);
}

static void test_a_second_text_that_has_no_room_is_left_out(void **state) {
    char text[4300];
    for (int length = 4090; length <= 4096; length++) {
        snprintf(text, sizeof(text),
                 "{\"error\":{\"message\":\"%0*d\",\"metadata\":{\"raw\":\"behind\"}}}", length, 1);
        read_text(text);
        assert_true(strlen(body.message) < sizeof(body.message));
        assert_int_equal(body.message[0], '0');
    }
}

static void test_finishing_nothing_is_fine(void **state) {
    struct failure_body never = { 0 };
    failure_body_finish(&never);
    failure_body_finish(&body);
    failure_body_finish(&body);
    assert_null(body.root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_known_shape_gives_type_code_and_message),
        cmocka_unit_test(test_what_tells_nothing_is_shown_as_it_is),
        cmocka_unit_test(test_nothing_is_empty),
        cmocka_unit_test(test_a_status_named_inside_is_found),
        cmocka_unit_test(test_details_say_more_than_the_code),
        cmocka_unit_test(test_a_quota_of_a_day_is_seen),
        cmocka_unit_test(test_reasons_of_a_moderator_are_seen),
        cmocka_unit_test(test_the_request_id_is_taken),
        cmocka_unit_test(test_of_a_page_the_title_is_shown),
        cmocka_unit_test(test_other_text_is_cut_and_made_printable),
        cmocka_unit_test(test_json_that_a_strict_parser_refuses_is_read),
        cmocka_unit_test(test_broken_json_is_text),
        cmocka_unit_test(test_long_bodies_are_read_up_to_a_size),
        cmocka_unit_test(test_a_second_text_that_has_no_room_is_left_out),
        cmocka_unit_test(test_finishing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
