/* Every row of tests/data/provider-errors.json that is a reply gets the verdict that it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/time.h"
#include "core/policy/failure.h"

enum { HEADERS_MAX = 64 };

static const char *text_of(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static size_t headers_of(const json_t *row, struct header headers[HEADERS_MAX]) {
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(row, "headers"), name, value) {
        headers[count].name = slice_of(name);
        headers[count++].value = slice_of(json_string_value(value));
    }
    return count;
}

static bool is_reply(const json_t *row) {
    const char *category = text_of(row, "category");
    return json_is_integer(json_object_get(row, "status")) &&
           !json_is_true(json_object_get(row, "in_stream")) &&
           strcmp(category, "complete") != 0 && strcmp(category, "length_limit") != 0;
}

static int check_row(const json_t *row) {
    struct header headers[HEADERS_MAX];
    struct failed_reply reply = {
        .status = (int)json_integer_value(json_object_get(row, "status")),
        .headers = headers,
        .header_count = headers_of(row, headers),
        .body = slice_of(text_of(row, "sample_body")),
    };
    struct failure failure;
    failure_from_reply(&reply, &failure);
    const json_t *told = json_object_get(row, "retry_after_ms");
    int64_t told_ns = json_is_number(told) ? (int64_t)(json_number_value(told) * 1e6) : -1;
    const char *class = failure_class_name(failure.class);
    bool same = strcmp(class, text_of(row, "category")) == 0 &&
                failure.retryable == json_is_true(json_object_get(row, "retryable")) &&
                failure.counts_for_breaker == json_is_true(json_object_get(row, "breaker_counts")) &&
                (failure.retry_after_ns == told_ns ||
                 (told_ns > 0 && llabs(failure.retry_after_ns - told_ns) < TIME_MS));
    if (!same)
        print_error("%s: got %s retryable=%d counts=%d after=%lld ms\n", text_of(row, "id"), class,
                    failure.retryable, failure.counts_for_breaker,
                    (long long)(failure.retry_after_ns / TIME_MS));
    return !same;
}

static void test_each_row_gets_its_verdict(void **state) {
    json_t *rows = json_load_file("tests/data/provider-errors.json", JSON_ALLOW_NUL, NULL);
    assert_non_null(rows);
    size_t i;
    json_t *row;
    int checked = 0;
    int wrong = 0;
    json_array_foreach(rows, i, row) {
        if (!is_reply(row)) continue;
        checked++;
        wrong += check_row(row);
    }
    json_decref(rows);
    print_message("%d replies judged\n", checked);
    assert_true(checked > 150);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_row_gets_its_verdict) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
