#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/random.h"
#include "core/base/text.h"
#include "core/base/time.h"
#include "core/events/event.h"

static const int64_t wall_ns = INT64_C(1795529403) * TIME_S + 120 * TIME_MS;

#define HEAD "{\"at\":\"2026-11-24T14:10:03.120Z\",\"event\":\"x\""

static struct event begun(void) {
    struct event event;
    event_begin(&event, NULL, wall_ns, "x");
    return event;
}

static void assert_line(struct event *event, const char *expected) {
    struct slice line = event_close(event);
    assert_true(line.length <= EVENT_LINE_MAX);
    char shown[EVENT_LINE_MAX + 1];
    memcpy(shown, line.data, line.length);
    shown[line.length] = '\0';
    assert_string_equal(shown, expected);
}

static void test_a_line_begins_with_when_and_what(void **state) {
    struct event event = begun();
    assert_line(&event, HEAD "}\n");
    event_begin_as(&event, NULL, wall_ns, "alert", "breaker_open");
    assert_line(&event, "{\"at\":\"2026-11-24T14:10:03.120Z\",\"alert\":\"breaker_open\"}\n");
}

static void test_each_type_of_value_is_json(void **state) {
    struct event event = begun();
    event_text(&event, "text", "a");
    event_slice(&event, "slice", (struct slice){ "bcd", 2 });
    event_slice(&event, "empty", (struct slice){ 0 });
    event_count(&event, "count", INT64_MAX);
    event_number(&event, "number", 0.25);
    event_ms(&event, "ms", 1234567890);
    event_time(&event, "time", 0);
    assert_line(&event, HEAD ",\"text\":\"a\",\"slice\":\"bc\",\"empty\":\"\","
                             "\"count\":9223372036854775807,\"number\":0.25,\"ms\":1234.6,"
                             "\"time\":\"1970-01-01T00:00:00.000Z\"}\n");
}

static void test_what_is_not_known_is_null(void **state) {
    struct event event = begun();
    event_text(&event, "text", NULL);
    event_count(&event, "count", -1);
    event_number(&event, "nan", NAN);
    event_number(&event, "infinite", INFINITY);
    event_ms(&event, "ms", -1);
    event_time(&event, "time", -1);
    assert_line(&event, HEAD ",\"text\":null,\"count\":null,\"nan\":null,\"infinite\":null,"
                             "\"ms\":null,\"time\":null}\n");
}

static void test_nothing_in_a_text_is_raw_that_a_terminal_or_a_line_reader_obeys(void **state) {
    static const struct {
        struct slice text;
        const char *written;
    } rows[] = {
        { { "say \"\\\"", 7 }, "say \\\"\\\\\\\"" },
        { { "a\nb\r\tc\b\f", 8 }, "a\\nb\\r\\tc\\b\\f" },
        { { "\x1b[31m\x07", 6 }, "\\u001b[31m\\u0007" },
        { { "\0\x7f", 2 }, "\\u0000\\u007f" },
        { { "\xc2\x9b", 2 }, "\\u009b" }, // CSI in one character
        { { "\xc2\x85\xe2\x80\xa8\xe2\x80\xa9", 8 }, "\\u0085\\u2028\\u2029" },
        { { "\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf", 9 }, "\\u202e\\u2066\\ufeff" },
        { { "\xff\xc3", 2 }, "\xef\xbf\xbd\xef\xbf\xbd" },
        { { "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", 11 }, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct event event = begun();
        char expected[256];
        snprintf(expected, sizeof(expected), HEAD ",\"t\":\"%s\"}\n", rows[i].written);
        event_slice(&event, "t", rows[i].text);
        assert_line(&event, expected);
    }
}

static void test_a_long_text_is_cut_between_characters_and_says_so(void **state) {
    struct event event = begun();
    char text[2 * EVENT_TEXT_MAX];
    for (size_t i = 0; i + 2 <= sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    event_slice(&event, "a", (struct slice){ "a", 1 });
    event_slice(&event, "t", (struct slice){ text + 1, sizeof(text) - 1 });
    struct slice line = event_close(&event);
    json_t *root = json_loadb(line.data, line.length, 0, NULL);
    assert_true(json_is_true(json_object_get(root, "cut")));
    // U+FFFD for the half character, then whole ones.
    assert_int_equal(json_string_length(json_object_get(root, "t")), EVENT_TEXT_MAX - 1);
    json_decref(root);
}

static void test_a_pair_that_does_not_fit_is_left_out_and_the_line_says_so(void **state) {
    struct event event = begun();
    char text[EVENT_TEXT_MAX + 1];
    memset(text, 'x', EVENT_TEXT_MAX);
    text[EVENT_TEXT_MAX] = '\0';
    for (int i = 0; i < 20; i++)
        event_text(&event, "text", text);
    for (int i = 0; i < 100; i++)
        event_count(&event, "count", INT64_MAX);
    struct slice line = event_close(&event);
    assert_true(line.length <= EVENT_LINE_MAX);
    assert_int_equal(line.data[line.length - 1], '\n');
    json_t *root = json_loadb(line.data, line.length, 0, NULL);
    assert_non_null(root);
    assert_true(json_is_true(json_object_get(root, "cut")));
    json_decref(root);
}

static void add_something(struct event *event, struct random *random) {
    char text[700];
    size_t length = (size_t)random_between(random, 0, sizeof(text));
    for (size_t i = 0; i < length; i++)
        text[i] = (char)random_next(random);
    switch (random_between(random, 0, 3)) {
    case 0:
        event_slice(event, "bytes", (struct slice){ text, length });
        break;
    case 1:
        event_count(event, "count", (int64_t)random_next(random));
        break;
    case 2:
        event_number(event, "number", random_unit(random) * 1e300);
        break;
    default:
        event_ms(event, "ms", (int64_t)random_next(random));
    }
}

static void test_whatever_is_written_the_line_is_one_object_of_printable_text(void **state) {
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        struct random random = { seed };
        struct event event = begun();
        for (int64_t pairs = random_between(&random, 0, 30); pairs > 0; pairs--)
            add_something(&event, &random);
        struct slice line = event_close(&event);
        json_error_t error;
        json_t *root = json_loadb(line.data, line.length, JSON_ALLOW_NUL, &error);
        if (!json_is_object(root)) fail_msg("seed %llu: %s", (unsigned long long)seed, error.text);
        json_decref(root);
        assert_true(line.length <= EVENT_LINE_MAX);
        for (size_t i = 0; i + 1 < line.length; i++)
            if ((unsigned char)line.data[i] < 0x20) fail_msg("seed %llu", (unsigned long long)seed);
        assert_true(text_is_valid(line));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_begins_with_when_and_what),
        cmocka_unit_test(test_each_type_of_value_is_json),
        cmocka_unit_test(test_what_is_not_known_is_null),
        cmocka_unit_test(test_nothing_in_a_text_is_raw_that_a_terminal_or_a_line_reader_obeys),
        cmocka_unit_test(test_a_long_text_is_cut_between_characters_and_says_so),
        cmocka_unit_test(test_a_pair_that_does_not_fit_is_left_out_and_the_line_says_so),
        cmocka_unit_test(test_whatever_is_written_the_line_is_one_object_of_printable_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
