#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/stream/overlap.h"

static void test_a_word_is_not_cut(void **state) {
    static const struct {
        const char *text;
        size_t at;
        bool boundary;
    } rows[] = {
        { "one two", 0, true },
        { "one two", 1, false },
        { "one two", 3, true },
        { "one two", 4, true },
        { "one two", 6, false },
        { "one two", 7, true },
        { "a_1", 1, false },
        { "a,b", 1, true },
        { "a,b", 2, true },
        { "\xe5\xa4\xa9\xe7\xa9\xba", 3, true },  // between two characters
        { "\xe5\xa4\xa9\xe7\xa9\xba", 4, false }, // inside of one
        { "a\xc3\xa9", 1, true },
        { "\xc3\xa9z", 2, true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (overlap_is_boundary(slice_of(rows[i].text), rows[i].at) != rows[i].boundary)
            fail_msg("%s at %zu", rows[i].text, rows[i].at);
}

static void test_a_pattern_is_what_the_text_ends_with_already(void **state) {
    static const struct {
        const char *text;
        size_t length;
        bool pattern;
    } rows[] = {
        { "ha ha ha ", 3, true },  // twice at the end
        { "ha ha ha ", 6, true },  // twice in itself
        { "ha ha ha ", 9, true },  // three times in itself
        { "ha ha ha ", 4, false }, // " ha " with no " ha " before it
        { "oh, ha ha ", 6, true },
        { "no ha ", 3, false },
        { "abcabc", 6, true },
        { "abcabc", 3, true },
        { "abcabd", 3, false },
        { "abcabc", 2, false },
        { "aa", 1, true },
        { "a", 1, false },
        { "one\ntwo\none\ntwo\n", 8, true },
        { "one\ntwo\ntwo\none\n", 8, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (overlap_is_pattern(slice_of(rows[i].text), rows[i].length) != rows[i].pattern)
            fail_msg("%s, %zu", rows[i].text, rows[i].length);
}

static void test_what_two_texts_share_is_counted_from_either_end(void **state) {
    assert_int_equal(overlap_front(slice_of("abcd"), slice_of("abxd")), 2);
    assert_int_equal(overlap_front(slice_of("ab"), slice_of("abx")), 2);
    assert_int_equal(overlap_front(slice_of(""), slice_of("abx")), 0);
    assert_int_equal(overlap_back(slice_of("abcd"), slice_of("xcd")), 2);
    assert_int_equal(overlap_back(slice_of("cd"), slice_of("xcd")), 2);
    assert_int_equal(overlap_back(slice_of("cd"), slice_of("")), 0);
}

static void test_white_space_at_the_end_is_counted(void **state) {
    assert_int_equal(overlap_blank_bytes(slice_of("a b \n\t ")), 4);
    assert_int_equal(overlap_blank_bytes(slice_of("a")), 0);
    assert_int_equal(overlap_blank_bytes(slice_of(" \n")), 2);
    assert_int_equal(overlap_blank_bytes(slice_of("")), 0);
    assert_int_equal(overlap_blank_bytes(slice_of("a\xc2\xa0")), 0); // a hard space is no ASCII
}

#define LONG "the words that come here are more than thirty-two"

static void test_a_preamble_is_told_from_text_by_its_looks(void **state) {
    static const struct {
        const char *before;
        const char *repeated;
        enum preamble verdict;
    } rows[] = {
        { "Sure, continuing:\n\n", "the last few words", PREAMBLE_YES },
        { "Sure, continuing: ", "the last few words", PREAMBLE_YES },
        { "Sure, continuing: \"", "the last few words", PREAMBLE_YES },
        { "Sure, continuing", ": the last few words", PREAMBLE_YES }, // its colon is text, too
        { "Sure. Continuing\xe2\x80\xa6 ", "the last few words", PREAMBLE_YES },
        { "...", "the last few words", PREAMBLE_YES },
        { "\xe2\x80\xa6", "the last few words", PREAMBLE_YES },
        { "\xe5\xa5\xbd\xef\xbc\x9a", "the last few words", PREAMBLE_YES },
        { "(continued)\n", LONG, PREAMBLE_YES },
        { "**Continued**\n\n", LONG, PREAMBLE_YES },
        { "Sure\n", LONG, PREAMBLE_YES },
        { "Sure\n", "the last few words", PREAMBLE_MAYBE },
        { "sure:\n", LONG, PREAMBLE_MAYBE },
        { "sure:\n", "the last few words", PREAMBLE_NO },
        { "Sure, ", LONG, PREAMBLE_NO },
        { " Sure:\n", LONG, PREAMBLE_NO },
        { "\n\n", LONG, PREAMBLE_NO },
        { ". Sure:\n", LONG, PREAMBLE_NO },
        { "3. Sure:\n", LONG, PREAMBLE_NO },
        { "- Sure:\n", LONG, PREAMBLE_NO },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct bytes said;
        bytes_init(&said, 1000);
        assert_true(bytes_append_text(&said, rows[i].before));
        assert_true(bytes_append_text(&said, rows[i].repeated));
        enum preamble verdict = preamble_judge(bytes_slice(&said), strlen(rows[i].repeated));
        if (verdict != rows[i].verdict) fail_msg("%s: %d", said.data, verdict);
        bytes_finish(&said);
    }
    assert_false(preamble_is_ruled_out(slice_of("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_word_is_not_cut),
        cmocka_unit_test(test_a_pattern_is_what_the_text_ends_with_already),
        cmocka_unit_test(test_what_two_texts_share_is_counted_from_either_end),
        cmocka_unit_test(test_white_space_at_the_end_is_counted),
        cmocka_unit_test(test_a_preamble_is_told_from_text_by_its_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
