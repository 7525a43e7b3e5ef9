#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/stream/json_repair.h"

#define LOST "\xef\xbf\xbd"

static json_t *load(const char *text) {
    struct bytes out;
    bytes_init(&out, 1 << 20);
    assert_true(json_repair(slice_of(text), &out));
    json_t *json = json_loadb(out.data, out.length, JSON_ALLOW_NUL, NULL);
    bytes_finish(&out);
    return json;
}

static void test_good_json_stays_as_it_is(void **state) {
    static const char text[] =
        "{\"a\":[1,-2.5e3,true,false,null,\"x\\n\\u00e9\\ud83d\\ude00é\"],\"b\":{}}";
    struct bytes out;
    bytes_init(&out, 1000);
    assert_true(json_repair(slice_of(text), &out));
    assert_string_equal(out.data, text);
    bytes_finish(&out);
}

static void test_what_a_strict_parser_refuses_is_taken(void **state) {
    static const char *const texts[] = {
        "{\"a\":\"\\ud83d\"}",
        "{\"a\":\"\\ude00x\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\x01\n\"}",
        "{\"a\":\"\\q\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":123456789012345678901}",
        "{\"a\":-99999999999999999999}",
        "{\"a\":1e999}",
        "{\"a\":[NaN,Infinity,-Infinity]}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        json_t *json = load(texts[i]);
        if (!json) print_error("refused: %s\n", texts[i]);
        assert_non_null(json);
        json_decref(json);
    }
}

static void test_what_is_no_json_stays_so(void **state) {
    static const char *const texts[] = { "{not json}", "{\"a\":", "{\"a\":\"b", "{\"a\" 1}", "]" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_null(load(texts[i]));
}

static void test_a_marked_half_can_still_be_joined(void **state) {
    struct bytes out;
    struct half half = { 0 };
    json_t *first = load("[\"a\\ud83d\"]");
    json_t *second = load("[\"\\ude00b\\udc00\"]");
    bytes_init(&out, 100);
    for (int i = 0; i < 2; i++) {
        const json_t *string = json_array_get(i ? second : first, 0);
        struct slice text = { json_string_value(string), json_string_length(string) };
        assert_true(json_unmark(text, &half, &out));
    }
    assert_string_equal(out.data, "a😀b" LOST);
    json_decref(first);
    json_decref(second);
    bytes_finish(&out);
}

static void test_what_is_too_deep_is_cut_out(void **state) {
    enum { DEPTH = 5000 };
    char *text = malloc(2 * DEPTH + 20);
    char *at = text + sprintf(text, "{\"x\":");
    memset(at, '[', DEPTH);
    memset(at + DEPTH, ']', DEPTH);
    memcpy(at + 2 * DEPTH, ",\"y\":7}", 8);
    json_t *json = load(text);
    assert_int_equal(json_integer_value(json_object_get(json, "y")), 7);
    json_decref(json);
    free(text);
}

static void test_values_are_cut_out_of_a_row_of_them(void **state) {
    struct json_span span = { 0 };
    struct slice text = slice_of("{\"a\":\"}\\\"]\",\"b\":[{}]}[1]");
    assert_true(json_span_next(&span, &text));
    assert_true(slice_equals(text, "[1]"));
    assert_true(json_span_next(&span, &text));
    assert_int_equal(text.length, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_json_stays_as_it_is),
        cmocka_unit_test(test_what_a_strict_parser_refuses_is_taken),
        cmocka_unit_test(test_what_is_no_json_stays_so),
        cmocka_unit_test(test_a_marked_half_can_still_be_joined),
        cmocka_unit_test(test_what_is_too_deep_is_cut_out),
        cmocka_unit_test(test_values_are_cut_out_of_a_row_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
