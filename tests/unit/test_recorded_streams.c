/*
 * Recordings of real providers, where their folder is at hand ($ASKFS_SHARED or ../shared; they are
 * not ours to copy): whole, cut anywhere, and dressed in every legal way, each gives what an
 * independent decoder made of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/random.h"
#include "tests/unit/replay.h"

enum { SMALL_BYTES = 1500, BIG_CUTS = 12, PATH_SIZE = 512 };

struct dress {
    const char *name;
    const char *before;  /* the first event */
    const char *prefix;  /* of each payload */
    const char *line;    /* ends a line */
    const char *between; /* events */
};

static const struct dress dresses[] = {
    { "LF", "", "data: ", "\n", "" },
    { "CRLF", "", "data: ", "\r\n", "" },
    { "CR", "", "data: ", "\r", "" },
    { "no space", "", "data:", "\n", "" },
    { "BOM", "\xef\xbb\xbf", "data: ", "\n", "" },
    { "comments", ": hello\n\n", "data: ", "\n", ": ping\n\n" },
    { "junk fields", "retry: 10\n", "id: 1\nfoo: bar\ndata: ", "\n", "\n\n" },
};

static const char *const second_answers[] = {
    "vercel-ai/anthropic.anthropic-programmatic-tool-calling.1",
    "vercel-ai/anthropic.anthropic-tool-search-bm25.1",
    "vercel-ai/anthropic.anthropic-tool-search-deferred-bm25",
    "vercel-ai/anthropic.anthropic-tool-search-deferred-regex",
    "vercel-ai/anthropic.anthropic-tool-search-regex.1",
    "vercel-ai/azure.azure-reasoning-encrypted-content.1",
    "vercel-ai/cerebras.cererebras-structured-output-tools.1",
    "vercel-ai/openai.openai-reasoning-encrypted-content.1",
    "vercel-ai/openai.openai-shell-tool.1",
};

static char folder[PATH_SIZE];

static const char *word(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_t *load_json(const char *name) {
    char path[2 * PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return json_load_file(path, JSON_ALLOW_NUL, NULL);
}

static bool find_folder(void) {
    const char *shared = getenv("ASKFS_SHARED");
    snprintf(folder, sizeof(folder), "%s/streams", shared ? shared : "../shared");
    json_t *index = load_json("index.json");
    json_decref(index);
    return index != NULL;
}

static bool has_second_answer(const char *id) {
    for (size_t i = 0; i < sizeof(second_answers) / sizeof(*second_answers); i++)
        if (strcmp(id, second_answers[i]) == 0) return true;
    return false;
}

static bool is_restarted(const char *id) {
    return strcmp(id, "vercel-ai/anthropic.spliced-message-start") == 0;
}

// ---- the bytes of a recording ----

static void add_event(struct bytes *out, const struct dress *dress, struct slice payload) {
    bytes_append_text(out, dress->prefix);
    bytes_append_slice(out, payload);
    bytes_append_text(out, dress->line);
    bytes_append_text(out, dress->line);
    bytes_append_text(out, dress->between);
}

static void add_chunks(struct bytes *out, const struct dress *dress, struct slice file) {
    while (file.length) {
        const char *end = memchr(file.data, '\n', file.length);
        struct slice line = { file.data, end ? (size_t)(end - file.data) : file.length };
        if (slice_trim(line).length) add_event(out, dress, line);
        size_t taken = line.length + (end != NULL);
        file.data += taken;
        file.length -= taken;
    }
}

static bool load(const json_t *entry, const struct dress *dress, struct bytes *out) {
    char path[2 * PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", folder, word(entry, "file"));
    struct slice file = replay_file(path);
    bytes_init(out, REPLAY_BYTES_MAX);
    if (!file.data) return false;
    bytes_append_text(out, dress->before);
    if (strcmp(word(entry, "kind"), "sse") == 0) {
        bytes_append_slice(out, file);
    } else {
        add_chunks(out, dress, file);
        if (strcmp(word(entry, "wire"), "chat") == 0) add_event(out, dress, slice_of("[DONE]"));
    }
    free((char *)file.data);
    return true;
}

// ---- what it must give ----

static bool is_prefix(const struct bytes *got, const char *want, bool whole) {
    size_t length = strlen(want);
    return (whole ? got->length == length : got->length <= length) &&
           (got->length == 0 || memcmp(got->data, want, got->length) == 0);
}

static int64_t count(const json_t *usage, const char *first, const char *second) {
    const json_t *value = json_object_get(usage, first);
    if (!value) value = json_object_get(usage, second);
    return value ? json_integer_value(value) : 0;
}

static bool is_usage(const json_t *want, const struct decoder_facts *facts) {
    const json_t *usage = json_object_get(want, "usage");
    if (!json_is_object(usage)) return true;
    const json_t *details = json_object_get(usage, "completion_tokens_details");
    int64_t input = count(usage, "prompt_tokens", "input_tokens") +
                    count(usage, "cache_creation_input_tokens", "") +
                    count(usage, "cache_read_input_tokens", "");
    int64_t output = count(usage, "completion_tokens", "output_tokens");
    int64_t left_out = count(details, "reasoning_tokens", "");
    if (count(usage, "total_tokens", "") == input + output + left_out) output += left_out; // xAI
    return facts->usage.input_tokens == input && facts->usage.output_tokens == output;
}

static bool is_text(const json_t *want, const struct bytes *text, bool whole) {
    bool refused = word(want, "refusal")[0];
    return is_prefix(text, word(want, refused ? "refusal" : "text"), whole);
}

static bool is_as_expected(const char *id, const json_t *want, const struct replay *replay) {
    const struct decoder_facts *facts = decoder_facts(replay->decoder);
    bool whole = !has_second_answer(id) && !is_restarted(id);
    if (!is_text(want, &replay->text, whole)) return false;
    if (!is_prefix(&replay->reasoning, word(want, "reasoning"), whole)) return false;
    bool failed = is_restarted(id) || json_is_object(json_object_get(want, "error"));
    if (replay->status != (failed ? DECODER_FAILED : DECODER_DONE)) return false;
    if (!whole || failed) return true;
    return strcmp(facts->finish_reason, word(want, "finish")) == 0 && is_usage(want, facts);
}

static const struct wire *wire_of(const json_t *entry) {
    const struct wire *wire = replay_wire(word(entry, "wire"));
    return wire ? wire : &wire_openai_chat; // the older completions
}

static void begin(struct replay *replay, const json_t *entry) {
    replay_begin(replay, wire_of(entry), &replay_dialect, "text/event-stream");
}

static int compare(const char *id, const json_t *want, struct replay *replay, const char *how) {
    bool good = is_as_expected(id, want, replay);
    if (!good)
        print_error("%s, %s: status %d %s, finish %s\n", id, how, replay->status,
                    decoder_facts(replay->decoder)->failure.message,
                    decoder_facts(replay->decoder)->finish_reason);
    replay_finish(replay);
    return !good;
}

static int check_dresses(const json_t *entry, const json_t *want) {
    int wrong = 0;
    for (size_t i = 0; i < sizeof(dresses) / sizeof(*dresses); i++) {
        struct bytes bytes;
        struct replay replay;
        assert_true(load(entry, &dresses[i], &bytes));
        begin(&replay, entry);
        replay_steps(&replay, bytes_slice(&bytes), i % 2 ? 0 : 1);
        wrong += compare(word(entry, "id"), want, &replay, dresses[i].name);
        bytes_finish(&bytes);
    }
    return wrong;
}

static int check_cuts(const json_t *entry, const json_t *want) {
    struct bytes bytes;
    struct random random = { 11 };
    int wrong = 0;
    assert_true(load(entry, &dresses[0], &bytes));
    bool small = bytes.length <= SMALL_BYTES;
    size_t cuts = small ? bytes.length + 1 : BIG_CUTS;
    for (size_t i = 0; i < cuts; i++) {
        struct replay replay;
        size_t at = small ? i : (size_t)random_between(&random, 0, (int64_t)bytes.length);
        begin(&replay, entry);
        replay_feed(&replay, (struct slice){ bytes.data, at });
        replay_feed(&replay, (struct slice){ bytes.data + at, bytes.length - at });
        replay_end(&replay);
        wrong += compare(word(entry, "id"), want, &replay, "cut once");
    }
    for (int64_t round = 0; round < 5; round++) {
        struct replay replay;
        begin(&replay, entry);
        replay_random(&replay, bytes_slice(&bytes), 1 + round * round * 40, &random);
        wrong += compare(word(entry, "id"), want, &replay, "cut at random");
    }
    bytes_finish(&bytes);
    return wrong;
}

static void check_all(int (*check)(const json_t *entry, const json_t *want)) {
    json_t *index = load_json("index.json");
    json_t *expected = load_json("expected.json");
    size_t i;
    json_t *entry;
    int wrong = 0;
    json_array_foreach(index, i, entry) wrong +=
        check(entry, json_object_get(expected, word(entry, "id")));
    print_message("# %zu recordings\n", json_array_size(index));
    json_decref(index);
    json_decref(expected);
    assert_int_equal(wrong, 0);
}

static void test_each_recording_gives_its_answer_in_every_dress(void **state) {
    check_all(check_dresses);
}

static void test_each_recording_gives_its_answer_however_it_is_cut(void **state) {
    check_all(check_cuts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_recording_gives_its_answer_in_every_dress),
        cmocka_unit_test(test_each_recording_gives_its_answer_however_it_is_cut),
    };
    if (!find_folder()) {
        printf("1..0 # SKIP no recordings at %s\n", folder);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
