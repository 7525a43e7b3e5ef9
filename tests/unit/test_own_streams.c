/* Every file of tests/data/streams gives what its line in expected.json says, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/random.h"
#include "core/policy/failure.h"
#include "tests/unit/replay.h"

#define FOLDER "tests/data/streams/"

static const char *word(const json_t *want, const char *key) {
    const char *text = json_string_value(json_object_get(want, key));
    return text ? text : "";
}

static bool is_count(const json_t *want, const char *key, int64_t got) {
    const json_t *count = json_object_get(want, key);
    return !count || json_integer_value(count) == got;
}

static bool is_text(const json_t *want, const char *key, const struct bytes *got) {
    const json_t *text = json_object_get(want, key);
    size_t length = json_string_length(text);
    return got->length == length &&
           (length == 0 || memcmp(got->data, json_string_value(text), length) == 0);
}

static bool is_end(const json_t *want, const struct replay *replay) {
    const struct decoder_facts *facts = decoder_facts(replay->decoder);
    const char *failure = word(want, "failure");
    if (!failure[0]) return replay->status == DECODER_DONE;
    return replay->status == DECODER_FAILED &&
           strcmp(failure_class_name(facts->failure.class), failure) == 0;
}

static bool is_message(const json_t *want, const struct replay *replay) {
    const json_t *expected = json_object_get(want, "message");
    if (!expected) return true;
    json_t *message = decoder_message(replay->decoder, bytes_slice(&replay->text),
                                      bytes_slice(&replay->reasoning));
    json_t *choice = json_array_get(json_object_get(message, "choices"), 0);
    bool same = json_equal(choice ? json_object_get(choice, "message") : message, expected);
    json_decref(message);
    return same;
}

static bool is_as_wanted(const json_t *want, const struct replay *replay) {
    const struct decoder_facts *facts = decoder_facts(replay->decoder);
    const json_t *finish = json_object_get(want, "finish");
    return is_end(want, replay) && is_text(want, "text", &replay->text) &&
           is_text(want, "reasoning", &replay->reasoning) && is_message(want, replay) &&
           (!finish || strcmp(word(want, "finish"), facts->finish_reason) == 0) &&
           facts->filtered == json_is_true(json_object_get(want, "filtered")) &&
           facts->has_tools == json_is_true(json_object_get(want, "tools")) &&
           is_count(want, "input_tokens", facts->usage.input_tokens) &&
           is_count(want, "output_tokens", facts->usage.output_tokens) &&
           is_count(want, "cached_tokens", facts->usage.cached_tokens) &&
           is_count(want, "sequence_number", facts->sequence_number);
}

static void begin(struct replay *replay, const json_t *want) {
    const json_t *content_type = json_object_get(want, "content_type");
    const struct wire *wire = replay_wire(word(want, "wire"));
    assert_non_null(wire);
    replay_begin(replay, wire, &replay_dialect,
                 content_type ? word(want, "content_type") : "text/event-stream; charset=utf-8");
}

static struct slice load(const char *name) {
    char path[256];
    snprintf(path, sizeof(path), FOLDER "%s", name);
    struct slice bytes = replay_file(path);
    assert_non_null(bytes.data);
    return bytes;
}

static void test_each_gives_its_answer(void **state) {
    json_t *wants = json_load_file(FOLDER "expected.json", JSON_ALLOW_NUL, NULL);
    assert_non_null(wants);
    int wrong = 0;
    const char *name;
    json_t *want;
    json_object_foreach(wants, name, want) {
        struct replay replay;
        struct slice bytes = load(name);
        begin(&replay, want);
        replay_steps(&replay, bytes, 0);
        if (!is_as_wanted(want, &replay)) {
            const struct decoder_facts *facts = decoder_facts(replay.decoder);
            print_error("%s: status %d %s %s, finish '%s', text '%s', reasoning '%s'\n", name,
                        replay.status, failure_class_name(facts->failure.class),
                        facts->failure.message, facts->finish_reason,
                        replay.text.data ? replay.text.data : "",
                        replay.reasoning.data ? replay.reasoning.data : "");
            wrong++;
        }
        replay_finish(&replay);
        free((char *)bytes.data);
    }
    json_decref(wants);
    assert_int_equal(wrong, 0);
}

static int compare(const json_t *want, const struct replay *whole, struct replay *cut,
                   const char *name, const char *how, size_t at) {
    bool same = replay_same(whole, cut) && is_as_wanted(want, cut);
    if (!same) print_error("%s differs when cut %s %zu\n", name, how, at);
    replay_finish(cut);
    return !same;
}

static int check_cuts(const char *name, const json_t *want) {
    struct replay whole, cut;
    struct slice bytes = load(name);
    struct random random = { 7 };
    int wrong = 0;
    begin(&whole, want);
    replay_steps(&whole, bytes, 0);
    for (size_t step = 1; step <= 3; step++) {
        begin(&cut, want);
        replay_steps(&cut, bytes, step);
        wrong += compare(want, &whole, &cut, name, "every", step);
    }
    for (size_t at = 0; at <= bytes.length; at++) {
        begin(&cut, want);
        replay_feed(&cut, (struct slice){ bytes.data, at });
        replay_feed(&cut, (struct slice){ bytes.data + at, bytes.length - at });
        replay_end(&cut);
        wrong += compare(want, &whole, &cut, name, "once at", at);
    }
    for (size_t round = 0; round < 20; round++) {
        begin(&cut, want);
        replay_random(&cut, bytes, 1 + (int64_t)round * 7, &random);
        wrong += compare(want, &whole, &cut, name, "at random, round", round);
    }
    replay_finish(&whole);
    free((char *)bytes.data);
    return wrong;
}

static void test_each_gives_the_same_however_it_is_cut(void **state) {
    json_t *wants = json_load_file(FOLDER "expected.json", JSON_ALLOW_NUL, NULL);
    const char *name;
    json_t *want;
    int wrong = 0;
    json_object_foreach(wants, name, want) wrong += check_cuts(name, want);
    json_decref(wants);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_gives_its_answer),
        cmocka_unit_test(test_each_gives_the_same_however_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
