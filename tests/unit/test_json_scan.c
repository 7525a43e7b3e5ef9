#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/stream/json_scan.h"

enum { SLOT_TEXT, SLOT_NUMBER };

static const struct json_rule inner_rules[] = {
    JSON_RULE("text", JSON_WANT_STRING, SLOT_TEXT, NULL),
    JSON_RULE("index", JSON_WANT_ZERO, 0, NULL),
};
static const struct json_rules inner = JSON_RULES(inner_rules);
static const struct json_rule rules[] = {
    JSON_RULE("list", JSON_WANT_FIRST, 0, &inner),
    JSON_RULE("object", JSON_WANT_OBJECT, 0, &inner),
    JSON_RULE("number", JSON_WANT_NUMBER, SLOT_NUMBER, NULL),
    JSON_RULE("error", JSON_WANT_NOTHING, 0, NULL),
};
static const struct json_rules top = JSON_RULES(rules);

static bool scan(const char *text, struct json_found *found) {
    return json_scan(slice_of(text), &top, found);
}

static void test_strings_are_found_by_their_place(void **state) {
    struct json_found found;
    assert_true(
        scan("{\"text\":\"no\",\"x\":{\"text\":\"no\"},\"list\":[{\"index\":0,\"text\":\"y\\n\"}],"
             "\"number\":17}",
             &found));
    assert_true(slice_equals(found.strings[SLOT_TEXT], "y\\n"));
    assert_int_equal(found.numbers[SLOT_NUMBER], 17);
}

static void test_keys_inside_strings_are_not_keys(void **state) {
    struct json_found found;
    assert_true(
        scan("{\"a\":\"\\\"list\\\":[{\\\"text\\\":\\\"no\\\"}]\\\\\",\"list\":[]}", &found));
    assert_null(found.strings[SLOT_TEXT].data);
}

static void test_blanks_are_skipped(void **state) {
    struct json_found found;
    assert_true(scan(" { \"list\" : [ { \"text\" : \"a\" , \"b\" : [ 1 , { } ] } ] } \n", &found));
    assert_true(slice_equals(found.strings[SLOT_TEXT], "a"));
}

static void test_null_is_as_if_absent(void **state) {
    struct json_found found;
    assert_true(scan("{\"object\":null,\"list\":[{\"text\":null}],\"error\":null}", &found));
    assert_null(found.strings[SLOT_TEXT].data);
    assert_int_equal(found.numbers[SLOT_NUMBER], -1);
}

static void test_what_is_odd_is_rare(void **state) {
    static const char *const texts[] = {
        "",
        "[]",
        "[DONE]",
        "{",
        "{}}",
        "{} {}",
        "{\"list\":[{\"text\":\"a\"}",
        "{\"list\":[{\"text\":\"a",
        "{\"list\":[{\"text\":\"a\\",
        "{\"list\":[{\"text\":1}]}",
        "{\"list\":[{\"text\":\"a\"},{\"text\":\"b\"}]}",
        "{\"list\":[{\"text\":\"a\",\"text\":\"b\"}]}",
        "{\"list\":{}}",
        "{\"list\":[{\"index\":1}]}",
        "{\"object\":[]}",
        "{\"number\":1.5}",
        "{\"number\":-1}",
        "{\"number\":1234567890123456789012}",
        "{\"error\":{}}",
        "{\"error\":\"x\"}",
        "{\"error\":false}",
        "{\"err\\u006fr\":{}}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":[1}",
    };
    struct json_found found;
    for (size_t i = 0; i + 1 < sizeof(texts) / sizeof(*texts); i++) {
        bool ordinary = scan(texts[i], &found);
        if (ordinary) print_error("ordinary: %s\n", texts[i]);
        assert_false(ordinary);
    }
}

static void test_each_prefix_of_an_object_is_rare(void **state) {
    static const char text[] =
        "{\"x\":[1,{\"y\":\"\\\\\"}],\"list\":[{\"text\":\"a\"}],\"n\":null}";
    struct json_found found;
    for (size_t length = 0; length < sizeof(text) - 1; length++)
        assert_false(json_scan((struct slice){ text, length }, &top, &found));
    assert_true(scan(text, &found));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_are_found_by_their_place),
        cmocka_unit_test(test_keys_inside_strings_are_not_keys),
        cmocka_unit_test(test_blanks_are_skipped),
        cmocka_unit_test(test_null_is_as_if_absent),
        cmocka_unit_test(test_what_is_odd_is_rare),
        cmocka_unit_test(test_each_prefix_of_an_object_is_rare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
