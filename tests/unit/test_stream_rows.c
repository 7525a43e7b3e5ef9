/* Every row of tests/data/provider-errors.json that is a stream gets the verdict that it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/time.h"
#include "core/policy/failure.h"
#include "tests/unit/replay.h"

static const char *text_of(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static const struct wire *wire_of(const json_t *row) {
    const char *api = text_of(row, "api");
    const char *body = text_of(row, "sample_body");
    if (strstr(body, "message_start") || strstr(api, "messages")) return &wire_anthropic_messages;
    if (strstr(body, "event: response.") || strstr(api, "responses")) return &wire_openai_responses;
    if (strcmp(text_of(row, "provider"), "anthropic") == 0) return &wire_anthropic_messages;
    return &wire_openai_chat;
}

static bool is_in_stream(const json_t *row) {
    bool ok = json_integer_value(json_object_get(row, "status")) == 200;
    if (strstr(text_of(row, "api"), "deferred")) return false; // xAI's jobs: no wire of ours
    return ok && json_is_string(json_object_get(row, "sample_body"));
}

// A stop that is no failure of the decoder is judged by whoever asked.
static void verdict_of(const struct replay *replay, struct failure *failure_out) {
    const struct decoder_facts *facts = decoder_facts(replay->decoder);
    *failure_out = facts->failure;
    if (facts->filtered)
        failure_from_stream(STREAM_FILTERED, slice_of(facts->finish_reason), failure_out);
}

// A stall is a timer's finding: in bytes it is a cut.
static bool is_category(const json_t *row, const struct replay *replay,
                        const struct failure *failure) {
    const char *category = text_of(row, "category");
    bool complete = strcmp(category, "complete") == 0 || strcmp(category, "length_limit") == 0;
    if (complete) return replay->status == DECODER_DONE && failure->class == FAILURE_NONE;
    if (strcmp(category, "stream_stalled") == 0) category = "stream_truncated";
    return strcmp(failure_class_name(failure->class), category) == 0;
}

static bool is_told_delay(const json_t *row, const struct failure *failure) {
    const json_t *told = json_object_get(row, "retry_after_ms");
    if (!json_is_number(told)) return true;
    return llabs(failure->retry_after_ns - (int64_t)(json_number_value(told) * 1e6)) < TIME_MS;
}

static int check_row(const json_t *row) {
    struct replay replay;
    struct failure failure;
    const char *content_type = text_of(json_object_get(row, "headers"), "content-type");
    replay_begin(&replay, wire_of(row), &replay_dialect, content_type);
    replay_steps(&replay, slice_of(text_of(row, "sample_body")), 7);
    verdict_of(&replay, &failure);
    bool done = failure.class == FAILURE_NONE;
    bool same = is_category(row, &replay, &failure) && is_told_delay(row, &failure) &&
                (done || failure.retryable == json_is_true(json_object_get(row, "retryable")));
    if (!same)
        print_error("%s: status %d, %s retryable=%d %s\n", text_of(row, "id"), replay.status,
                    failure_class_name(failure.class), failure.retryable, failure.message);
    replay_finish(&replay);
    return !same;
}

static void test_each_stream_gets_its_verdict(void **state) {
    json_t *rows = json_load_file("tests/data/provider-errors.json", JSON_ALLOW_NUL, NULL);
    assert_non_null(rows);
    size_t i;
    json_t *row;
    int checked = 0;
    int wrong = 0;
    json_array_foreach(rows, i, row) {
        if (!is_in_stream(row)) continue;
        checked++;
        wrong += check_row(row);
    }
    json_decref(rows);
    print_message("# %d streams judged\n", checked);
    assert_true(checked > 80);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_stream_gets_its_verdict) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
