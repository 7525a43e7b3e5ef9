#include "core/policy/fault_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/time.h"
#include "core/policy/fault_grammar.h"

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

static bool read_pair(struct fault_rule *rule, struct slice word, char *problem) {
    const char *kind = fault_kind_name(rule->kind);
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
    if (!fault_grammar_key(name, rule->kind, &key, problem)) return false;
    if (rule->given & FAULT_BIT(key)) {
        snprintf(problem, FAULT_PROBLEM_SIZE, "%s: %s is given twice", kind,
                 fault_grammar_key_name(key));
        return false;
    }
    if (!fault_grammar_read(rule, key, value)) {
        snprintf(problem, FAULT_PROBLEM_SIZE, "%s: %s must be %s, not \"%.*s\"", kind,
                 fault_grammar_key_name(key), fault_grammar_wanted(key),
                 (int)(value.length < 64 ? value.length : 64), value.data);
        return false;
    }
    rule->given |= FAULT_BIT(key);
    return true;
}

static bool has_all_needed(const struct fault_rule *rule, char *problem) {
    uint32_t missing = fault_grammar_needed(rule->kind) & ~rule->given;
    for (int key = 0; key < FAULT_KEYS; key++) {
        if (!(missing & FAULT_BIT(key))) continue;
        snprintf(problem, FAULT_PROBLEM_SIZE, "%s: needs %s, %s", fault_kind_name(rule->kind),
                 fault_grammar_key_name((enum fault_key)key),
                 fault_grammar_wanted((enum fault_key)key));
        return false;
    }
    return true;
}

static bool read_rule(struct fault_rules *rules, struct slice line, char *problem) {
    struct fault_rule rule = { 0 };
    if (!fault_grammar_kind(next_word(&line), &rule.kind, problem)) return false;
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
    return rule->given & FAULT_BIT(key);
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
        random_unit(random) * FAULT_BILLION >= (double)rule->values[FAULT_KEY_P])
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

static bool print_rule(const struct fault_rule *rule, struct bytes *out) {
    if (!bytes_append_text(out, fault_kind_name(rule->kind))) return false;
    for (int key = 0; key < FAULT_KEYS; key++) {
        if (key == FAULT_KEY_FIRED || !has(rule, (enum fault_key)key)) continue;
        if (!bytes_printf(out, " %s=", fault_grammar_key_name((enum fault_key)key)) ||
            !fault_grammar_print(rule, (enum fault_key)key, out))
            return false;
    }
    return bytes_printf(out, " fired=%" PRIu64 "\n", rule->fired);
}

bool fault_rules_print(const struct fault_rules *rules, struct bytes *out) {
    for (size_t i = 0; i < rules->count; i++)
        if (!print_rule(&rules->rules[i], out)) return false;
    return true;
}
