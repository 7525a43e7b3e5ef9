#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/stream/sse.h"

enum { BUFFER_MAX = 256 };

/* What came, as text: type|data; a raw one with a star before it. */
struct log {
    struct bytes text;
    enum sse_status last;
};

static void note(struct log *log, const struct sse_event *event) {
    bytes_append_text(&log->text, event->raw ? "*" : "");
    bytes_append_slice(&log->text, event->type);
    bytes_append_text(&log->text, "|");
    bytes_append_slice(&log->text, event->data);
    bytes_append_text(&log->text, ";");
}

static bool feed(struct sse *sse, struct slice part, struct log *log) {
    struct sse_event event;
    char *copy = malloc(part.length + 1); // gone after the call: nothing may borrow from it
    memcpy(copy, part.data, part.length);
    struct slice input = { copy, part.length };
    while ((log->last = sse_next(sse, &input, &event)) == SSE_EVENT)
        note(log, &event);
    free(copy);
    return log->last == SSE_MORE;
}

static void run(struct slice text, size_t cut, struct log *log) {
    struct bytes buffer;
    struct sse sse;
    struct sse_event event;
    bytes_init(&buffer, BUFFER_MAX);
    bytes_init(&log->text, 1 << 20);
    sse_init(&sse, &buffer);
    if (feed(&sse, (struct slice){ text.data, cut }, log) &&
        feed(&sse, (struct slice){ text.data + cut, text.length - cut }, log))
        while ((log->last = sse_end(&sse, &event)) == SSE_EVENT)
            note(log, &event);
    bytes_finish(&buffer);
}

static void assert_events(const char *text, size_t length, const char *events) {
    for (size_t cut = 0; cut <= length; cut++) {
        struct log log;
        run((struct slice){ text, length }, cut, &log);
        assert_int_equal(log.last, SSE_MORE);
        assert_string_equal(log.text.data ? log.text.data : "", events);
        bytes_finish(&log.text);
    }
}

#define ASSERT_EVENTS(text, events) assert_events(text, sizeof(text) - 1, events)

static void test_an_event_ends_at_an_empty_line_of_any_kind(void **state) {
    ASSERT_EVENTS("data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\r\ndata: e\r\n\n",
                  "|a;|b;|c;|d;|e;");
}

static void test_lines_of_data_are_joined(void **state) {
    ASSERT_EVENTS("data: a\ndata: b\ndata\ndata:c\n\n", "|a\nb\n\nc;");
}

static void test_one_space_after_the_colon_goes(void **state) {
    ASSERT_EVENTS("data:a\n\ndata:  b\n\ndata: \n\n", "|a;| b;|;");
}

static void test_a_type_holds_for_one_event(void **state) {
    ASSERT_EVENTS("event: x\ndata: a\n\ndata: b\n\nevent: y\n\ndata: c\n\n", "x|a;|b;|c;");
}

static void test_comments_and_unknown_fields_are_skipped(void **state) {
    ASSERT_EVENTS(": hi\n\n:\nid: 3\nretry: 1\nfoo\ndata: a\n: in between\nbar: 1\n\n", "|a;");
}

static void test_a_byte_order_mark_is_dropped_once(void **state) {
    ASSERT_EVENTS("\xef\xbb\xbf"
                  "data: a\n\n\xef\xbb\xbf"
                  "data: b\n\n",
                  "|a;");
}

static void test_at_the_end_a_whole_line_counts_and_half_a_line_does_not(void **state) {
    ASSERT_EVENTS("data: a\n", "|a;");
    ASSERT_EVENTS("data: a\ndata: b", "|a;");
    ASSERT_EVENTS("data: a", "");
}

static void test_a_bare_line_is_an_event(void **state) {
    ASSERT_EVENTS("{\"error\":1}\ndata: a\n\n", "*|{\"error\":1};|a;");
    ASSERT_EVENTS("data: a\n\nerror: {\"x\":1}\n\ndata: b\n\n", "|a;*error|{\"x\":1};|b;");
    ASSERT_EVENTS("event: t\ndata: a\n{\"x\":1}\n", "t|a;*|{\"x\":1};");
    ASSERT_EVENTS("error: no object\ndata: a\n\n", "|a;");
}

static void test_objects_without_a_blank_line_between_are_events(void **state) {
    ASSERT_EVENTS("data: {1}\ndata: {2}\ndata: [DONE]\n", "|{1};|{2};|[DONE];");
    ASSERT_EVENTS("event: a\ndata: {1}\nevent: b\ndata: {2}\n\n", "a|{1};b|{2};");
    ASSERT_EVENTS("data: {\ndata: \"a\":\ndata: {}}\n\n", "|{\n\"a\":\n{}};");
}

static void test_a_type_too_long_is_cut(void **state) {
    char text[200] = "event: ";
    char events[200] = "";
    memset(text + 7, 'x', 100);
    memcpy(text + 107, "\ndata: a\n\n", 11);
    memset(events, 'x', SSE_TYPE_MAX);
    memcpy(events + SSE_TYPE_MAX, "|a;", 4);
    assert_events(text, strlen(text), events);
}

static void test_an_event_past_the_maximum_is_told(void **state) {
    char text[BUFFER_MAX * 2];
    memset(text, 'x', sizeof(text));
    memcpy(text, "data: ", 6);
    text[sizeof(text) - 1] = '\n';
    for (size_t cut = 0; cut <= sizeof(text); cut++) {
        struct log log;
        run((struct slice){ text, sizeof(text) }, cut, &log);
        assert_int_equal(log.last, SSE_TOO_LONG);
        bytes_finish(&log.text);
    }
}

static void test_an_event_inside_one_input_costs_no_memory(void **state) {
    struct bytes buffer;
    struct sse sse;
    struct sse_event event;
    struct slice input = slice_of("event: x\ndata: hello\n\n");
    bytes_init(&buffer, BUFFER_MAX);
    sse_init(&sse, &buffer);
    assert_int_equal(sse_next(&sse, &input, &event), SSE_EVENT);
    assert_null(buffer.data);
    assert_int_equal(sse_next(&sse, &input, &event), SSE_MORE);
    assert_null(buffer.data);
}

static void test_memory_is_given_back_after_a_split_event(void **state) {
    struct bytes buffer;
    struct sse sse;
    struct sse_event event;
    struct slice first = slice_of("data: hel");
    struct slice second = slice_of("lo\n\n");
    bytes_init(&buffer, BUFFER_MAX);
    sse_init(&sse, &buffer);
    assert_int_equal(sse_next(&sse, &first, &event), SSE_MORE);
    assert_non_null(buffer.data);
    assert_int_equal(sse_next(&sse, &second, &event), SSE_EVENT);
    assert_true(slice_equals(event.data, "hello"));
    assert_int_equal(sse_next(&sse, &second, &event), SSE_MORE);
    assert_null(buffer.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_ends_at_an_empty_line_of_any_kind),
        cmocka_unit_test(test_lines_of_data_are_joined),
        cmocka_unit_test(test_one_space_after_the_colon_goes),
        cmocka_unit_test(test_a_type_holds_for_one_event),
        cmocka_unit_test(test_comments_and_unknown_fields_are_skipped),
        cmocka_unit_test(test_a_byte_order_mark_is_dropped_once),
        cmocka_unit_test(test_at_the_end_a_whole_line_counts_and_half_a_line_does_not),
        cmocka_unit_test(test_a_bare_line_is_an_event),
        cmocka_unit_test(test_objects_without_a_blank_line_between_are_events),
        cmocka_unit_test(test_a_type_too_long_is_cut),
        cmocka_unit_test(test_an_event_past_the_maximum_is_told),
        cmocka_unit_test(test_an_event_inside_one_input_costs_no_memory),
        cmocka_unit_test(test_memory_is_given_back_after_a_split_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
