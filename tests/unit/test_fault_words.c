#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/time.h"
#include "core/transport/fault_words.h"

static const struct wire *const wires[] = { &wire_openai_chat, &wire_openai_responses,
                                            &wire_anthropic_messages };
enum { WIRES = sizeof(wires) / sizeof(*wires) };

static void test_each_reply_is_judged_as_what_it_rehearses_on_every_wire(void **state) {
    static const struct {
        enum fault_kind kind;
        int status;
        enum failure_class class;
    } rows[] = {
        { FAULT_RATE_LIMIT, 429, FAILURE_RATE_LIMIT },
        { FAULT_SERVER, 500, FAILURE_SERVER },
        { FAULT_SERVER, 502, FAILURE_SERVER },
        { FAULT_SERVER, 401, FAILURE_AUTH },
        { FAULT_SERVER, 403, FAILURE_PERMISSION },
        { FAULT_SERVER, 400, FAILURE_VALIDATION },
        { FAULT_SERVER, 404, FAILURE_NOT_FOUND },
        { FAULT_OVERLOADED, 0, FAILURE_OVERLOADED },
        { FAULT_OVERLOADED, 529, FAILURE_OVERLOADED },
        { FAULT_OVERLOADED, 503, FAILURE_OVERLOADED },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (size_t j = 0; j < WIRES; j++) {
            struct fault fault = { .kind = rows[i].kind, .status = rows[i].status };
            struct bytes body;
            struct failure failure;
            bytes_init(&body, 4096);
            assert_true(fault_write_reply(&fault, wires[j], &body));
            json_t *root = json_loadb(body.data, body.length, 0, NULL);
            assert_true(json_is_object(json_object_get(root, "error")));
            json_decref(root);
            struct failed_reply reply = { .status = fault_reply_status(&fault, wires[j]),
                                          .body = bytes_slice(&body) };
            failure_from_reply(&reply, &failure);
            if (failure.class != rows[i].class)
                fail_msg("%s, status %d: %s", wires[j]->name, reply.status,
                         failure_class_name(failure.class));
            assert_true(strstr(failure.message, "rehearsed"));
            bytes_finish(&body);
        }
    }
}

static void test_a_wire_has_its_own_status_for_overload(void **state) {
    struct fault fault = { .kind = FAULT_OVERLOADED };
    assert_int_equal(fault_reply_status(&fault, &wire_anthropic_messages), 529);
    assert_int_equal(fault_reply_status(&fault, &wire_openai_chat), 503);
}

static void test_a_wait_is_told_in_seconds_and_exactly_where_they_are_not_enough(void **state) {
    static const struct {
        int64_t wait_ns;
        const char *values[3];
    } rows[] = {
        { -1, { "application/json" } },
        { 2 * TIME_S, { "application/json", "2" } },
        { 1500 * TIME_MS, { "application/json", "2", "1500" } },
    };
    static const char *const names[] = { "content-type", "retry-after", "retry-after-ms" };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct fault fault = { .kind = FAULT_RATE_LIMIT, .retry_after_ns = rows[i].wait_ns };
        struct fault_headers got;
        fault_write_headers(&fault, &got);
        assert_int_equal(got.count, i + 1);
        for (size_t j = 0; j < got.count; j++) {
            assert_true(slice_equals(got.headers[j].name, names[j]));
            assert_true(slice_equals(got.headers[j].value, rows[i].values[j]));
        }
    }
}

static void test_without_memory_it_says_so(void **state) {
    struct fault fault = { .kind = FAULT_SERVER, .status = 500 };
    struct bytes none;
    bytes_init(&none, 10);
    for (size_t i = 0; i < WIRES; i++) {
        assert_false(fault_write_reply(&fault, wires[i], &none));
        bytes_clear(&none);
        assert_false(fault_write_event(FAULT_ERROR_SERVER, wires[i], &none));
        bytes_clear(&none);
    }
    bytes_finish(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_reply_is_judged_as_what_it_rehearses_on_every_wire),
        cmocka_unit_test(test_a_wire_has_its_own_status_for_overload),
        cmocka_unit_test(test_a_wait_is_told_in_seconds_and_exactly_where_they_are_not_enough),
        cmocka_unit_test(test_without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
