/* A stream that is attached to again, and an answer that is the end of a longer one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/providers/decoder.h"
#include "tests/unit/replay.h"

#define STREAM "text/event-stream"
#define JSON "application/json"
#define CREATED                                                                                    \
    "data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":"                     \
    "{\"id\":\"resp_1\",\"model\":\"m\",\"status\":\"in_progress\"}}\n\n"
#define DELTA(number, text)                                                                        \
    "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":" number                   \
    ",\"delta\":\"" text "\"}\n\n"
#define RESPONSE(status, text)                                                                     \
    "{\"id\":\"resp_1\",\"object\":\"response\",\"model\":\"m\",\"status\":\"" status              \
    "\",\"output\":[{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":"          \
    "\"output_text\",\"text\":\"" text "\"}]}],\"usage\":{\"input_tokens\":3,"                     \
    "\"output_tokens\":2}}"
#define COMPLETED(number, text)                                                                    \
    "data: {\"type\":\"response.completed\",\"sequence_number\":" number                           \
    ",\"response\":" RESPONSE("completed", text) "}\n\n"
#define CHUNK(rest)                                                                                \
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":"        \
    "[{\"index\":0," rest "}]}\n\n"

static void feed(struct replay *replay, const char *text) {
    replay_feed(replay, slice_of(text));
}

static const struct decoder_facts *facts_of(const struct replay *replay) {
    return decoder_facts(replay->decoder);
}

/* "Hello, " was told by events 0 to 2, then the connection broke. */
static void begin(struct replay *replay) {
    replay_begin(replay, &wire_openai_responses, &replay_dialect, STREAM);
    feed(replay, CREATED DELTA("1", "Hel") DELTA("2", "lo, "));
    assert_string_equal(replay->text.data, "Hello, ");
    assert_int_equal(facts_of(replay)->sequence_number, 2);
}

static void resume(struct replay *replay, const char *content_type) {
    decoder_resume(replay->decoder, slice_of(content_type));
    replay->status = DECODER_MORE;
}

static void assert_whole(struct replay *replay, const char *text) {
    assert_int_equal(replay->status, DECODER_DONE);
    assert_int_equal(replay->text.length, strlen(text));
    assert_memory_equal(replay->text.data, text, strlen(text));
    replay_finish(replay);
}

static void test_what_follows_is_added(void **state) {
    struct replay replay;
    begin(&replay);
    resume(&replay, STREAM);
    feed(&replay, DELTA("3", "world") COMPLETED("4", "Hello, world"));
    assert_int_equal(facts_of(&replay)->usage.output_tokens, 2);
    assert_string_equal(facts_of(&replay)->finish_reason, "completed");
    assert_whole(&replay, "Hello, world");
}

static void test_events_that_were_here_before_are_skipped(void **state) {
    struct replay replay;
    begin(&replay);
    resume(&replay, STREAM);
    feed(&replay, CREATED DELTA("1", "Hel") DELTA("2", "lo, "));
    assert_int_equal(facts_of(&replay)->sequence_number, 2);
    feed(&replay, DELTA("3", "world") DELTA("3", "world") COMPLETED("4", "Hello, world"));
    assert_whole(&replay, "Hello, world");
}

static void test_events_that_were_here_before_are_no_progress(void **state) {
    struct replay replay;
    begin(&replay);
    uint64_t progress = facts_of(&replay)->progress;
    resume(&replay, STREAM);
    feed(&replay, DELTA("1", "Hel") DELTA("2", "lo, "));
    assert_int_equal(facts_of(&replay)->progress, progress);
    feed(&replay, DELTA("3", "world"));
    assert_int_equal(facts_of(&replay)->progress, progress + 1);
    replay_finish(&replay);
}

static void test_what_of_an_event_had_come_is_forgotten_wherever_it_was_cut(void **state) {
    static const char cut[] = "event: response.output_text.delta\n" DELTA("3", "w\xc3\xb6rld");
    for (size_t length = 0; length < sizeof(cut) - 2; length++) {
        struct replay replay;
        begin(&replay);
        replay_feed(&replay, (struct slice){ cut, length });
        assert_string_equal(replay.text.data, "Hello, ");
        resume(&replay, STREAM);
        feed(&replay, DELTA("3", "w\xc3\xb6rld") COMPLETED("4", "Hello, w\xc3\xb6rld"));
        assert_whole(&replay, "Hello, w\xc3\xb6rld");
    }
}

static void test_any_cuts_behind_it_make_no_difference(void **state) {
    static const char rest[] =
        ": ping\n\n" DELTA("2", "lo, ") DELTA("3", "wor") DELTA("4", "ld") COMPLETED("5", "");
    for (size_t step = 0; step < sizeof(rest); step++) {
        struct replay replay;
        begin(&replay);
        resume(&replay, STREAM);
        replay_steps(&replay, (struct slice){ rest, sizeof(rest) - 1 }, step);
        assert_whole(&replay, "Hello, world");
    }
}

static void test_it_may_be_attached_to_again_and_again(void **state) {
    struct replay replay;
    char event[200];
    begin(&replay);
    for (int i = 3; i < 50; i++) {
        replay_end(&replay); // the connection broke
        resume(&replay, STREAM);
        // An event, and one that is cut.
        snprintf(event, sizeof(event), DELTA("%d", "%d ") "data: {\"type\":\"resp", i, i);
        feed(&replay, event);
        assert_int_equal(facts_of(&replay)->sequence_number, i);
    }
    replay_finish(&replay);
}

static void test_an_end_without_a_terminal_event_is_a_cut_once_more(void **state) {
    struct replay replay;
    begin(&replay);
    resume(&replay, STREAM);
    feed(&replay, DELTA("3", "wor"));
    replay_end(&replay);
    assert_int_equal(replay.status, DECODER_FAILED);
    assert_int_equal(facts_of(&replay)->failure.class, FAILURE_STREAM_TRUNCATED);
    resume(&replay, STREAM);
    feed(&replay, DELTA("4", "ld") COMPLETED("5", "Hello, world"));
    assert_whole(&replay, "Hello, world");
}

static void test_a_gap_before_is_none_when_its_events_come(void **state) {
    struct replay replay;
    begin(&replay);
    feed(&replay, "data: {\"type\":\"response.new_thing\",\"sequence_number\":4}\n\n");
    replay_end(&replay);
    assert_int_equal(replay.status, DECODER_FAILED);
    resume(&replay, STREAM);
    feed(&replay, DELTA("5", "world"));
    replay_end(&replay);
    assert_int_equal(facts_of(&replay)->failure.class, FAILURE_STREAM_TRUNCATED);
    replay_finish(&replay);
}

static void test_a_response_that_comes_whole_adds_what_was_missing(void **state) {
    static const char *const rests[] = { "", "w", "world", "w\xc3\xb6rld" };
    for (size_t i = 0; i < sizeof(rests) / sizeof(*rests); i++) {
        struct replay replay;
        char body[1000];
        char whole[100];
        snprintf(whole, sizeof(whole), "Hello, %s", rests[i]);
        snprintf(body, sizeof(body), RESPONSE("completed", "%s"), whole);
        begin(&replay);
        resume(&replay, JSON);
        replay_steps(&replay, slice_of(body), 7);
        assert_whole(&replay, whole);
    }
}

static void test_a_response_that_comes_whole_but_shorter_is_no_answer(void **state) {
    struct replay replay;
    begin(&replay);
    resume(&replay, JSON);
    feed(&replay, RESPONSE("completed", "Hello,"));
    assert_int_equal(replay.status, DECODER_FAILED);
    assert_int_equal(facts_of(&replay)->failure.class, FAILURE_STREAM_TRUNCATED);
    replay_finish(&replay);
}

static void test_a_response_that_is_not_over_adds_nothing(void **state) {
    struct replay replay;
    begin(&replay);
    resume(&replay, JSON);
    feed(&replay, RESPONSE("in_progress", "Hello, wor"));
    assert_int_equal(replay.status, DECODER_FAILED);
    assert_int_equal(replay.text.length, 7);
    assert_int_equal(facts_of(&replay)->sequence_number, 2); // and may be attached to again
    replay_finish(&replay);
}

static void test_behind_a_response_that_failed_nothing_comes(void **state) {
    struct replay replay;
    begin(&replay);
    feed(&replay, "data: {\"type\":\"response.failed\",\"sequence_number\":3,\"response\":{\"id\":"
                  "\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\","
                  "\"message\":\"no\"}}}\n\n");
    assert_int_equal(replay.status, DECODER_FAILED);
    assert_int_equal(facts_of(&replay)->failure.class, FAILURE_SERVER);
    assert_int_equal(facts_of(&replay)->sequence_number, -1);
    replay_finish(&replay);
}

// ---- the end of a longer answer ----

static json_t *message_of(const struct replay *replay, const char *whole) {
    json_t *message =
        decoder_message(replay->decoder, slice_of(whole), bytes_slice(&replay->reasoning));
    assert_non_null(message);
    return message;
}

static const char *chat_content(const json_t *message) {
    const json_t *choice = json_array_get(json_object_get(message, "choices"), 0);
    return json_string_value(json_object_get(json_object_get(choice, "message"), "content"));
}

static void test_the_message_of_a_chat_has_the_whole_text(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    feed(&replay, CHUNK("\"delta\":{\"content\":\"world\"},\"finish_reason\":\"stop\""));
    decoder_shift_text(replay.decoder, 7);
    json_t *message = message_of(&replay, "Hello, world");
    assert_string_equal(chat_content(message), "Hello, world");
    json_decref(message);
    replay_finish(&replay);
}

static void test_a_chat_that_came_whole_is_told_with_the_text_before_it(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, JSON);
    feed(&replay, "{\"id\":\"c\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,"
                  "\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":"
                  "\"world\"}}]}");
    assert_string_equal(replay.text.data, "world");
    decoder_shift_text(replay.decoder, 7);
    json_t *message = message_of(&replay, "Hello, world");
    assert_string_equal(chat_content(message), "Hello, world");
    json_decref(message);
    replay_finish(&replay);
}

static void test_the_message_of_a_response_has_the_whole_text(void **state) {
    static const char *const content_types[] = { STREAM, JSON };
    static const char *const bodies[] = { CREATED DELTA("1", "world") COMPLETED("2", "world"),
                                          RESPONSE("completed", "world") };
    for (size_t i = 0; i < 2; i++) {
        struct replay replay;
        replay_begin(&replay, &wire_openai_responses, &replay_dialect, content_types[i]);
        feed(&replay, bodies[i]);
        decoder_shift_text(replay.decoder, 7);
        json_t *message = message_of(&replay, "Hello, world");
        json_t *item = json_array_get(json_object_get(message, "output"), 0);
        json_t *part = json_array_get(json_object_get(item, "content"), 0);
        assert_string_equal(json_string_value(json_object_get(part, "text")), "Hello, world");
        assert_int_equal(json_array_size(json_object_get(message, "output")), 1);
        json_decref(message);
        replay_finish(&replay);
    }
}

#define ANTHROPIC(type, rest) "data: {\"type\":\"" type "\"" rest "}\n\n"
#define BLOCK(index, block)                                                                        \
    ANTHROPIC("content_block_start", ",\"index\":" index ",\"content_block\":" block)
#define TEXT(index, text)                                                                          \
    ANTHROPIC("content_block_delta",                                                               \
              ",\"index\":" index ",\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}")

/* A text, a tool and a text. */
static void feed_blocks(struct replay *replay, const char *first) {
    char delta[300];
    snprintf(delta, sizeof(delta), TEXT("0", "%s"), first);
    replay_begin(replay, &wire_anthropic_messages, &replay_dialect, STREAM);
    feed(replay, ANTHROPIC("message_start", ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","
                                            "\"role\":\"assistant\",\"content\":[]}")
                     BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}"));
    feed(replay, delta);
    feed(replay, BLOCK("1", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}")
                     BLOCK("2", "{\"type\":\"text\",\"text\":\"\"}") TEXT("2", "Bye.")
                         ANTHROPIC("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"}")
                             ANTHROPIC("message_stop", ""));
    assert_int_equal(replay->status, DECODER_DONE);
}

static void assert_blocks(const json_t *message, const char *first, const char *last) {
    json_t *content = json_object_get(message, "content");
    assert_int_equal(json_array_size(content), 3);
    json_t *text = json_object_get(json_array_get(content, 0), "text");
    assert_string_equal(json_string_value(text), first);
    json_t *type = json_object_get(json_array_get(content, 1), "type");
    assert_string_equal(json_string_value(type), "tool_use");
    text = json_object_get(json_array_get(content, 2), "text");
    assert_string_equal(json_string_value(text), last);
}

static void test_blocks_stay_where_they_are_in_the_whole_text(void **state) {
    static const struct {
        const char *own; // text of the first block
        ptrdiff_t shift;
        const char *first; // as the message tells it
    } rows[] = {
        { "world. ", 7, "Hello, world. " },              // went on
        { "lo, world. ", 3, "Hello, world. " },          // with an overlap
        { "Hello, world. ", 0, "Hello, world. " },       // began again
        { "Sure: Hello, world. ", -6, "Hello, world. " } // behind a preamble
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct replay replay;
        feed_blocks(&replay, rows[i].own);
        decoder_shift_text(replay.decoder, rows[i].shift);
        json_t *message = message_of(&replay, "Hello, world. Bye.");
        assert_blocks(message, rows[i].first, "Bye.");
        json_decref(message);
        replay_finish(&replay);
    }
}

static void test_without_a_shift_an_answer_is_its_own(void **state) {
    struct replay replay;
    feed_blocks(&replay, "Hello, world. ");
    assert_int_equal(decoder_shifted(replay.decoder, 5), 5);
    json_t *message = message_of(&replay, "Hello, world. Bye.");
    assert_blocks(message, "Hello, world. ", "Bye.");
    json_decref(message);
    replay_finish(&replay);
}

static void test_no_place_is_before_the_beginning(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    decoder_shift_text(replay.decoder, -6);
    assert_int_equal(decoder_shifted(replay.decoder, 0), 0);
    assert_int_equal(decoder_shifted(replay.decoder, 6), 0);
    assert_int_equal(decoder_shifted(replay.decoder, 7), 1);
    decoder_shift_text(replay.decoder, 6);
    assert_int_equal(decoder_shifted(replay.decoder, 0), 6);
    replay_finish(&replay);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_follows_is_added),
        cmocka_unit_test(test_events_that_were_here_before_are_skipped),
        cmocka_unit_test(test_events_that_were_here_before_are_no_progress),
        cmocka_unit_test(test_what_of_an_event_had_come_is_forgotten_wherever_it_was_cut),
        cmocka_unit_test(test_any_cuts_behind_it_make_no_difference),
        cmocka_unit_test(test_it_may_be_attached_to_again_and_again),
        cmocka_unit_test(test_an_end_without_a_terminal_event_is_a_cut_once_more),
        cmocka_unit_test(test_a_gap_before_is_none_when_its_events_come),
        cmocka_unit_test(test_a_response_that_comes_whole_adds_what_was_missing),
        cmocka_unit_test(test_a_response_that_comes_whole_but_shorter_is_no_answer),
        cmocka_unit_test(test_a_response_that_is_not_over_adds_nothing),
        cmocka_unit_test(test_behind_a_response_that_failed_nothing_comes),
        cmocka_unit_test(test_the_message_of_a_chat_has_the_whole_text),
        cmocka_unit_test(test_a_chat_that_came_whole_is_told_with_the_text_before_it),
        cmocka_unit_test(test_the_message_of_a_response_has_the_whole_text),
        cmocka_unit_test(test_blocks_stay_where_they_are_in_the_whole_text),
        cmocka_unit_test(test_without_a_shift_an_answer_is_its_own),
        cmocka_unit_test(test_no_place_is_before_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
