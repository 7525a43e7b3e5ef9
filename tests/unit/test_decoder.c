/* What decoders do that a recording does not show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/providers/decoder.h"
#include "tests/unit/replay.h"

#define CHUNK(rest)                                                                                \
    "data: "                                                                                       \
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":"  \
    "0," rest "}]}\n\n"
#define STREAM "text/event-stream"

static void feed(struct replay *replay, const char *text) {
    replay_feed(replay, slice_of(text));
}

static const struct decoder_facts *facts_of(const struct replay *replay) {
    return decoder_facts(replay->decoder);
}

static void test_text_is_given_as_it_arrives(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    feed(&replay, CHUNK("\"delta\":{\"content\":\"Hel\"}"));
    assert_string_equal(replay.text.data, "Hel");
    feed(&replay, CHUNK("\"delta\":{\"content\":\"lo\"}"));
    assert_string_equal(replay.text.data, "Hello");
    assert_int_equal(replay.status, DECODER_MORE);
    replay_finish(&replay);
}

static void test_a_finish_waits_for_usage_or_done(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    feed(&replay, CHUNK("\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\""));
    assert_int_equal(replay.status, DECODER_FINISHING);
    feed(&replay,
         "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n");
    assert_int_equal(replay.status, DECODER_DONE);
    assert_int_equal(facts_of(&replay)->usage.output_tokens, 2);
    replay_finish(&replay);
}

static void test_keep_alives_are_no_progress(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    feed(&replay, ": ping\n\n" CHUNK("\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"));
    feed(&replay, "event: ping\ndata: ping\n\n" CHUNK("\"delta\":{\"content\":null}"));
    assert_int_equal(facts_of(&replay)->progress, 0);
    assert_false(facts_of(&replay)->has_content);
    feed(&replay, CHUNK("\"delta\":{\"reasoning_content\":\"x\"}"));
    assert_int_equal(facts_of(&replay)->progress, 1);
    assert_true(facts_of(&replay)->has_content);
    replay_finish(&replay);
}

static void test_a_ping_of_anthropic_is_no_progress(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_anthropic_messages, &replay_dialect, STREAM);
    feed(&replay, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    assert_int_equal(facts_of(&replay)->progress, 0);
    replay_finish(&replay);
}

static void test_a_server_that_never_says_why_is_accepted_when_allowed(void **state) {
    struct dialect lenient = replay_dialect;
    struct replay replay;
    lenient.finish_required = false;
    replay_begin(&replay, &wire_openai_chat, &lenient, STREAM);
    feed(&replay, CHUNK("\"delta\":{\"content\":\"x\"}") "data: [DONE]\n\n");
    assert_int_equal(replay.status, DECODER_DONE);
    replay_finish(&replay);

    replay_begin(&replay, &wire_openai_chat, &lenient, STREAM);
    feed(&replay, "data: [DONE]\n\n");
    assert_int_equal(replay.status, DECODER_FAILED); // nothing at all is no answer
    replay_finish(&replay);
}

static void test_an_event_without_end_fails_at_the_limit(void **state) {
    enum { PIECE = 1 << 20, PIECES = (DECODER_EVENT_MAX >> 20) + 2 };
    struct replay replay;
    char *piece = malloc(PIECE);
    memset(piece, 'x', PIECE);
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    feed(&replay, "data: ");
    for (int i = 0; i < PIECES && replay.status == DECODER_MORE; i++)
        replay_feed(&replay, (struct slice){ piece, PIECE });
    assert_int_equal(replay.status, DECODER_FAILED);
    assert_int_equal(facts_of(&replay)->failure.class, FAILURE_PROTOCOL);
    replay_finish(&replay);
    free(piece);
}

static void test_a_malformed_event_is_worth_one_more_try(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    feed(&replay, "data: {\"choices\":\n\n");
    assert_int_equal(replay.status, DECODER_FAILED);
    assert_true(facts_of(&replay)->failure.retryable);
    assert_true(facts_of(&replay)->failure.retry_once);
    assert_true(facts_of(&replay)->failure.counts_for_breaker);
    replay_finish(&replay);
}

static void test_a_message_of_a_cut_answer_keeps_its_text(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    feed(&replay, CHUNK("\"delta\":{\"content\":\"half\"}"));
    replay_end(&replay);
    json_t *message =
        decoder_message(replay.decoder, bytes_slice(&replay.text), bytes_slice(&replay.reasoning));
    json_t *choice = json_array_get(json_object_get(message, "choices"), 0);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(choice, "message"), "content")), "half");
    assert_true(json_is_null(json_object_get(choice, "finish_reason")));
    json_decref(message);
    replay_finish(&replay);
}

static void test_nothing_arrived_is_no_message(void **state) {
    static const struct wire *const wires[] = { &wire_openai_chat, &wire_openai_responses,
                                                &wire_anthropic_messages };
    for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++) {
        struct replay replay;
        replay_begin(&replay, wires[i], &replay_dialect, STREAM);
        replay_end(&replay);
        assert_int_equal(replay.status, DECODER_FAILED);
        assert_int_equal(facts_of(&replay)->failure.class, FAILURE_STREAM_TRUNCATED);
        assert_null(decoder_message(replay.decoder, (struct slice){ 0 }, (struct slice){ 0 }));
        replay_finish(&replay);
    }
}

// A first chunk goes the short way when it can; what it says is the same on the long one.
static void test_names_are_read_from_whichever_chunk_says_them(void **state) {
    static const struct {
        const char *chunk, *id, *model;
    } rows[] = {
        { "{\"id\":\"a\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", "a",
          "m" },
        { "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"model\":\"m\"}", "", "m" },
        { "{\"id\":7,\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", "", "m" },
        { "{\"id\":\"\\u0061\",\"model\":\"\\\"m\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}",
          "a", "\"m" },
        { "{\"id\":\"a\",\"id\":\"b\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]"
          "}",
          "b", "m" },
        { "{\"id\":null,\"model\":\"\xc3\xa9\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", "",
          "\xc3\xa9" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct replay replay;
        replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
        feed(&replay, "data: ");
        feed(&replay, rows[i].chunk);
        feed(&replay, "\n\n" CHUNK("\"delta\":{\"content\":\"y\"}"));
        assert_string_equal(facts_of(&replay)->response_id, rows[i].id[0] ? rows[i].id : "c");
        assert_string_equal(facts_of(&replay)->model, rows[i].model);
        assert_string_equal(replay.text.data, "xy");
        replay_finish(&replay);
    }
}

static void test_text_beside_an_empty_delta_is_the_answer(void **state) {
    static const char *const deltas[] = { "null", "{}", "{\"content\":null}",
                                          "{\"content\":\"\"}" };
    for (size_t i = 0; i < sizeof(deltas) / sizeof(*deltas); i++) {
        struct replay replay;
        replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
        feed(&replay, "data: {\"choices\":[{\"text\":\"old\",\"delta\":");
        feed(&replay, deltas[i]);
        feed(&replay, "}]}\n\n");
        assert_string_equal(replay.text.data, "old");
        replay_finish(&replay);
    }
}

// Nobody waits for names for ever: after a few chunks without them a later one is not asked.
static void test_names_that_come_late_are_not_looked_for(void **state) {
    struct replay replay;
    replay_begin(&replay, &wire_openai_chat, &replay_dialect, STREAM);
    for (int i = 0; i < 3; i++)
        feed(&replay, "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n");
    feed(&replay, CHUNK("\"delta\":{\"content\":\"y\"}"));
    assert_string_equal(facts_of(&replay)->response_id, "");
    assert_string_equal(replay.text.data, "xxxy");
    replay_finish(&replay);
}

static void test_destroying_nothing_is_fine(void **state) {
    decoder_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_given_as_it_arrives),
        cmocka_unit_test(test_a_finish_waits_for_usage_or_done),
        cmocka_unit_test(test_keep_alives_are_no_progress),
        cmocka_unit_test(test_a_ping_of_anthropic_is_no_progress),
        cmocka_unit_test(test_a_server_that_never_says_why_is_accepted_when_allowed),
        cmocka_unit_test(test_an_event_without_end_fails_at_the_limit),
        cmocka_unit_test(test_a_malformed_event_is_worth_one_more_try),
        cmocka_unit_test(test_a_message_of_a_cut_answer_keeps_its_text),
        cmocka_unit_test(test_nothing_arrived_is_no_message),
        cmocka_unit_test(test_names_are_read_from_whichever_chunk_says_them),
        cmocka_unit_test(test_text_beside_an_empty_delta_is_the_answer),
        cmocka_unit_test(test_names_that_come_late_are_not_looked_for),
        cmocka_unit_test(test_destroying_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
