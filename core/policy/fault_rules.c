#include "core/policy/fault_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/time.h"

enum { BILLION = 1000000000, WORD_MAX = 32 };

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

#define BIT(key) (1u << (key))
#define COMMON                                                                                     \
    (BIT(FAULT_KEY_TIMES) | BIT(FAULT_KEY_P) | BIT(FAULT_KEY_SKIP) | BIT(FAULT_KEY_MODEL) |        \
     BIT(FAULT_KEY_PATH) | BIT(FAULT_KEY_FIRED))
#define REPLY (BIT(FAULT_KEY_STATUS) | BIT(FAULT_KEY_RETRY_AFTER))

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
    [FAULT_TIMEOUT] = { "timeout", BIT(FAULT_KEY_AFTER), 0 },
    [FAULT_DISCONNECT] = { "disconnect", BIT(FAULT_KEY_AFTER_CHUNKS), 0 },
    [FAULT_TRUNCATE] = { "truncate", BIT(FAULT_KEY_AFTER_CHUNKS), 0 },
    [FAULT_STALL] = { "stall", BIT(FAULT_KEY_AFTER_CHUNKS) | BIT(FAULT_KEY_FOR), 0 },
    [FAULT_ERROR] = { "error", BIT(FAULT_KEY_AFTER_CHUNKS) | BIT(FAULT_KEY_CLASS), 0 },
    [FAULT_MALFORMED] = { "malformed", BIT(FAULT_KEY_AT_CHUNK), 0 },
    [FAULT_NO_TERMINAL] = { "no_terminal", 0, 0 },
    [FAULT_SLOW] = { "slow", BIT(FAULT_KEY_MS_PER_CHUNK), BIT(FAULT_KEY_MS_PER_CHUNK) },
    [FAULT_SPLIT] = { "split", BIT(FAULT_KEY_BYTES), BIT(FAULT_KEY_BYTES) },
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
    if (word.length >= 3 && strlen(name) >= word.length && memcmp(name, word.data, word.length) == 0)
        return 1; // broken off
    return edits(word, slice_of(name));
}

struct guess {
    struct slice word;
    const char *best;
    size_t distance;
};

static struct guess guess_for(struct slice word) {
    return (struct guess){ word, NULL, word.length > WORD_MAX ? 0 : word.length / 3 + 1 };
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
    int length = snprintf(problem, FAULT_PROBLEM_SIZE, "%sunknown %s \"%.*s\"", before, what,
                          (int)(guess->word.length < 64 ? guess->word.length : 64),
                          guess->word.data);
    if (guess->best)
        snprintf(problem + length, FAULT_PROBLEM_SIZE - (size_t)length, "; did you mean \"%s\"?",
                 guess->best);
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

static bool read_value(struct fault_rule *rule, enum fault_key key, struct slice text) {
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

// ---- one line ----

static struct slice next_word(struct slice *line) {
    *line = slice_trim(*line);
    struct slice word = { line->data, 0 };
    while (word.length < line->length && line->data[word.length] != ' ' &&
           line->data[word.length] != '\t')
        word.length++;
    line->data += word.length;
    line->length -= word.length;
    return word;
}

static bool find_kind(struct slice word, enum fault_kind *kind_out, char *problem) {
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

static bool find_key(struct slice word, enum fault_kind kind, enum fault_key *key_out,
                     char *problem) {
    struct guess guess = guess_for(word);
    char before[WORD_MAX];
    for (int key = 0; key < FAULT_KEYS; key++) {
        if (!((kinds[kind].own | COMMON) & BIT(key))) continue;
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

static bool read_pair(struct fault_rule *rule, struct slice word, char *problem) {
    const char *kind = kinds[rule->kind].name;
    const char *sign = memchr(word.data, '=', word.length);
    int shown = (int)(word.length < 64 ? word.length : 64);
    enum fault_key key;
    if (!sign) {
        snprintf(problem, FAULT_PROBLEM_SIZE, "%s: \"%.*s\" is not key=value", kind, shown,
                 word.data);
        return false;
    }
    struct slice name = { word.data, (size_t)(sign - word.data) };
    struct slice value = { sign + 1, word.length - name.length - 1 };
    if (!find_key(name, rule->kind, &key, problem)) return false;
    if (rule->given & BIT(key)) {
        snprintf(problem, FAULT_PROBLEM_SIZE, "%s: %s is given twice", kind, keys[key].name);
        return false;
    }
    if (!read_value(rule, key, value)) {
        snprintf(problem, FAULT_PROBLEM_SIZE, "%s: %s must be %s, not \"%.*s\"", kind,
                 keys[key].name, keys[key].wanted, (int)(value.length < 64 ? value.length : 64),
                 value.data);
        return false;
    }
    rule->given |= BIT(key);
    return true;
}

static bool has_all_needed(const struct fault_rule *rule, char *problem) {
    uint32_t missing = kinds[rule->kind].needed & ~rule->given;
    for (int key = 0; key < FAULT_KEYS; key++) {
        if (!(missing & BIT(key))) continue;
        snprintf(problem, FAULT_PROBLEM_SIZE, "%s: needs %s, %s", kinds[rule->kind].name,
                 keys[key].name, keys[key].wanted);
        return false;
    }
    return true;
}

static bool read_rule(struct fault_rules *rules, struct slice line, char *problem) {
    struct fault_rule rule = { 0 };
    if (!find_kind(next_word(&line), &rule.kind, problem)) return false;
    while (slice_trim(line).length)
        if (!read_pair(&rule, next_word(&line), problem)) return false;
    if (!has_all_needed(&rule, problem)) return false;
    if (rules->count == FAULT_RULES_MAX) {
        snprintf(problem, FAULT_PROBLEM_SIZE, "more than %d rules", FAULT_RULES_MAX);
        return false;
    }
    rule.fired = (uint64_t)rule.values[FAULT_KEY_FIRED];
    rules->rules[rules->count++] = rule;
    return true;
}

static bool read_line(struct fault_rules *rules, struct slice line, char *problem) {
    line = slice_trim(line);
    if (line.length == 0 || line.data[0] == '#') return true;
    if (!slice_equals(line, "clear")) return read_rule(rules, line, problem);
    fault_rules_clear(rules);
    return true;
}

bool fault_rules_parse(struct fault_rules *rules, struct slice text,
                       char problem[FAULT_PROBLEM_SIZE]) {
    struct fault_rules changed = *rules;
    while (text.length) {
        const char *end = memchr(text.data, '\n', text.length);
        size_t length = end ? (size_t)(end - text.data) : text.length;
        if (!read_line(&changed, (struct slice){ text.data, length }, problem)) return false;
        if (end) length++;
        text.data += length;
        text.length -= length;
    }
    *rules = changed;
    return true;
}

void fault_rules_clear(struct fault_rules *rules) {
    *rules = (struct fault_rules){ 0 };
}

// ---- drawing ----

static bool has(const struct fault_rule *rule, enum fault_key key) {
    return rule->given & BIT(key);
}

static int64_t value_or(const struct fault_rule *rule, enum fault_key key, int64_t otherwise) {
    return has(rule, key) ? rule->values[key] : otherwise;
}

static bool is_meant(const struct fault_rule *rule, const struct fault_subject *subject) {
    if (subject->by_path_only && !has(rule, FAULT_KEY_PATH)) return false;
    if (has(rule, FAULT_KEY_MODEL) && strcmp(rule->names[0], subject->model) != 0) return false;
    return !has(rule, FAULT_KEY_PATH) || strstr(subject->path, rule->names[1]);
}

static bool fires(struct fault_rule *rule, struct random *random) {
    rule->seen++;
    if (rule->seen <= (uint64_t)rule->values[FAULT_KEY_SKIP]) return false;
    if (has(rule, FAULT_KEY_TIMES) && rule->fired >= (uint64_t)rule->values[FAULT_KEY_TIMES])
        return false;
    if (has(rule, FAULT_KEY_P) &&
        random_unit(random) * BILLION >= (double)rule->values[FAULT_KEY_P])
        return false;
    rule->fired++;
    return true;
}

static int status_of(const struct fault_rule *rule) {
    int otherwise = rule->kind == FAULT_RATE_LIMIT ? 429 : rule->kind == FAULT_SERVER ? 500 : 0;
    return (int)value_or(rule, FAULT_KEY_STATUS, otherwise);
}

static void apply(struct fault *fault, const struct fault_rule *rule) {
    if (rule->kind == FAULT_SLOW) {
        fault->pace_ns = rule->values[FAULT_KEY_MS_PER_CHUNK];
        return;
    }
    if (rule->kind == FAULT_SPLIT) {
        fault->segment_bytes = rule->values[FAULT_KEY_BYTES];
        return;
    }
    bool stalls = rule->kind == FAULT_STALL;
    fault->kind = rule->kind;
    fault->status = status_of(rule);
    fault->retry_after_ns = value_or(rule, FAULT_KEY_RETRY_AFTER, -1);
    fault->chunks = rule->kind == FAULT_MALFORMED ? value_or(rule, FAULT_KEY_AT_CHUNK, 1)
                                                  : rule->values[FAULT_KEY_AFTER_CHUNKS];
    fault->wait_ns = value_or(rule, stalls ? FAULT_KEY_FOR : FAULT_KEY_AFTER, TIME_NEVER);
    fault->error = (enum fault_error)value_or(rule, FAULT_KEY_CLASS, FAULT_ERROR_OVERLOADED);
}

static bool is_taken(const struct fault *fault, enum fault_kind kind) {
    if (kind == FAULT_SLOW) return fault->pace_ns >= 0;
    if (kind == FAULT_SPLIT) return fault->segment_bytes > 0;
    return fault->kind != FAULT_NONE;
}

struct fault fault_rules_draw(struct fault_rules *rules, const struct fault_subject *subject,
                              struct random *random) {
    struct fault fault = { .retry_after_ns = -1, .pace_ns = -1, .wait_ns = TIME_NEVER };
    for (size_t i = 0; i < rules->count; i++) {
        struct fault_rule *rule = &rules->rules[i];
        if (is_taken(&fault, rule->kind) || !is_meant(rule, subject)) continue;
        if (fires(rule, random)) apply(&fault, rule);
    }
    return fault;
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

static bool print_value(const struct fault_rule *rule, enum fault_key key, struct bytes *out) {
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

static bool print_rule(const struct fault_rule *rule, struct bytes *out) {
    if (!bytes_append_text(out, kinds[rule->kind].name)) return false;
    for (int key = 0; key < FAULT_KEYS; key++) {
        if (key == FAULT_KEY_FIRED || !has(rule, (enum fault_key)key)) continue;
        if (!bytes_printf(out, " %s=", keys[key].name) ||
            !print_value(rule, (enum fault_key)key, out))
            return false;
    }
    return bytes_printf(out, " fired=%" PRIu64 "\n", rule->fired);
}

bool fault_rules_print(const struct fault_rules *rules, struct bytes *out) {
    for (size_t i = 0; i < rules->count; i++)
        if (!print_rule(&rules->rules[i], out)) return false;
    return true;
}
