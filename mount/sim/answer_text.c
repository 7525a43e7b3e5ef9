#include "mount/sim/answer_text.h"

#include <string.h>

#include "core/base/random.h"
#include "mount/sim/wire.h"

enum { QUOTED_BYTES_MAX = 60, WORDS_MIN = 24, WORDS_MAX = 60, WORDS_LARGE = 2000 };

// ---- the whole answer ----

static uint64_t mix(uint64_t hash, struct slice text) {
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return (hash ^ text.length) * UINT64_C(0x100000001b3);
}

// FNV-1a over the model, the system prompt and the first `count` turns.
static uint64_t hash_of(const struct question *question, size_t count) {
    uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), slice_of(question->model));
    hash = mix(hash, question->system);
    for (size_t i = 0; i < count; i++) {
        hash = mix(hash, slice_of(question->turns[i].by_assistant ? "a" : "u"));
        hash = mix(hash, question->turns[i].text);
    }
    return hash;
}

static bool is_model(const struct question *question, const char *name) {
    return strcmp(question->model, name) == 0;
}

static struct cut cut_of(const struct options *options) {
    return (struct cut){ options->chunks > 0 ? (size_t)options->chunks : 0,
                         options->chunk_bytes > 0 ? (size_t)options->chunk_bytes : 0 };
}

static struct slice beginning_of(struct slice prompt) {
    size_t length = prompt.length;
    if (length <= QUOTED_BYTES_MAX) return prompt;
    length = QUOTED_BYTES_MAX;
    while (length && ((unsigned char)prompt.data[length] & 0xc0) == 0x80)
        length--;
    return (struct slice){ prompt.data, length };
}

static bool build_given(struct pieces *pieces, const struct options *options, struct slice text) {
    if (options->chunks == 0) text.length = 0;
    if (!pieces_init(pieces, text, cut_of(options))) return false;
    pieces->repeat = (size_t)options->repeat;
    return true;
}

// A sentence that quotes the prompt, and words behind it until there are as many as asked for.
static bool build_generated(struct pieces *pieces, const struct question *question, size_t count) {
    const struct options *options = &question->options;
    struct random random = { hash_of(question, count) };
    struct slice quoted = beginning_of(question_prompt(question, count));
    struct out sentence;
    out_init(&sentence, 1 << 16);
    out_text(&sentence, "You said: \"");
    out_slice(&sentence, quoted);
    out_text(&sentence, quoted.length == QUOTED_BYTES_MAX ? "…\"." : "\".");
    struct cut cut = { 0, cut_of(options).bytes };
    bool good = sentence.good && pieces_init(pieces, bytes_slice(&sentence.bytes), cut);
    out_finish(&sentence);
    if (!good) return false;
    uint64_t seed = random_next(&random);
    size_t words = is_model(question, "sim-large")
                       ? WORDS_LARGE
                       : (size_t)random_between(&random, WORDS_MIN, WORDS_MAX);
    size_t chunks = (size_t)options->chunks;
    if (options->chunks >= 0 && chunks < pieces->parts) pieces_shorten(pieces, chunks);
    if (options->chunks >= 0) words = chunks - pieces->parts;
    pieces_add_words(pieces, seed, words, cut.bytes);
    return true;
}

// What the first `count` turns get.
static bool build_whole(struct pieces *pieces, const struct question *question, size_t count) {
    const struct options *options = &question->options;
    const char *text = options->refusal ? options->refusal : options->text;
    pieces_finish(pieces);
    if (text) return build_given(pieces, options, slice_of(text));
    if (is_model(question, "sim-echo"))
        return build_given(pieces, options, question_prompt(question, count));
    return build_generated(pieces, question, count);
}

// ---- continuing ----

static struct slice without_trailing_blanks(struct slice text) {
    while (text.length && strchr(" \t\r\n", text.data[text.length - 1]))
        text.length--;
    return text;
}

static bool is_prefilled(const struct question *question) {
    return question->turn_count && question->turns[question->turn_count - 1].by_assistant;
}

static bool asks_to_continue(const struct question *question) {
    static const char *const words[] = { "continu", "interrupt", "left off", "broke off",
                                         "cut off" };
    size_t count = question->turn_count;
    if (count < 2 || is_prefilled(question) || !question->turns[count - 2].by_assistant)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (slice_contains_nocase(question->turns[count - 1].text, words[i])) return true;
    return false;
}

static bool refuse_prefill(const struct question *question, struct problem *problem) {
    return problem_set(problem, 400, NULL,
                       "This model does not support assistant message prefill. "
                       "The conversation must end with a user message.");
}

static bool lead_with_overlap(struct pieces *pieces, struct slice said, int64_t characters) {
    size_t from = said.length;
    while (from && characters > 0) {
        from--;
        characters -= ((unsigned char)said.data[from] & 0xc0) != 0x80;
    }
    return pieces_lead(pieces, (struct slice){ said.data + from, said.length - from });
}

static bool go_on(struct pieces *pieces, const struct question *question, struct slice said,
                  struct bytes *scratch) {
    const struct options *options = &question->options;
    switch ((enum continuation)options->continuation) {
    case CONTINUE_RESTART:
        return true;
    case CONTINUE_DIVERGE:
        pieces_finish(pieces);
        return build_generated(pieces, question, question->turn_count);
    case CONTINUE_OVERLAP:
        pieces_skip(pieces, said, scratch);
        return lead_with_overlap(pieces, said, options->overlap);
    case CONTINUE_PREAMBLE:
        pieces_skip(pieces, said, scratch);
        return pieces_lead(pieces, slice_of("Sure, continuing: "));
    case CONTINUE_EXACT:
        pieces_skip(pieces, said, scratch);
        break;
    }
    return true;
}

static bool begins_with(struct pieces *pieces, struct slice said, struct bytes *scratch) {
    struct pieces probe = *pieces; // a shallow copy: only its beginning moves
    return said.length && pieces_skip(&probe, said, scratch);
}

static bool build_prefilled(struct pieces *pieces, const struct question *question,
                            struct bytes *scratch, struct problem *problem) {
    size_t before = question->turn_count - 1;
    struct slice given = question->turns[before].text;
    struct slice said = without_trailing_blanks(given);
    if (question->options.prefill == PREFILL_REFUSE) return refuse_prefill(question, problem);
    if (question->wire->refuses_trailing_blanks && said.length != given.length)
        return problem_set(problem, 400, NULL,
                           "messages: final assistant content cannot end with trailing whitespace");
    if (!build_whole(pieces, question, before)) return false;
    if (question->options.prefill == PREFILL_IGNORE) return true;
    return pieces_skip(pieces, said, scratch) ||
           build_whole(pieces, question, question->turn_count);
}

bool answer_text_build(struct pieces *pieces, const struct question *question,
                       struct bytes *scratch, struct problem *problem) {
    problem_set(problem, 500, NULL, "askfs-sim has no memory for this");
    if (is_prefilled(question)) return build_prefilled(pieces, question, scratch, problem);
    if (asks_to_continue(question)) {
        struct slice said = question->turns[question->turn_count - 2].text;
        if (!build_whole(pieces, question, question->turn_count - 2)) return false;
        if (begins_with(pieces, said, scratch)) return go_on(pieces, question, said, scratch);
    }
    return build_whole(pieces, question, question->turn_count);
}

const char *answer_text_reasoning(const struct question *question) {
    if (question->options.reasoning) return question->options.reasoning;
    if (!is_model(question, "sim-think")) return NULL;
    return "Let me see what was asked. There is a question, and it deserves a short answer.";
}
