#include "core/policy/fault_grammar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/time.h"

enum { WORD_MAX = 32, BILLION = FAULT_BILLION };

// ---- the grammar ----

enum value_type { VALUE_COUNT, VALUE_DECIMAL, VALUE_MS, VALUE_CLASS, VALUE_NAME };

static const struct {
    const char *name;
    enum value_type type;
    int64_t min;
    int64_t max; // of what is written; VALUE_DECIMAL: of what is kept
    const char *wanted;
} keys[FAULT_KEYS] = {
    [FAULT_KEY_STATUS] = { "status", VALUE_COUNT, 400, 599, "an HTTP status from 400 to 599" },
    [FAULT_KEY_RETRY_AFTER] = { "retry_after", VALUE_DECIMAL, 0, 1000000 * TIME_S, "seconds" },
    [FAULT_KEY_AFTER_CHUNKS] = { "after_chunks", VALUE_COUNT, 0, INT32_MAX, "a number" },
    [FAULT_KEY_AT_CHUNK] = { "at_chunk", VALUE_COUNT, 1, INT32_MAX, "a number from 1" },
    [FAULT_KEY_AFTER] = { "after", VALUE_DECIMAL, 0, 1000000 * TIME_S, "seconds" },
    [FAULT_KEY_FOR] = { "for", VALUE_DECIMAL, 0, 1000000 * TIME_S, "seconds" },
    [FAULT_KEY_CLASS] = { "class", VALUE_CLASS, 0, 0, "overloaded, server or rate_limit" },
    [FAULT_KEY_MS_PER_CHUNK] = { "ms_per_chunk", VALUE_MS, 0, 3600000, "milliseconds" },
    [FAULT_KEY_BYTES] = { "bytes", VALUE_COUNT, 1, INT32_MAX, "a number from 1" },
    [FAULT_KEY_TIMES] = { "times", VALUE_COUNT, 0, INT32_MAX, "a number" },
    [FAULT_KEY_P] = { "p", VALUE_DECIMAL, 0, BILLION, "a probability from 0 to 1" },
    [FAULT_KEY_SKIP] = { "skip", VALUE_COUNT, 0, INT32_MAX, "a number" },
    [FAULT_KEY_MODEL] = { "model", VALUE_NAME, 0, 0, "a name" },
    [FAULT_KEY_PATH] = { "path", VALUE_NAME, 0, 0, "a part of a path" },
    [FAULT_KEY_FIRED] = { "fired", VALUE_COUNT, 0, INT64_MAX, "a number" },
};

#define COMMON                                                                                     \
    (FAULT_BIT(FAULT_KEY_TIMES) | FAULT_BIT(FAULT_KEY_P) | FAULT_BIT(FAULT_KEY_SKIP) |             \
     FAULT_BIT(FAULT_KEY_MODEL) | FAULT_BIT(FAULT_KEY_PATH) | FAULT_BIT(FAULT_KEY_FIRED))
#define REPLY (FAULT_BIT(FAULT_KEY_STATUS) | FAULT_BIT(FAULT_KEY_RETRY_AFTER))

static const struct {
    const char *name;
    uint32_t own; // keys beside the common ones
    uint32_t needed;
} kinds[FAULT_KINDS] = {
    [FAULT_NONE] = { "none", 0, 0 },
    [FAULT_RATE_LIMIT] = { "rate_limit", REPLY, 0 },
    [FAULT_SERVER] = { "server", REPLY, 0 },
    [FAULT_OVERLOADED] = { "overloaded", REPLY, 0 },
    [FAULT_REFUSE] = { "refuse", 0, 0 },
    [FAULT_RESET] = { "reset", 0, 0 },
    [FAULT_TIMEOUT] = { "timeout", FAULT_BIT(FAULT_KEY_AFTER), 0 },
    [FAULT_DISCONNECT] = { "disconnect", FAULT_BIT(FAULT_KEY_AFTER_CHUNKS), 0 },
    [FAULT_TRUNCATE] = { "truncate", FAULT_BIT(FAULT_KEY_AFTER_CHUNKS), 0 },
    [FAULT_STALL] = { "stall", FAULT_BIT(FAULT_KEY_AFTER_CHUNKS) | FAULT_BIT(FAULT_KEY_FOR), 0 },
    [FAULT_ERROR] = { "error", FAULT_BIT(FAULT_KEY_AFTER_CHUNKS) | FAULT_BIT(FAULT_KEY_CLASS), 0 },
    [FAULT_MALFORMED] = { "malformed", FAULT_BIT(FAULT_KEY_AT_CHUNK), 0 },
    [FAULT_NO_TERMINAL] = { "no_terminal", 0, 0 },
    [FAULT_SLOW] = { "slow", FAULT_BIT(FAULT_KEY_MS_PER_CHUNK), FAULT_BIT(FAULT_KEY_MS_PER_CHUNK) },
    [FAULT_SPLIT] = { "split", FAULT_BIT(FAULT_KEY_BYTES), FAULT_BIT(FAULT_KEY_BYTES) },
};

static const char *const classes[] = { "overloaded", "server", "rate_limit" };
enum { CLASSES = sizeof(classes) / sizeof(*classes) };

const char *fault_kind_name(enum fault_kind kind) {
    return kinds[kind].name;
}

// ---- what was perhaps meant ----

// Insertions, deletions and replacements that make b of a; both at most WORD_MAX long.
static size_t edits(struct slice a, struct slice b) {
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b.length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            size_t best = corner + (a.data[i - 1] != b.data[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            corner = row[j];
            row[j] = best;
        }
    }
    return row[b.length];
}

static size_t unlikeness(struct slice word, const char *name) {
    if (word.length >= 3 && strlen(name) >= word.length &&
        memcmp(name, word.data, word.length) == 0)
        return 1; // broken off
    return edits(word, slice_of(name));
}

struct guess {
    struct slice word;
    const char *best;
    size_t distance;
};

// One slip in three letters; in a single letter there is nothing to recognise.
static struct guess guess_for(struct slice word) {
    bool has_shape = word.length > 1 && word.length <= WORD_MAX;
    return (struct guess){ word, NULL, has_shape ? word.length / 3 + 1 : 0 };
}

static void guess_weigh(struct guess *guess, const char *name) {
    if (guess->distance == 0) return;
    size_t distance = unlikeness(guess->word, name);
    if (distance > guess->distance || (guess->best && distance == guess->distance)) return;
    guess->best = name;
    guess->distance = distance;
}

static void explain_unknown(char *problem, const char *before, const char *what,
                            const struct guess *guess) {
    int length =
        snprintf(problem, FAULT_PROBLEM_SIZE, "%sunknown %s \"%.*s\"", before, what,
                 (int)(guess->word.length < 64 ? guess->word.length : 64), guess->word.data);
    if (guess->best)
        snprintf(problem + length, FAULT_PROBLEM_SIZE - (size_t)length, "; did you mean \"%s\"?",
                 guess->best);
}

// ---- words ----

bool fault_grammar_kind(struct slice word, enum fault_kind *kind_out,
                        char problem[FAULT_PROBLEM_SIZE]) {
    struct guess guess = guess_for(word);
    for (int kind = FAULT_NONE + 1; kind < FAULT_KINDS; kind++) {
        if (slice_equals(word, kinds[kind].name)) {
            *kind_out = (enum fault_kind)kind;
            return true;
        }
        guess_weigh(&guess, kinds[kind].name);
    }
    guess_weigh(&guess, "clear");
    explain_unknown(problem, "", "fault", &guess);
    return false;
}

bool fault_grammar_key(struct slice word, enum fault_kind kind, enum fault_key *key_out,
                       char problem[FAULT_PROBLEM_SIZE]) {
    struct guess guess = guess_for(word);
    char before[WORD_MAX];
    for (int key = 0; key < FAULT_KEYS; key++) {
        if (!((kinds[kind].own | COMMON) & FAULT_BIT(key))) continue;
        if (slice_equals(word, keys[key].name)) {
            *key_out = (enum fault_key)key;
            return true;
        }
        if (key != FAULT_KEY_FIRED) guess_weigh(&guess, keys[key].name);
    }
    snprintf(before, sizeof(before), "%s: ", kinds[kind].name);
    explain_unknown(problem, before, "key", &guess);
    return false;
}

// ---- values ----

static bool read_count(struct slice text, int64_t *value_out) {
    int64_t value = 0;
    if (text.length == 0 || text.length > 18) return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        value = value * 10 + (text.data[i] - '0');
    }
    *value_out = value;
    return true;
}

// "2", "0.25", ".5": in billionths, so that seconds become nanoseconds.
static bool read_decimal(struct slice text, int64_t *value_out) {
    const char *point = memchr(text.data, '.', text.length);
    size_t whole_length = point ? (size_t)(point - text.data) : text.length;
    size_t digits = point ? text.length - whole_length - 1 : 0;
    int64_t whole = 0;
    int64_t part = 0;
    if (whole_length + digits == 0 || whole_length > 9 || digits > 9) return false;
    if (whole_length && !read_count((struct slice){ text.data, whole_length }, &whole))
        return false;
    if (digits && !read_count((struct slice){ point + 1, digits }, &part)) return false;
    for (; digits < 9; digits++)
        part *= 10;
    *value_out = whole * BILLION + part;
    return true;
}

static bool read_class(struct slice text, int64_t *value_out) {
    for (int i = 0; i < CLASSES; i++) {
        if (!slice_equals(text, classes[i])) continue;
        *value_out = i;
        return true;
    }
    return false;
}

static bool read_name(struct slice text, char name[FAULT_NAME_SIZE]) {
    if (text.length == 0 || text.length >= FAULT_NAME_SIZE) return false;
    memcpy(name, text.data, text.length);
    name[text.length] = '\0';
    return true;
}

bool fault_grammar_read(struct fault_rule *rule, enum fault_key key, struct slice text) {
    int64_t value = 0;
    switch (keys[key].type) {
    case VALUE_NAME:
        return read_name(text, rule->names[key - FAULT_KEY_MODEL]);
    case VALUE_CLASS:
        return read_class(text, &rule->values[key]);
    case VALUE_DECIMAL:
        if (!read_decimal(text, &value)) return false;
        break;
    case VALUE_COUNT:
    case VALUE_MS:
        if (!read_count(text, &value)) return false;
        break;
    }
    if (value < keys[key].min || value > keys[key].max) return false;
    rule->values[key] = keys[key].type == VALUE_MS ? value * TIME_MS : value;
    return true;
}

// ---- printing ----

static bool print_decimal(struct bytes *out, int64_t billionths) {
    char text[32];
    int length = snprintf(text, sizeof(text), "%" PRId64 ".%09" PRId64, billionths / BILLION,
                          billionths % BILLION);
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.') length--;
    return bytes_append(out, text, (size_t)length);
}

bool fault_grammar_print(const struct fault_rule *rule, enum fault_key key, struct bytes *out) {
    int64_t value = rule->values[key];
    switch (keys[key].type) {
    case VALUE_NAME:
        return bytes_append_text(out, rule->names[key - FAULT_KEY_MODEL]);
    case VALUE_CLASS:
        return bytes_append_text(out, classes[value]);
    case VALUE_DECIMAL:
        return print_decimal(out, value);
    case VALUE_MS:
        return bytes_printf(out, "%" PRId64, value / TIME_MS);
    case VALUE_COUNT:
        break;
    }
    return bytes_printf(out, "%" PRId64, value);
}

const char *fault_grammar_key_name(enum fault_key key) {
    return keys[key].name;
}

const char *fault_grammar_wanted(enum fault_key key) {
    return keys[key].wanted;
}

uint32_t fault_grammar_needed(enum fault_kind kind) {
    return kinds[kind].needed;
}
