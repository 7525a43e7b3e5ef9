/* Every row of tests/data/provider-errors.json that is a stream gets the verdict that it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/replay.h"
#include "tests/unit/rows.h"

static const struct wire *wire_of(const json_t *row) {
    const char *api = row_text(row, "api");
    const char *body = row_text(row, "sample_body");
    if (strstr(body, "message_start") || strstr(api, "messages")) return &wire_anthropic_messages;
    if (strstr(body, "event: response.") || strstr(api, "responses")) return &wire_openai_responses;
    if (strcmp(row_text(row, "provider"), "anthropic") == 0) return &wire_anthropic_messages;
    return &wire_openai_chat;
}

// A stop that is no failure of the decoder is judged by whoever asked.
static void verdict_of(const struct replay *replay, struct failure *failure_out) {
    const struct decoder_facts *facts = decoder_facts(replay->decoder);
    *failure_out = facts->failure;
    if (facts->filtered)
        failure_from_stream(STREAM_FILTERED, slice_of(facts->finish_reason), failure_out);
}

// A stall is a timer's finding: in bytes it is a cut.
static bool is_stall(const json_t *row) {
    return strcmp(row_text(row, "category"), "stream_stalled") == 0;
}

static bool is_expected(const json_t *row, const struct replay *replay,
                        const struct failure *failure) {
    const char *category = is_stall(row) ? "stream_truncated" : row_text(row, "category");
    if (row_is_success(row))
        return replay->status == DECODER_DONE && failure->class == FAILURE_NONE;
    return strcmp(failure_class_name(failure->class), category) == 0 &&
           (is_stall(row) || row_is_verdict(row, failure));
}

static int check_row(const json_t *row) {
    struct replay replay;
    struct failure failure;
    const char *content_type = row_text(json_object_get(row, "headers"), "content-type");
    replay_begin(&replay, wire_of(row), &replay_dialect, content_type);
    replay_steps(&replay, slice_of(row_text(row, "sample_body")), 7);
    verdict_of(&replay, &failure);
    bool same = is_expected(row, &replay, &failure);
    if (!same) {
        print_error("status %d; ", replay.status);
        row_print_wrong(row, &failure);
    }
    replay_finish(&replay);
    return !same;
}

static void test_each_stream_gets_its_verdict(void **state) {
    json_t *rows = rows_load();
    assert_non_null(rows);
    size_t i;
    json_t *row;
    int checked = 0;
    int wrong = 0;
    json_array_foreach(rows, i, row) {
        if (!row_is_stream(row)) continue;
        checked++;
        wrong += check_row(row);
    }
    json_decref(rows);
    assert_int_equal(checked, 99);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_stream_gets_its_verdict) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
