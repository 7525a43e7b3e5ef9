/* Errors that the catalogue does not have, as their servers word them: every row of
 * tests/data/more-errors.json gets the verdict that it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/replay.h"
#include "tests/unit/rows.h"

static void judge_stream(const json_t *row, struct failure *failure_out) {
    struct replay replay;
    replay_begin(&replay, replay_wire(row_text(row, "wire")), &replay_dialect, "text/event-stream");
    replay_steps(&replay, slice_of(row_text(row, "sample_body")), 7);
    const struct decoder_facts *facts = decoder_facts(replay.decoder);
    *failure_out = facts->failure;
    if (facts->filtered)
        failure_from_stream(STREAM_FILTERED, slice_of(facts->finish_reason), failure_out);
    replay_finish(&replay);
}

static int check_row(const json_t *row) {
    struct failure failure;
    if (row_flag(row, "in_stream"))
        judge_stream(row, &failure);
    else
        row_judge_reply(row, &failure);
    const char *class = failure_class_name(failure.class);
    if (strcmp(class, row_text(row, "category")) == 0 && row_is_verdict(row, &failure)) return 0;
    row_print_wrong(row, &failure);
    return 1;
}

static void test_each_error_gets_its_verdict(void **state) {
    json_t *rows = json_load_file("tests/data/more-errors.json", JSON_ALLOW_NUL, NULL);
    assert_non_null(rows);
    size_t i;
    json_t *row;
    int wrong = 0;
    json_array_foreach(rows, i, row) wrong += check_row(row);
    assert_true(json_array_size(rows) > 300);
    json_decref(rows);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_error_gets_its_verdict) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
