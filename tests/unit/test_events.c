#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/random.h"
#include "core/events/event.h"
#include "core/events/events.h"

enum { LINES = 10, BYTES = 4 * EVENT_LINE_MAX };

// Linked with --wrap=realloc: memory is short while a test says so.
static bool memory_is_short;
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size) {
    return memory_is_short ? NULL : __real_realloc(memory, size);
}

static void add(struct events *events, const char *line) {
    events_append(events, 1, slice_of(line));
}

static void add_numbered(struct events *events, int number) {
    char line[32];
    snprintf(line, sizeof(line), "line %d\n", number);
    add(events, line);
}

// All that is kept, for the caller to free.
static char *text_of(struct events *events) {
    struct slice text = events_read(events, events_start(events), SIZE_MAX);
    return strndup(text.length ? text.data : "", text.length);
}

static void assert_text(struct events *events, const char *expected) {
    char *text = text_of(events);
    assert_string_equal(text, expected);
    free(text);
}

static void test_lines_are_one_text_that_grows_at_its_end(void **state) {
    struct events *events = events_create(LINES, BYTES);
    assert_int_equal(events_end(events), 0);
    assert_int_equal(events_changed_wall_ns(events), 0);
    add(events, "a\n");
    events_append(events, 17, slice_of("bc\n"));
    assert_int_equal(events_start(events), 0);
    assert_int_equal(events_end(events), 5);
    assert_int_equal(events_changed_wall_ns(events), 17);
    assert_text(events, "a\nbc\n");
    assert_int_equal(events_read(events, 5, 10).length, 0);
    assert_int_equal(events_read(events, 1, 2).length, 2);
    events_destroy(events);
}

static void test_the_newest_lines_are_kept_and_offsets_stay(void **state) {
    struct events *events = events_create(LINES, BYTES);
    for (int i = 0; i < 1000; i++)
        add_numbered(events, i);
    assert_text(events, "line 990\nline 991\nline 992\nline 993\nline 994\n"
                        "line 995\nline 996\nline 997\nline 998\nline 999\n");
    assert_int_equal(events_end(events), 10 * 7 + 90 * 8 + 900 * 9);
    assert_int_equal(events_start(events), events_end(events) - 90);
    events_destroy(events);
}

static void test_long_lines_make_fewer_be_kept(void **state) {
    struct events *events = events_create(1000, BYTES);
    char line[EVENT_LINE_MAX + 1];
    memset(line, 'x', EVENT_LINE_MAX);
    line[EVENT_LINE_MAX - 1] = '\n';
    line[EVENT_LINE_MAX] = '\0';
    add(events, "first\n");
    for (int i = 0; i < 100; i++)
        add(events, line);
    assert_int_equal(events_end(events) - events_start(events), BYTES);
    assert_int_equal(events_start(events) % EVENT_LINE_MAX, strlen("first\n"));
    events_destroy(events);
}

static void test_the_rest_of_a_line_is_what_a_reader_has_not_seen_of_it(void **state) {
    static const struct {
        uint64_t offset;
        const char *rest;
    } rows[] = { { 0, "" }, { 1, "ne\n" }, { 3, "\n" }, { 4, "" }, { 6, "o\n" }, { 8, "" } };
    struct events *events = events_create(LINES, BYTES);
    add(events, "one\n");
    add(events, "two\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_true(slice_equals(events_rest_of_line(events, rows[i].offset), rows[i].rest));
    events_destroy(events);
}

static void test_lines_without_memory_are_lost_and_told_of_later(void **state) {
    struct events *events = events_create(LINES, BYTES);
    add(events, "a\n");
    memory_is_short = true;
    for (int lost = 0; lost < 3;) { // at first there is room
        uint64_t before = events_end(events);
        add(events, "b\n");
        if (events_end(events) == before) lost++;
    }
    memory_is_short = false;
    uint64_t start = events_start(events);
    uint64_t end = events_end(events);
    events_append(events, 0, slice_of("c\n"));
    assert_true(events_start(events) >= start);
    struct slice told = events_read(events, end, SIZE_MAX);
    assert_true(slice_equals(told, "{\"at\":\"1970-01-01T00:00:00.000Z\",\"event\":\"events_lost\","
                                   "\"count\":3}\nc\n"));
    events_append(events, 0, slice_of("d\n"));
    assert_int_equal(events_end(events) - end, told.length + 2);
    events_destroy(events);
}

static void test_no_journal_is_an_empty_one(void **state) {
    struct events_watcher watcher = { 0 };
    add(NULL, "a\n");
    events_flush(NULL);
    events_watch(NULL, &watcher);
    events_unwatch(NULL, &watcher);
    assert_int_equal(events_start(NULL), 0);
    assert_int_equal(events_end(NULL), 0);
    assert_int_equal(events_read(NULL, 0, 10).length, 0);
    assert_int_equal(events_changed_wall_ns(NULL), 0);
    events_destroy(NULL);
}

struct hearer {
    struct events *events;
    struct events_watcher watcher;
    struct events_watcher *takes_along;
    bool adds;
    int heard;
};

static void on_news(void *owner) {
    struct hearer *hearer = owner;
    hearer->heard++;
    if (hearer->adds) add(hearer->events, "from a watcher\n");
    if (!hearer->takes_along) return;
    events_unwatch(hearer->events, &hearer->watcher);
    events_unwatch(hearer->events, hearer->takes_along);
}

static struct hearer *hearer_of(struct events *events) {
    struct hearer *hearer = calloc(1, sizeof(*hearer));
    hearer->events = events;
    hearer->watcher = (struct events_watcher){ .changed = on_news, .owner = hearer };
    events_watch(events, &hearer->watcher);
    return hearer;
}

static void test_watchers_hear_once_a_turn_and_only_of_news(void **state) {
    struct events *events = events_create(LINES, BYTES);
    struct hearer *hearer = hearer_of(events);
    events_flush(events);
    assert_int_equal(hearer->heard, 0);
    add(events, "a\n");
    add(events, "b\n");
    assert_int_equal(hearer->heard, 0);
    events_flush(events);
    events_flush(events);
    assert_int_equal(hearer->heard, 1);
    hearer->adds = true;
    add(events, "c\n");
    events_flush(events);
    assert_int_equal(hearer->heard, 2); // what it added is for the next turn
    hearer->adds = false;
    events_flush(events);
    assert_int_equal(hearer->heard, 3);
    events_unwatch(events, &hearer->watcher);
    free(hearer);
    events_destroy(events);
}

static void test_a_watcher_may_go_and_take_the_next_one_along(void **state) {
    struct events *events = events_create(LINES, BYTES);
    struct hearer *last = hearer_of(events);
    struct hearer *next = hearer_of(events);
    struct hearer *first = hearer_of(events);
    first->takes_along = &next->watcher;
    add(events, "a\n");
    events_flush(events);
    assert_int_equal(first->heard, 1);
    assert_int_equal(next->heard, 0);
    assert_int_equal(last->heard, 1);
    events_unwatch(events, &last->watcher);
    free(first);
    free(next);
    free(last);
    events_destroy(events);
}

static void test_a_copy_made_by_offsets_never_has_a_gap_that_was_not_told(void **state) {
    struct events *events = events_create(50, BYTES);
    struct random random = { 7 };
    struct bytes all;
    bytes_init(&all, SIZE_MAX / 2);
    for (int i = 0; i < 20000; i++) {
        char line[EVENT_LINE_MAX + 1];
        size_t length = (size_t)random_between(&random, 0, i % 100 ? 60 : EVENT_LINE_MAX - 1);
        memset(line, 'a' + i % 26, length);
        memcpy(line + length, "\n", 2);
        add(events, line);
        bytes_append_text(&all, line);
        assert_int_equal(events_end(events), all.length);
        uint64_t start = events_start(events);
        struct slice text = events_read(events, start, SIZE_MAX);
        assert_int_equal(text.length, all.length - start);
        assert_memory_equal(text.data, all.data + start, text.length);
        assert_true(start == 0 || all.data[start - 1] == '\n');
    }
    bytes_finish(&all);
    events_destroy(events);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_one_text_that_grows_at_its_end),
        cmocka_unit_test(test_the_newest_lines_are_kept_and_offsets_stay),
        cmocka_unit_test(test_long_lines_make_fewer_be_kept),
        cmocka_unit_test(test_the_rest_of_a_line_is_what_a_reader_has_not_seen_of_it),
        cmocka_unit_test(test_lines_without_memory_are_lost_and_told_of_later),
        cmocka_unit_test(test_no_journal_is_an_empty_one),
        cmocka_unit_test(test_watchers_hear_once_a_turn_and_only_of_news),
        cmocka_unit_test(test_a_watcher_may_go_and_take_the_next_one_along),
        cmocka_unit_test(test_a_copy_made_by_offsets_never_has_a_gap_that_was_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
