#include "mount/sim/options.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum kind { KIND_NUMBER, KIND_FLAG, KIND_TEXT, KIND_WORD };

static const char *const finishes[] = { "stop", "length", "content_filter", NULL };
static const char *const prefills[] = { "accept", "refuse", "ignore", NULL };
static const char *const continuations[] = { "exact",    "overlap", "restart",
                                             "preamble", "diverge", NULL };

#define NUMBER(member, least, most)                                                                \
    { #member, KIND_NUMBER, offsetof(struct options, member), least, most, NULL, NULL }
#define FLAG(member)                                                                               \
    { #member, KIND_FLAG, offsetof(struct options, member), 0, 1, NULL, NULL }
#define TEXT(member, when_true)                                                                    \
    { #member, KIND_TEXT, offsetof(struct options, member), 0, 0, NULL, when_true }
#define WORD(member, words)                                                                        \
    { #member, KIND_WORD, offsetof(struct options, member), 0, 0, words, NULL }

static const struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    int64_t min;
    int64_t max;
    const char *const *words;
    const char *when_true; // a text that needs no words of one's own
} table[] = {
    NUMBER(chunks, 0, 1000000000),
    NUMBER(chunk_bytes, 1, 1 << 20),
    NUMBER(ms_per_chunk, 0, 3600000),
    NUMBER(first_ms, 0, 3600000),
    NUMBER(repeat, 1, 1000000),
    NUMBER(overlap, 1, 10000),
    NUMBER(context_tokens, 0, INT64_C(1000000000)),
    TEXT(text, NULL),
    TEXT(reasoning, "First I look at the question, then I think about what is known of it."),
    TEXT(refusal, "I cannot help with that."),
    FLAG(tool),
    FLAG(stamp),
    FLAG(usage),
    WORD(finish, finishes),
    WORD(prefill, prefills),
    WORD(continuation, continuations),
};
enum { OPTIONS = sizeof(table) / sizeof(*table) };

void options_init(struct options *options) {
    *options = (struct options){ .chunks = -1,
                                 .chunk_bytes = -1,
                                 .repeat = 1,
                                 .overlap = 20,
                                 .context_tokens = -1,
                                 .usage = -1 };
}

static const struct option *find(const char *name) {
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

static void explain_unknown(char *problem, const char *name) {
    int length =
        snprintf(problem, OPTIONS_PROBLEM_SIZE, "unknown member \"%.64s\" of sim; known:", name);
    for (size_t i = 0; i < OPTIONS; i++)
        length +=
            snprintf(problem + length, OPTIONS_PROBLEM_SIZE - (size_t)length, " %s", table[i].name);
}

static void explain_wanted(const struct option *option, char *problem) {
    int length = snprintf(problem, OPTIONS_PROBLEM_SIZE, "sim.%s must be ", option->name);
    char *rest = problem + length;
    size_t size = OPTIONS_PROBLEM_SIZE - (size_t)length;
    if (option->kind == KIND_NUMBER) {
        snprintf(rest, size, "a whole number from %" PRId64 " to %" PRId64, option->min,
                 option->max);
        return;
    }
    if (option->kind != KIND_WORD) {
        snprintf(rest, size, option->kind == KIND_FLAG ? "true or false" : "a string");
        return;
    }
    length = snprintf(rest, size, "one of");
    for (const char *const *word = option->words; *word; word++)
        length += snprintf(rest + length, size - (size_t)length, " %s", *word);
}

static bool set_word(const struct option *option, const json_t *value, int64_t *number) {
    for (int i = 0; json_is_string(value) && option->words[i]; i++) {
        if (strcmp(json_string_value(value), option->words[i]) != 0) continue;
        *number = i;
        return true;
    }
    return false;
}

static bool set_text(const struct option *option, const json_t *value, const char **text) {
    if (json_is_string(value))
        *text = json_string_value(value);
    else if (json_is_boolean(value) && (option->when_true || !json_is_true(value)))
        *text = json_is_true(value) ? option->when_true : NULL;
    else
        return false;
    return true;
}

static bool set(struct options *options, const struct option *option, const json_t *value) {
    void *member = (char *)options + option->offset;
    int64_t number = json_integer_value(value);
    switch (option->kind) {
    case KIND_TEXT:
        return set_text(option, value, member);
    case KIND_WORD:
        return set_word(option, value, member);
    case KIND_FLAG:
        if (!json_is_boolean(value)) return false;
        number = json_is_true(value);
        break;
    case KIND_NUMBER:
        if (!json_is_integer(value) || number < option->min || number > option->max) return false;
        break;
    }
    *(int64_t *)member = number;
    return true;
}

bool options_read(struct options *options, const json_t *object,
                  char problem[OPTIONS_PROBLEM_SIZE]) {
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        snprintf(problem, OPTIONS_PROBLEM_SIZE, "sim must be an object");
        return false;
    }
    json_object_foreach((json_t *)object, name, value) {
        const struct option *option = find(name);
        if (!option) {
            explain_unknown(problem, name);
            return false;
        }
        if (!set(options, option, value)) {
            explain_wanted(option, problem);
            return false;
        }
    }
    return true;
}
