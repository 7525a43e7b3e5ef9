/* What a seam holds back, and what ends it. The rows of what it joins are in test_seam_rows.c,
 * texts at random in test_seam_random.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/joining.h"

#define SKY                                                                                        \
    "The sky is blue because air scatters short waves of light more than long ones, which is "     \
    "called Rayleigh scattering. At sunset"

static void test_text_that_repeats_nothing_is_held_back_for_a_few_bytes_only(void **state) {
    static const enum seam_kind kinds[] = { SEAM_PREFILL, SEAM_CONTINUE };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        struct joining joining;
        joining_begin(&joining, kinds[i], slice_of(SKY), false);
        joining_feed_all(&joining, slice_of(" the light"), 1, NULL);
        assert_int_equal(joining.seam.status, SEAM_JOINED);
        assert_true(joining.held_max <= 8);
        joining_finish(&joining);
    }
}

static void test_what_may_be_a_preamble_is_held_back_no_longer_than_one_may_be(void **state) {
    struct joining joining;
    joining_begin(&joining, SEAM_CONTINUE, slice_of(SKY), false);
    for (int i = 0; i < 1000 && joining.seam.status == SEAM_HOLDING; i++)
        joining_feed(&joining, slice_of("Z"));
    assert_int_equal(joining.seam.status, SEAM_JOINED);
    assert_int_equal(joining.out.length, 201);
    joining_finish(&joining);
}

static void test_a_long_text_that_begins_again_is_followed_without_being_held(void **state) {
    enum { LENGTH = 1 << 20 };
    struct joining joining;
    struct random random = { 5 };
    char *text = malloc(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = (char)random_between(&random, 'a', 'z');
    joining_begin(&joining, SEAM_PREFILL, (struct slice){ text, LENGTH }, false);
    joining_feed_all(&joining, (struct slice){ text, LENGTH }, 10000, NULL);
    joining_feed(&joining, slice_of(" end"));
    assert_int_equal(joining.seam.status, SEAM_JOINED);
    assert_true(joining.seam.restarted);
    assert_true(joining.held_max < 100);
    assert_int_equal(seam_shift(&joining.seam), 0);
    assert_string_equal(joining.out.data, " end");
    joining_finish(&joining);

    joining_begin(&joining, SEAM_PREFILL, (struct slice){ text, LENGTH }, false);
    joining_feed_all(&joining, (struct slice){ text, LENGTH - 1 }, 10000, NULL);
    joining_feed(&joining, slice_of("#"));
    assert_int_equal(joining.seam.status, SEAM_REFUSED);
    assert_int_equal(joining.seam.problem, SEAM_DIVERGED);
    joining_finish(&joining);
    free(text);
}

static void test_an_overlap_is_found_as_far_back_as_the_window_goes(void **state) {
    struct bytes text;
    bytes_init(&text, 10000);
    for (int i = 0; i < 1000; i++)
        bytes_printf(&text, "%d ", i);
    for (size_t back = 1990; back <= 2010; back++) {
        struct joining joining;
        joining_begin(&joining, SEAM_CONTINUE, bytes_slice(&text), false);
        joining_feed_all(&joining, (struct slice){ text.data + text.length - back, back }, 0,
                         &(struct random){ back });
        joining_feed(&joining, slice_of("and so on"));
        assert_int_equal(joining.seam.status, SEAM_JOINED);
        // A blank at the front may stand for itself, and the window begins behind it.
        size_t dropped = joining.seam.preamble_bytes + joining.seam.overlap_bytes;
        bool is_in_window = back - joining.seam.preamble_bytes <= SEAM_TAIL_MAX;
        assert_int_equal(dropped, is_in_window ? back : 0);
        joining_finish(&joining);
    }
    bytes_finish(&text);
}

static void test_a_store_that_cannot_be_read_is_refused(void **state) {
    static const enum seam_kind kinds[] = { SEAM_REPLAY, SEAM_PREFILL, SEAM_CONTINUE };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        struct joining joining = { .delivered = slice_of(SKY), .unreadable = true };
        struct seam_text text = { joining.delivered.length, joining_read, &joining };
        bytes_init(&joining.out, 100);
        seam_init(&joining.seam, kinds[i], &text, false);
        joining_feed(&joining, slice_of("The sky"));
        assert_int_equal(joining.seam.status, SEAM_REFUSED);
        assert_int_equal(joining.seam.problem, SEAM_UNREADABLE);
        joining_finish(&joining);
    }
}

static void test_no_room_for_what_joins_is_told(void **state) {
    static const char *const pieces[] = { "# It is too long to fit", "It" };
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct joining joining;
        joining_begin(&joining, i ? SEAM_EXACT : SEAM_PREFILL, slice_of(SKY), false);
        bytes_finish(&joining.out);
        bytes_init(&joining.out, 1);
        joining_feed(&joining, slice_of(pieces[i]));
        assert_int_equal(joining.seam.status, SEAM_REFUSED);
        assert_int_equal(joining.seam.problem, SEAM_NO_MEMORY);
        joining_finish(&joining);
    }
}

static void test_an_attempt_that_broke_off_leaves_nothing(void **state) {
    struct joining joining;
    joining_begin(&joining, SEAM_CONTINUE, slice_of(SKY), false);
    joining_feed(&joining, slice_of("Sure, cont"));
    assert_int_equal(joining.seam.status, SEAM_HOLDING);
    assert_int_equal(joining.out.length, 0);
    joining_finish(&joining);
    seam_finish(&joining.seam);
}

static void test_each_problem_has_its_words(void **state) {
    for (int i = SEAM_FITS; i <= SEAM_NO_MEMORY; i++)
        assert_true(strlen(seam_problem_words((enum seam_problem)i)) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_that_repeats_nothing_is_held_back_for_a_few_bytes_only),
        cmocka_unit_test(test_what_may_be_a_preamble_is_held_back_no_longer_than_one_may_be),
        cmocka_unit_test(test_a_long_text_that_begins_again_is_followed_without_being_held),
        cmocka_unit_test(test_an_overlap_is_found_as_far_back_as_the_window_goes),
        cmocka_unit_test(test_a_store_that_cannot_be_read_is_refused),
        cmocka_unit_test(test_no_room_for_what_joins_is_told),
        cmocka_unit_test(test_an_attempt_that_broke_off_leaves_nothing),
        cmocka_unit_test(test_each_problem_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
