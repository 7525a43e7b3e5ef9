#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/draft.h"
#include "fs/errors.h"

enum { ROOM = 16 };

static int set_up(void **state) {
    struct draft *draft = malloc(sizeof(*draft));
    draft_init(draft, ROOM, true);
    *state = draft;
    return 0;
}

static int tear_down(void **state) {
    draft_finish(*state);
    free(*state);
    return 0;
}

static int put(struct draft *draft, size_t offset, const char *text) {
    return draft_write(draft, offset, slice_of(text), false);
}

static void assert_sends(struct draft *draft, const char *text) {
    assert_true(draft_complete(draft));
    assert_true(slice_equals(bytes_slice(&draft->text), text));
}

static void test_writes_one_after_the_other_make_one_text(void **state) {
    assert_int_equal(put(*state, 0, "one "), 0);
    assert_int_equal(put(*state, 4, "text"), 0);
    assert_sends(*state, "one text");
}

static void test_writes_in_any_order_make_the_same_text(void **state) {
    assert_int_equal(put(*state, 4, "text"), 0);
    assert_int_equal(put(*state, 0, "one "), 0);
    assert_sends(*state, "one text");
}

static void test_an_appending_writer_does_not_look_at_offsets(void **state) {
    assert_int_equal(draft_write(*state, 4711, slice_of("a"), true), 0);
    assert_int_equal(draft_write(*state, 1, slice_of("b"), true), 0);
    assert_sends(*state, "ab");
}

static void test_one_newline_at_the_end_is_dropped(void **state) {
    assert_int_equal(put(*state, 0, "text\n\n"), 0);
    assert_sends(*state, "text\n");
}

static void test_nothing_written_is_nothing_to_send(void **state) {
    assert_false(draft_complete(*state));
}

static void test_only_what_would_be_sent_can_be_a_problem(void **state) {
    assert_int_equal(draft_problem(*state), 0);
    assert_int_equal(put(*state, 0, "caf\xc3"), 0);
    assert_int_equal(draft_problem(*state), ERROR_NOT_TEXT);
    assert_false(draft_complete(*state));
    assert_int_equal(put(*state, 4, "\xa9"), 0);
    assert_int_equal(draft_problem(*state), 0);
    assert_sends(*state, "caf\xc3\xa9");
}

static void test_a_hole_is_a_problem(void **state) {
    assert_int_equal(put(*state, 4, "a"), 0);
    assert_int_equal(draft_problem(*state), ERROR_NOT_TEXT);
    assert_false(draft_complete(*state));
}

static void test_a_newline_alone_is_nothing_to_send(void **state) {
    assert_int_equal(put(*state, 0, "\n"), 0);
    assert_false(draft_complete(*state));
}

static void test_the_newline_at_the_end_does_not_count_for_the_maximum(void **state) {
    assert_int_equal(put(*state, 0, "0123456789abcdef"), 0);
    assert_int_equal(put(*state, ROOM, "\n"), 0);
    assert_sends(*state, "0123456789abcdef");
}

static void test_a_text_over_the_maximum_is_refused_and_never_sent(void **state) {
    assert_int_equal(put(*state, 0, "0123456789abcdefX"), ERROR_TOO_LARGE);
    assert_int_equal(put(*state, 0, "short"), ERROR_TOO_LARGE);
    assert_false(draft_complete(*state));
}

static void test_a_far_offset_is_refused(void **state) {
    assert_int_equal(put(*state, SIZE_MAX - 1, "x"), ERROR_TOO_LARGE);
}

static void test_bytes_that_are_not_utf_8_are_refused_at_once(void **state) {
    assert_int_equal(put(*state, 0, "a\xff"), ERROR_NOT_TEXT);
    assert_int_equal(put(*state, 2, "b"), ERROR_NOT_TEXT);
    assert_false(draft_complete(*state));
}

static void test_nul_is_refused_at_once_wherever_it_is_put(void **state) {
    assert_int_equal(put(*state, 0, "abc"), 0);
    assert_int_equal(draft_write(*state, 1, (struct slice){ "\0", 1 }, false), ERROR_NOT_TEXT);
}

static void test_a_character_may_be_split_between_two_writes(void **state) {
    assert_int_equal(put(*state, 0, "\xc3"), 0);
    assert_int_equal(put(*state, 1, "\xa9"), 0);
    assert_sends(*state, "\xc3\xa9");
}

static void test_half_a_character_at_the_end_is_not_sent(void **state) {
    assert_int_equal(put(*state, 0, "a\xc3"), 0);
    assert_false(draft_complete(*state));
}

static void test_a_hole_is_not_text(void **state) {
    assert_int_equal(put(*state, 3, "x"), 0);
    assert_false(draft_complete(*state));
}

static void test_a_truncated_draft_starts_again(void **state) {
    assert_int_equal(put(*state, 0, "junk\xc3"), 0);
    assert_int_equal(draft_resize(*state, 0), 0);
    assert_int_equal(put(*state, 0, "good"), 0);
    assert_sends(*state, "good");
}

static void test_a_shortened_draft_is_checked_as_a_whole(void **state) {
    assert_int_equal(put(*state, 0, "good\xc3"), 0);
    assert_int_equal(draft_resize(*state, 4), 0);
    assert_sends(*state, "good");
}

static void test_a_draft_that_is_not_prose_takes_any_bytes(void **state) {
    struct draft draft;
    draft_init(&draft, ROOM, false);
    assert_int_equal(draft_write(&draft, 0, (struct slice){ "\0\xff", 2 }, false), 0);
    assert_int_equal(draft.text.length, 2);
    draft_finish(&draft);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_writes_one_after_the_other_make_one_text),
        TEST(test_writes_in_any_order_make_the_same_text),
        TEST(test_an_appending_writer_does_not_look_at_offsets),
        TEST(test_one_newline_at_the_end_is_dropped),
        TEST(test_nothing_written_is_nothing_to_send),
        TEST(test_only_what_would_be_sent_can_be_a_problem),
        TEST(test_a_hole_is_a_problem),
        TEST(test_a_newline_alone_is_nothing_to_send),
        TEST(test_the_newline_at_the_end_does_not_count_for_the_maximum),
        TEST(test_a_text_over_the_maximum_is_refused_and_never_sent),
        TEST(test_a_far_offset_is_refused),
        TEST(test_bytes_that_are_not_utf_8_are_refused_at_once),
        TEST(test_nul_is_refused_at_once_wherever_it_is_put),
        TEST(test_a_character_may_be_split_between_two_writes),
        TEST(test_half_a_character_at_the_end_is_not_sent),
        TEST(test_a_hole_is_not_text),
        TEST(test_a_truncated_draft_starts_again),
        TEST(test_a_shortened_draft_is_checked_as_a_whole),
        TEST(test_a_draft_that_is_not_prose_takes_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
