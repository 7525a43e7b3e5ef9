#include "core/stream/json_repair.h"

#include <stdlib.h>
#include <string.h>

#include "core/stream/find.h"

// U+10D800 to U+10DFFF, for private use, stand for the surrogates while a parser looks.
enum { MARK_BASE = 0x100000, NUMBER_MAX = 64, INTEGER_DIGITS_MAX = 18 };

static void drop_front(struct slice *slice, size_t count) {
    slice->data += count;
    slice->length -= count;
}

static bool append_front(struct slice *text, size_t count, struct bytes *out) {
    bool good = bytes_append(out, text->data, count);
    drop_front(text, count);
    return good;
}

// ---- strings ----

static bool is_half(long unit, bool low) {
    return (unit & 0xfc00) == (low ? 0xdc00 : 0xd800);
}

static bool append_mark(long unit, struct bytes *out) {
    unsigned long character = MARK_BASE + (unsigned long)unit - 0x10000;
    return bytes_printf(out, "\\u%04lx\\u%04lx", 0xd800 + (character >> 10),
                        0xdc00 + (character & 0x3ff));
}

// *text begins with "\u".
static bool repair_unicode(struct slice *text, struct bytes *out) {
    long unit = json_hex4((struct slice){ text->data + 2, text->length - 2 });
    if (unit < 0) {
        drop_front(text, 2);
        return bytes_append_text(out, "\\ufffd");
    }
    bool high = is_half(unit, false);
    if (!high && !is_half(unit, true)) return append_front(text, 6, out);
    if (high && text->length >= 12 && memcmp(text->data + 6, "\\u", 2) == 0 &&
        is_half(json_hex4((struct slice){ text->data + 8, 4 }), true))
        return append_front(text, 12, out);
    drop_front(text, 6);
    return append_mark(unit, out);
}

static bool repair_escape(struct slice *text, struct bytes *out) {
    if (text->length < 2) return append_front(text, text->length, out);
    char kind = text->data[1];
    if (kind == 'u') return repair_unicode(text, out);
    if (kind && strchr("\"\\/bfnrt", kind)) return append_front(text, 2, out);
    drop_front(text, 1);
    return true;
}

static bool repair_character(struct slice *text, struct bytes *out) {
    unsigned char first = (unsigned char)text->data[0];
    if (first < 0x20) {
        drop_front(text, 1);
        return bytes_printf(out, "\\u%04x", first);
    }
    size_t bad = 0;
    size_t length = json_character(*text, &bad);
    if (length) return append_front(text, length, out);
    drop_front(text, bad);
    return bytes_append_text(out, "\xef\xbf\xbd");
}

// *text begins with the opening quote.
static bool repair_string(struct slice *text, struct bytes *out) {
    if (!append_front(text, 1, out)) return false;
    while (text->length) {
        const char *special = find_special(text->data, text->data + text->length);
        if (!append_front(text, (size_t)(special - text->data), out)) return false;
        if (text->length == 0) return true;
        if (text->data[0] == '"') return append_front(text, 1, out);
        bool good = text->data[0] == '\\' ? repair_escape(text, out) : repair_character(text, out);
        if (!good) return false;
    }
    return true;
}

// ---- everything else ----

static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.';
}

static bool is_all_digits(struct slice word) {
    for (size_t i = 0; i < word.length; i++)
        if (word.data[i] < '0' || word.data[i] > '9') return false;
    return true;
}

static bool repair_integer(struct slice word, struct bytes *out) {
    return bytes_append_slice(out, word) && bytes_append_text(out, ".0");
}

// A number so large that it is infinite, or written with more digits than anybody reads.
static bool is_beyond_real(struct slice word) {
    char copy[NUMBER_MAX + 1];
    if (word.length > NUMBER_MAX) return true;
    memcpy(copy, word.data, word.length);
    copy[word.length] = '\0';
    double value = strtod(copy, NULL);
    return value - value != 0;
}

static bool repair_word(struct slice *text, struct bytes *out) {
    static const char *const nothings[] = { "NaN", "-NaN", "Infinity", "-Infinity",
                                            "nan", "inf",  "-inf" };
    struct slice word = { text->data, 0 };
    while (word.length < text->length && is_word(word.data[word.length]))
        word.length++;
    drop_front(text, word.length);
    for (size_t i = 0; i < sizeof(nothings) / sizeof(*nothings); i++)
        if (slice_equals(word, nothings[i])) return bytes_append_text(out, "null");
    struct slice digits = word;
    if (digits.data[0] == '-') drop_front(&digits, 1);
    bool number = digits.length && digits.data[0] >= '0' && digits.data[0] <= '9';
    if (number && is_beyond_real(word)) return bytes_append_text(out, "null");
    if (number && digits.length > INTEGER_DIGITS_MAX && is_all_digits(digits))
        return repair_integer(word, out);
    return bytes_append_slice(out, word);
}

static bool repair_too_deep(struct slice *text, struct bytes *out) {
    struct json_span span = { 0 };
    json_span_next(&span, text);
    return bytes_append_text(out, "null");
}

bool json_repair(struct slice text, struct bytes *out) {
    size_t depth = 0;
    bool good = true;
    while (good && text.length) {
        char c = text.data[0];
        bool opens = c == '{' || c == '[';
        if (opens && depth == JSON_DEPTH_MAX) {
            good = repair_too_deep(&text, out);
            continue;
        }
        if (opens) depth++;
        if ((c == '}' || c == ']') && depth) depth--;
        if (c == '"')
            good = repair_string(&text, out);
        else if (is_word(c))
            good = repair_word(&text, out);
        else
            good = append_front(&text, 1, out);
    }
    return good;
}

// ---- marks ----

// U+10D800 to U+10DFFF is F4 8D A0..BF 80..BF.
static bool is_mark(struct slice text) {
    return text.length >= 4 && memcmp(text.data, "\xf4\x8d", 2) == 0 &&
           (unsigned char)text.data[2] >= 0xa0;
}

static unsigned long unit_of_mark(struct slice text) {
    return 0xd000 | ((unsigned char)text.data[2] & 0x3fUL) << 6 |
           ((unsigned char)text.data[3] & 0x3f);
}

bool json_unmark(struct slice text, struct half *half, struct bytes *out) {
    while (text.length) {
        size_t run = 0;
        while (run < text.length && !is_mark((struct slice){ text.data + run, text.length - run }))
            run++;
        if (run && (!json_end_half(half, out) || !append_front(&text, run, out))) return false;
        if (text.length == 0) return true;
        if (!json_append_unit(unit_of_mark(text), half, out)) return false;
        drop_front(&text, 4);
    }
    return true;
}

// ---- values that follow each other ----

bool json_span_next(struct json_span *span, struct slice *input) {
    while (input->length) {
        char c = input->data[0];
        drop_front(input, 1);
        if (span->in_string) {
            if (!span->escaped && c == '"') span->in_string = false;
            span->escaped = !span->escaped && c == '\\';
            continue;
        }
        if (c == '"') span->in_string = true;
        if (c == '{' || c == '[') span->depth++;
        if (c == '}' || c == ']') span->depth--;
        if (span->depth == 0) return true;
    }
    return false;
}
