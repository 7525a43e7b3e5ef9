#include "core/stream/json_scan.h"

#include <string.h>

#include "core/stream/find.h"

struct scan {
    const char *at;
    const char *end;
    struct json_found *found;
    bool had_escape; // of the last string
};

static bool scan_object(struct scan *scan, const struct json_rules *rules);

static void skip_blanks(struct scan *scan) {
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

static char peek(struct scan *scan) {
    skip_blanks(scan);
    return scan->at < scan->end ? *scan->at : '\0';
}

// Nearly all JSON on the wire is compact: blanks are looked for only when c is not there.
static inline bool take(struct scan *scan, char c) {
    bool there = scan->at < scan->end && *scan->at == c;
    if (!there && (peek(scan) != c || scan->at == scan->end)) return false;
    scan->at++;
    return true;
}

// at stands on the opening quote.
static bool scan_string(struct scan *scan, struct slice *inside_out) {
    const char *start = ++scan->at;
    scan->had_escape = false;
    for (;;) {
        scan->at = find_quote(scan->at, scan->end);
        if (scan->at == scan->end) return false;
        if (*scan->at == '"') break;
        if (scan->end - scan->at < 2) return false;
        scan->had_escape = true;
        scan->at += 2;
    }
    *inside_out = (struct slice){ start, (size_t)(scan->at - start) };
    scan->at++;
    return true;
}

static bool is_scalar(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.';
}

static struct slice scan_scalar(struct scan *scan) {
    const char *start = scan->at;
    while (scan->at < scan->end && is_scalar(*scan->at))
        scan->at++;
    return (struct slice){ start, (size_t)(scan->at - start) };
}

// Brackets are counted, not matched: what is skipped is nobody's answer.
static bool skip_nested(struct scan *scan) {
    struct slice ignored;
    size_t depth = 0;
    while (scan->at < scan->end) {
        char c = *scan->at;
        if (c == '"') {
            if (!scan_string(scan, &ignored)) return false;
            continue;
        }
        scan->at++;
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        if (depth == 0) return true;
    }
    return false;
}

static bool skip_value(struct scan *scan) {
    struct slice ignored;
    char c = peek(scan);
    if (c == '"') return scan_string(scan, &ignored);
    if (c == '{' || c == '[') return skip_nested(scan);
    return scan_scalar(scan).length > 0;
}

static bool take_null(struct scan *scan) {
    return slice_equals(scan_scalar(scan), "null");
}

static bool want_string(struct scan *scan, int slot) {
    struct slice *string = &scan->found->strings[slot];
    if (peek(scan) != '"') return take_null(scan);
    return !string->data && scan_string(scan, string); // said twice: rare
}

static bool want_number(struct scan *scan, int slot) {
    enum { DIGITS_MAX = 18 };
    peek(scan);
    struct slice digits = scan_scalar(scan);
    int64_t number = 0;
    if (digits.length == 0 || digits.length > DIGITS_MAX) return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') return false;
        number = number * 10 + (digits.data[i] - '0');
    }
    scan->found->numbers[slot] = number;
    return true;
}

static bool want_zero(struct scan *scan) {
    peek(scan);
    struct slice digits = scan_scalar(scan);
    return slice_equals(digits, "0") || slice_equals(digits, "null");
}

static bool want_nothing(struct scan *scan) {
    struct slice string;
    if (peek(scan) == '"') return scan_string(scan, &string) && string.length == 0;
    return take_null(scan);
}

static bool want_first(struct scan *scan, const struct json_rules *inside) {
    if (!take(scan, '[')) return false;
    if (take(scan, ']')) return true;
    return peek(scan) == '{' && scan_object(scan, inside) && take(scan, ']');
}

static bool want_object(struct scan *scan, const struct json_rules *inside) {
    return peek(scan) == '{' ? scan_object(scan, inside) : take_null(scan);
}

static bool obey(struct scan *scan, const struct json_rule *rule) {
    switch (rule->want) {
    case JSON_WANT_STRING:
        return want_string(scan, rule->slot);
    case JSON_WANT_NUMBER:
        return want_number(scan, rule->slot);
    case JSON_WANT_ZERO:
        return want_zero(scan);
    case JSON_WANT_NOTHING:
        return want_nothing(scan);
    case JSON_WANT_OBJECT:
        return want_object(scan, rule->inside);
    case JSON_WANT_FIRST:
        return want_first(scan, rule->inside);
    }
    return false;
}

static const struct json_rule *find_rule(const struct json_rules *rules, struct slice key) {
    for (size_t i = 0; i < rules->count; i++) {
        const struct json_rule *rule = &rules->rules[i];
        bool near = rule->key_length == key.length && key.length && rule->key[0] == key.data[0];
        if (near && memcmp(rule->key, key.data, key.length) == 0) return rule;
    }
    return NULL;
}

static bool scan_member(struct scan *scan, const struct json_rules *rules) {
    struct slice key;
    if (peek(scan) != '"' || !scan_string(scan, &key)) return false;
    if (scan->had_escape || !take(scan, ':')) return false;
    const struct json_rule *rule = find_rule(rules, key);
    return rule ? obey(scan, rule) : skip_value(scan);
}

static bool scan_object(struct scan *scan, const struct json_rules *rules) {
    if (!take(scan, '{')) return false;
    if (take(scan, '}')) return true;
    do {
        if (!scan_member(scan, rules)) return false;
    } while (take(scan, ','));
    return take(scan, '}');
}

bool json_scan(struct slice text, const struct json_rules *rules, struct json_found *found_out) {
    if (text.length == 0) return false;
    struct scan scan = { .at = text.data, .end = text.data + text.length, .found = found_out };
    *found_out = (struct json_found){ 0 };
    for (size_t i = 0; i < JSON_SLOTS; i++)
        found_out->numbers[i] = -1;
    if (!scan_object(&scan, rules)) return false;
    skip_blanks(&scan);
    return scan.at == scan.end;
}
