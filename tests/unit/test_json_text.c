#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/text.h"
#include "core/stream/json_text.h"

#define LOST "\xef\xbf\xbd"

static void assert_says(const char *first, const char *second, const char *said) {
    struct bytes out;
    struct half half = { 0 };
    bytes_init(&out, 1000);
    assert_true(json_unescape(slice_of(first), &half, &out));
    assert_true(json_unescape(slice_of(second), &half, &out));
    assert_true(json_end_half(&half, &out));
    assert_string_equal(out.data ? out.data : "", said);
    assert_true(text_is_valid(bytes_slice(&out)));
    bytes_finish(&out);
}

static void test_escapes_are_read(void **state) {
    assert_says("a\\\"\\\\\\/\\b\\f\\n\\r\\t", "", "a\"\\/\b\f\n\r\t");
    assert_says("\\u0041\\u00e9\\u4E2d\\ud83D\\uDE00", "", "Aé中😀");
    assert_says("plain, long enough for sixteen bytes and more é中😀", "",
                "plain, long enough for sixteen bytes and more é中😀");
}

static void test_a_pair_split_over_two_strings_is_joined(void **state) {
    assert_says("a\\ud83d", "\\ude00b", "a😀b");
}

static void test_a_lone_half_becomes_the_replacement_character(void **state) {
    assert_says("a\\ud83d", "b", "a" LOST "b");
    assert_says("\\ude00", "", LOST);
    assert_says("\\ud83d\\ud83d\\ude00", "", LOST "😀");
    assert_says("\\ud83d", "", LOST);
    assert_says("\\ud83d", "\\n", LOST "\n");
}

static void test_an_empty_string_leaves_a_half_waiting(void **state) {
    struct bytes out;
    struct half half = { 0 };
    bytes_init(&out, 100);
    assert_true(json_unescape(slice_of("\\ud83d"), &half, &out));
    assert_true(json_unescape(slice_of(""), &half, &out));
    assert_true(json_unescape(slice_of("\\ude00"), &half, &out));
    assert_string_equal(out.data, "😀");
    bytes_finish(&out);
}

static void test_bytes_that_are_no_text_are_replaced(void **state) {
    assert_says("a\xff"
                "b",
                "", "a" LOST "b");
    assert_says("a\xe2\x82", "x", "a" LOST "x");
    assert_says("\xed\xa0\x80", "", LOST LOST LOST);
    assert_says("\xf0\x9f\x98z", "", LOST "z");
}

static void test_odd_escapes_stand_for_themselves(void **state) {
    assert_says("\\q\\'", "", "q'");
    assert_says("\\u12x", "", LOST "12x");
    assert_says("\\é", "", "é");
}

static void test_zero_is_a_byte(void **state) {
    struct bytes out;
    struct half half = { 0 };
    bytes_init(&out, 100);
    assert_true(json_unescape(slice_of("a\\u0000b"), &half, &out));
    assert_int_equal(out.length, 3);
    assert_memory_equal(out.data, "a\0b", 3);
    bytes_finish(&out);
}

static void test_strings_are_written_so_that_they_read_the_same(void **state) {
    static const char text[] = "a\"b\\c\n\r\t\x01\x1f\x7f é中😀 and a long tail of plain text";
    struct bytes json, back;
    struct half half = { 0 };
    bytes_init(&json, 1000);
    bytes_init(&back, 1000);
    assert_true(json_append_string(&json, slice_of(text)));
    struct slice inside = { json.data + 1, json.length - 2 };
    assert_true(json_unescape(inside, &half, &back));
    assert_string_equal(back.data, text);
    bytes_finish(&json);
    bytes_finish(&back);
}

static void test_a_full_buffer_is_told(void **state) {
    struct bytes out;
    bytes_init(&out, 5);
    assert_false(json_append_string(&out, slice_of("hello")));
    bytes_finish(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes_are_read),
        cmocka_unit_test(test_a_pair_split_over_two_strings_is_joined),
        cmocka_unit_test(test_a_lone_half_becomes_the_replacement_character),
        cmocka_unit_test(test_an_empty_string_leaves_a_half_waiting),
        cmocka_unit_test(test_bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(test_odd_escapes_stand_for_themselves),
        cmocka_unit_test(test_zero_is_a_byte),
        cmocka_unit_test(test_strings_are_written_so_that_they_read_the_same),
        cmocka_unit_test(test_a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
