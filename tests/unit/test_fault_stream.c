#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/transport/fault_stream.h"

static const struct dialect dialect = { .finish_required = true };

static const struct sample {
    const struct wire *wire;
    const char *file; /* says "Hello" in two chunks */
} samples[] = {
    { &wire_openai_chat, "tests/data/streams/chat-plain.sse" },
    { &wire_openai_responses, "tests/data/streams/responses-plain.sse" },
    { &wire_anthropic_messages, "tests/data/streams/messages-plain.sse" },
};
enum { SAMPLES = sizeof(samples) / sizeof(*samples) };

static struct bytes load(const char *file) {
    struct bytes text;
    char piece[4096];
    size_t length;
    FILE *stream = fopen(file, "r");
    if (!stream) fail_msg("%s", file);
    bytes_init(&text, 1 << 20);
    while ((length = fread(piece, 1, sizeof(piece), stream)) > 0)
        bytes_append(&text, piece, length);
    fclose(stream);
    return text;
}

static struct fault fault_of(const char *rule) {
    struct fault_rules *rules = calloc(1, sizeof(*rules));
    char problem[FAULT_PROBLEM_SIZE];
    struct random random = { 1 };
    struct fault_subject subject = { "", "/", false };
    if (!fault_rules_parse(rules, slice_of(rule), problem)) fail_msg("%s", problem);
    struct fault fault = fault_rules_draw(rules, &subject, &random);
    free(rules);
    return fault;
}

/* What came out, and how it ended; time passes whenever it is waited for. */
struct outcome {
    struct bytes out;
    enum fault_step step; /* MORE: it ended as it would have */
    int64_t now_ns;
    int waits;
    size_t before_wait; /* bytes given before the first wait */
};

static void take_deeds(struct fault_stream *stream, struct outcome *outcome) {
    for (;;) {
        struct fault_deed deed = fault_stream_next(stream, outcome->now_ns);
        outcome->step = deed.step;
        if (deed.step == FAULT_STEP_GIVE) {
            bytes_append_slice(&outcome->out, deed.bytes);
        } else if (deed.step == FAULT_STEP_WAIT && deed.until_ns != TIME_NEVER) {
            assert_true(deed.until_ns > outcome->now_ns);
            if (outcome->waits++ == 0) outcome->before_wait = outcome->out.length;
            outcome->now_ns = deed.until_ns;
        } else {
            return;
        }
    }
}

static struct outcome run(const struct sample *sample, struct slice text, const char *rule,
                          size_t piece_max) {
    struct outcome outcome = { .now_ns = 1000 * TIME_S };
    struct fault_target target = { NULL, "m", sample->wire, &dialect };
    struct fault fault = fault_of(rule);
    struct fault_stream stream;
    bytes_init(&outcome.out, 1 << 20);
    assert_true(fault_stream_init(&stream, &fault, &target, 200, slice_of("text/event-stream")));
    while (text.length && outcome.step <= FAULT_STEP_GIVE) {
        size_t length = text.length < piece_max ? text.length : piece_max;
        assert_true(fault_stream_feed(&stream, (struct slice){ text.data, length }));
        take_deeds(&stream, &outcome);
        text.data += length;
        text.length -= length;
    }
    if (outcome.step == FAULT_STEP_MORE) {
        fault_stream_end(&stream);
        take_deeds(&stream, &outcome);
    }
    fault_stream_finish(&stream);
    return outcome;
}

/* What a decoder makes of the bytes: the text, and how it ended. */
struct verdict {
    char text[64];
    enum decoder_status status;
    enum failure_class class;
};

static struct verdict read_text(const struct sample *sample, struct slice bytes, bool ends) {
    struct verdict verdict = { "", DECODER_MORE, FAILURE_NONE };
    struct gain gain;
    bytes_init(&gain.text, 1 << 20);
    bytes_init(&gain.reasoning, 1 << 20);
    struct decoder *decoder = sample->wire->decoder_create(&dialect, slice_of("text/event-stream"));
    if (bytes.length) verdict.status = decoder_feed(decoder, bytes, &gain);
    if (ends && verdict.status != DECODER_DONE && verdict.status != DECODER_FAILED)
        verdict.status = decoder_end(decoder, &gain);
    snprintf(verdict.text, sizeof(verdict.text), "%s", gain.text.length ? gain.text.data : "");
    if (verdict.status == DECODER_FAILED) verdict.class = decoder_facts(decoder)->failure.class;
    decoder_destroy(decoder);
    bytes_finish(&gain.text);
    bytes_finish(&gain.reasoning);
    return verdict;
}

static void test_a_failure_comes_behind_its_chunks_on_every_wire(void **state) {
    static const struct {
        const char *rule;
        const char *text;
        enum fault_step step;
        enum failure_class class; /* as the decoder judges what came, its end included */
    } rows[] = {
        { "disconnect after_chunks=0", "", FAULT_STEP_RESET, FAILURE_STREAM_TRUNCATED },
        { "disconnect after_chunks=1", "Hel", FAULT_STEP_RESET, FAILURE_STREAM_TRUNCATED },
        { "disconnect after_chunks=2", "Hello", FAULT_STEP_RESET, FAILURE_STREAM_TRUNCATED },
        { "disconnect after_chunks=3", "Hello", FAULT_STEP_MORE, FAILURE_NONE },
        { "truncate after_chunks=1", "Hel", FAULT_STEP_END, FAILURE_STREAM_TRUNCATED },
        { "stall after_chunks=1", "Hel", FAULT_STEP_WAIT, FAILURE_STREAM_TRUNCATED },
        { "stall after_chunks=1 for=3", "Hello", FAULT_STEP_MORE, FAILURE_NONE },
        { "no_terminal", "Hello", FAULT_STEP_END, FAILURE_STREAM_TRUNCATED },
        { "error after_chunks=0", "", FAULT_STEP_END, FAILURE_OVERLOADED },
        { "error after_chunks=1", "Hel", FAULT_STEP_END, FAILURE_OVERLOADED },
        { "error after_chunks=1 class=server", "Hel", FAULT_STEP_END, FAILURE_SERVER },
        { "error after_chunks=2 class=rate_limit", "Hello", FAULT_STEP_END, FAILURE_RATE_LIMIT },
        { "slow ms_per_chunk=200", "Hello", FAULT_STEP_MORE, FAILURE_NONE },
        { "malformed at_chunk=3", "Hello", FAULT_STEP_MORE, FAILURE_NONE },
    };
    for (size_t i = 0; i < SAMPLES; i++) {
        struct bytes text = load(samples[i].file);
        for (size_t j = 0; j < sizeof(rows) / sizeof(*rows); j++) {
            struct outcome outcome = run(&samples[i], bytes_slice(&text), rows[j].rule, SIZE_MAX);
            struct verdict verdict = read_text(&samples[i], bytes_slice(&outcome.out), true);
            if (strcmp(verdict.text, rows[j].text) != 0 || outcome.step != rows[j].step ||
                verdict.class != rows[j].class)
                fail_msg("%s, %s: \"%s\", step %d, class %s", samples[i].wire->name, rows[j].rule,
                         verdict.text, outcome.step, failure_class_name(verdict.class));
            bytes_finish(&outcome.out);
        }
        bytes_finish(&text);
    }
}

static void test_a_broken_chunk_is_noticed_on_every_wire(void **state) {
    for (size_t i = 0; i < SAMPLES; i++) {
        struct bytes text = load(samples[i].file);
        struct outcome outcome = run(&samples[i], bytes_slice(&text), "malformed at_chunk=2", 7);
        struct verdict verdict = read_text(&samples[i], bytes_slice(&outcome.out), true);
        assert_int_equal(outcome.step, FAULT_STEP_MORE);
        assert_int_equal(verdict.status, DECODER_FAILED);
        assert_string_equal(verdict.text, "Hel");
        bytes_finish(&outcome.out);
        bytes_finish(&text);
    }
}

static void test_however_the_network_split_it_the_same_comes_out(void **state) {
    static const char *const rules[] = { "disconnect after_chunks=0",  "disconnect after_chunks=1",
                                         "error after_chunks=1",       "no_terminal",
                                         "malformed at_chunk=1",       "truncate after_chunks=2",
                                         "stall after_chunks=1 for=1", "slow ms_per_chunk=5" };
    static const size_t pieces[] = { 1, 2, 3, 17, 100, 1000 };
    for (size_t i = 0; i < SAMPLES; i++) {
        struct bytes text = load(samples[i].file);
        for (size_t j = 0; j < sizeof(rules) / sizeof(*rules); j++) {
            struct outcome whole = run(&samples[i], bytes_slice(&text), rules[j], SIZE_MAX);
            for (size_t k = 0; k < sizeof(pieces) / sizeof(*pieces); k++) {
                struct outcome split = run(&samples[i], bytes_slice(&text), rules[j], pieces[k]);
                assert_int_equal(split.step, whole.step);
                assert_int_equal(split.out.length, whole.out.length);
                assert_memory_equal(split.out.data, whole.out.data, whole.out.length);
                assert_int_equal(split.waits, whole.waits);
                bytes_finish(&split.out);
            }
            bytes_finish(&whole.out);
        }
        bytes_finish(&text);
    }
}

static void test_lines_may_end_in_any_way(void **state) {
    static const char *const files[] = { "tests/data/streams/chat-cr.sse",
                                         "tests/data/streams/chat-mixed-ends.sse",
                                         "tests/data/streams/chat-crlf-comments.sse" };
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct bytes text = load(files[i]);
        struct outcome outcome =
            run(&samples[0], bytes_slice(&text), "disconnect after_chunks=1", SIZE_MAX);
        struct verdict verdict = read_text(&samples[0], bytes_slice(&outcome.out), false);
        assert_int_equal(outcome.step, FAULT_STEP_RESET);
        assert_true(strlen(verdict.text) > 0);
        bytes_finish(&outcome.out);
        outcome = run(&samples[0], bytes_slice(&text), "disconnect after_chunks=999", 5);
        assert_int_equal(outcome.out.length, text.length);
        assert_memory_equal(outcome.out.data, text.data, text.length);
        bytes_finish(&outcome.out);
        bytes_finish(&text);
    }
}

static void test_a_stall_is_silence_and_then_all_the_rest(void **state) {
    for (size_t i = 0; i < SAMPLES; i++) {
        struct bytes text = load(samples[i].file);
        struct outcome outcome =
            run(&samples[i], bytes_slice(&text), "stall after_chunks=1 for=2.5", SIZE_MAX);
        struct slice before = { outcome.out.data, outcome.before_wait };
        assert_string_equal(read_text(&samples[i], before, false).text, "Hel");
        assert_int_equal(outcome.waits, 1);
        assert_true(outcome.now_ns == 1000 * TIME_S + 5 * TIME_S / 2);
        assert_int_equal(outcome.out.length, text.length);
        bytes_finish(&outcome.out);
        bytes_finish(&text);
    }
}

static void test_a_stall_lasts_however_often_it_is_asked(void **state) {
    static const char *const rules[] = { "stall after_chunks=1 for=2", "stall after_chunks=1" };
    struct bytes text = load(samples[0].file);
    for (size_t i = 0; i < 2; i++) {
        struct fault_target target = { NULL, "m", samples[0].wire, &dialect };
        struct fault fault = fault_of(rules[i]);
        struct fault_stream stream;
        assert_true(
            fault_stream_init(&stream, &fault, &target, 200, slice_of("text/event-stream")));
        assert_true(fault_stream_feed(&stream, bytes_slice(&text)));
        while (fault_stream_next(&stream, 0).step == FAULT_STEP_GIVE)
            continue;
        assert_int_equal(fault_stream_next(&stream, TIME_S).step, FAULT_STEP_WAIT);
        assert_int_equal(fault_stream_next(&stream, 2 * TIME_S).step,
                         i == 0 ? FAULT_STEP_GIVE : FAULT_STEP_WAIT);
        fault_stream_finish(&stream);
    }
    bytes_finish(&text);
}

static void test_what_opens_an_answer_is_given_before_its_first_chunk_fails(void **state) {
    for (size_t i = 0; i < SAMPLES; i++) {
        struct bytes text = load(samples[i].file);
        struct outcome outcome =
            run(&samples[i], bytes_slice(&text), "disconnect after_chunks=0", SIZE_MAX);
        const char *chunk = strstr(text.data, "Hel");
        assert_true(outcome.out.length > 0);
        assert_true(outcome.out.length < (size_t)(chunk - text.data));
        assert_memory_equal(outcome.out.data, text.data, outcome.out.length);
        bytes_finish(&outcome.out);
        bytes_finish(&text);
    }
}

static void test_slow_is_a_wait_between_chunks(void **state) {
    for (size_t i = 0; i < SAMPLES; i++) {
        struct bytes text = load(samples[i].file);
        struct outcome outcome =
            run(&samples[i], bytes_slice(&text), "slow ms_per_chunk=200", SIZE_MAX);
        struct slice before = { outcome.out.data, outcome.before_wait };
        assert_string_equal(read_text(&samples[i], before, false).text, "Hel");
        assert_int_equal(outcome.waits, 2); // before the second chunk, and before the end
        assert_true(outcome.now_ns == 1000 * TIME_S + 400 * TIME_MS);
        assert_int_equal(outcome.out.length, text.length);
        bytes_finish(&outcome.out);
        bytes_finish(&text);
    }
}

static void test_an_error_reply_passes_whatever_the_fault(void **state) {
    struct fault_target target = { NULL, "m", &wire_openai_chat, &dialect };
    struct fault fault = fault_of("disconnect after_chunks=0\nslow ms_per_chunk=100");
    struct fault_stream stream;
    assert_true(fault_stream_init(&stream, &fault, &target, 503, slice_of("application/json")));
    assert_true(fault_stream_feed(&stream, slice_of("{\"error\":1}")));
    struct fault_deed deed = fault_stream_next(&stream, 1);
    assert_int_equal(deed.step, FAULT_STEP_GIVE);
    assert_true(slice_equals(deed.bytes, "{\"error\":1}"));
    assert_int_equal(fault_stream_next(&stream, 1).step, FAULT_STEP_MORE);
    fault_stream_finish(&stream);
}

static void test_an_answer_in_one_piece_is_cut_in_it(void **state) {
    static const struct {
        const char *rule;
        const char *given;
        enum fault_step step;
    } rows[] = { { "disconnect after_chunks=5", "{\"cho", FAULT_STEP_RESET },
                 { "truncate after_chunks=5", "{\"cho", FAULT_STEP_END },
                 { "error after_chunks=5", "{\"cho", FAULT_STEP_END },
                 { "stall after_chunks=5", "{\"cho", FAULT_STEP_WAIT },
                 { "malformed at_chunk=1", "{\"choice", FAULT_STEP_END },
                 { "no_terminal", "{\"choices\":", FAULT_STEP_MORE } };
    struct fault_target target = { NULL, "m", &wire_openai_chat, &dialect };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct fault fault = fault_of(rows[i].rule);
        struct fault_stream stream;
        assert_true(fault_stream_init(&stream, &fault, &target, 200, slice_of("application/json")));
        assert_true(fault_stream_feed(&stream, slice_of("{\"choices\":")));
        struct fault_deed deed = fault_stream_next(&stream, 1);
        assert_int_equal(deed.step, FAULT_STEP_GIVE);
        if (!slice_equals(deed.bytes, rows[i].given))
            fail_msg("%s: %.*s", rows[i].rule, (int)deed.bytes.length, deed.bytes.data);
        assert_int_equal(fault_stream_next(&stream, 1).step, rows[i].step);
        fault_stream_finish(&stream);
    }
}

static void test_a_body_without_any_byte_is_only_over(void **state) {
    struct fault_stream stream = { 0 }; // no headers came
    fault_stream_end(&stream);
    assert_int_equal(fault_stream_next(&stream, 1).step, FAULT_STEP_MORE);
    fault_stream_finish(&stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failure_comes_behind_its_chunks_on_every_wire),
        cmocka_unit_test(test_a_broken_chunk_is_noticed_on_every_wire),
        cmocka_unit_test(test_however_the_network_split_it_the_same_comes_out),
        cmocka_unit_test(test_lines_may_end_in_any_way),
        cmocka_unit_test(test_a_stall_is_silence_and_then_all_the_rest),
        cmocka_unit_test(test_a_stall_lasts_however_often_it_is_asked),
        cmocka_unit_test(test_what_opens_an_answer_is_given_before_its_first_chunk_fails),
        cmocka_unit_test(test_slow_is_a_wait_between_chunks),
        cmocka_unit_test(test_an_error_reply_passes_whatever_the_fault),
        cmocka_unit_test(test_an_answer_in_one_piece_is_cut_in_it),
        cmocka_unit_test(test_a_body_without_any_byte_is_only_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
