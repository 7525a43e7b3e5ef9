#include "core/stream/json_text.h"

#include "core/base/text.h"
#include "core/stream/find.h"

static const struct slice replacement = { "\xef\xbf\xbd", 3 };

static bool is_high(unsigned long unit) {
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(unsigned long unit) {
    return unit >= 0xdc00 && unit <= 0xdfff;
}

bool json_end_half(struct half *half, struct bytes *out) {
    if (!half->high) return true;
    half->high = 0;
    return bytes_append_slice(out, replacement);
}

bool json_append_unit(unsigned long unit, struct half *half, struct bytes *out) {
    if (half->high && is_low(unit)) {
        unsigned long character = 0x10000 + ((half->high - 0xd800UL) << 10) + (unit - 0xdc00);
        half->high = 0;
        return text_append_character(out, character);
    }
    if (!json_end_half(half, out)) return false;
    if (!is_high(unit)) return text_append_character(out, unit); // a lone low one: U+FFFD
    half->high = (uint16_t)unit;
    return true;
}

size_t json_character(struct slice text, size_t *bad_out) {
    struct text_check check = { 0 };
    if (text.data[0] == '\0') return 1;
    for (size_t i = 0; i < text.length; i++) {
        if (!text_check_feed(&check, (struct slice){ text.data + i, 1 })) {
            *bad_out = i ? i : 1;
            return 0;
        }
        if (text_check_ended(&check)) return i + 1;
    }
    *bad_out = text.length;
    return 0;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

long json_hex4(struct slice text) {
    if (text.length < 4) return -1;
    long value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_value(text.data[i]);
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

// ---- reading ----

static void drop_front(struct slice *slice, size_t count) {
    slice->data += count;
    slice->length -= count;
}

static char escaped(char c) {
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c; // '"', '\\', '/', and what no standard knows
    }
}

static bool append_escape(struct slice *inside, struct half *half, struct bytes *out) {
    if (inside->length < 2) {
        drop_front(inside, inside->length);
        return json_append_unit('\\', half, out);
    }
    char kind = inside->data[1];
    if ((unsigned char)kind >= 0x80) { // the character stands for itself
        drop_front(inside, 1);
        return true;
    }
    drop_front(inside, 2);
    if (kind != 'u') return json_append_unit((unsigned char)escaped(kind), half, out);
    long unit = json_hex4(*inside);
    if (unit < 0) return json_append_unit(0xfffd, half, out);
    drop_front(inside, 4);
    return json_append_unit((unsigned long)unit, half, out);
}

// A run of whole characters as it is, or one U+FFFD.
static bool append_characters(struct slice *inside, struct half *half, struct bytes *out) {
    size_t run = 0;
    size_t bad = 0;
    while (run < inside->length && inside->data[run] != '\\') {
        struct slice rest = { inside->data + run, inside->length - run };
        size_t length = json_character(rest, &bad);
        if (length == 0) break;
        run += length;
        if (length == 1)
            run = (size_t)(find_special(inside->data + run, inside->data + inside->length) -
                           inside->data);
    }
    if (!json_end_half(half, out) || !bytes_append(out, inside->data, run)) return false;
    drop_front(inside, run);
    if (run || inside->length == 0) return true;
    drop_front(inside, bad);
    return bytes_append_slice(out, replacement);
}

bool json_unescape(struct slice inside, struct half *half, struct bytes *out) {
    if (inside.length == 0) return true;
    const char *special = find_special(inside.data, inside.data + inside.length);
    if (special == inside.data + inside.length && !half->high) // nearly always
        return bytes_append_slice(out, inside);
    while (inside.length) {
        bool good = inside.data[0] == '\\' ? append_escape(&inside, half, out)
                                           : append_characters(&inside, half, out);
        if (!good) return false;
    }
    return true;
}

// ---- writing ----

static bool append_quoted(struct bytes *out, char c) {
    static const char hex[] = "0123456789abcdef";
    char escape[] = { '\\', c, '0', '0', hex[(unsigned char)c >> 4 & 15], hex[c & 15] };
    switch (c) {
    case '"':
    case '\\':
        return bytes_append(out, escape, 2);
    case '\n':
        return bytes_append(out, "\\n", 2);
    case '\r':
        return bytes_append(out, "\\r", 2);
    case '\t':
        return bytes_append(out, "\\t", 2);
    default:
        break;
    }
    escape[1] = 'u';
    return bytes_append(out, escape, sizeof(escape));
}

static bool append_special(struct bytes *out, struct slice *text) {
    unsigned char first = (unsigned char)text->data[0];
    if (first < 0x80) {
        drop_front(text, 1);
        return append_quoted(out, (char)first);
    }
    size_t bad = 0;
    size_t length = json_character(*text, &bad);
    bool good =
        length ? bytes_append(out, text->data, length) : bytes_append_slice(out, replacement);
    drop_front(text, length ? length : bad);
    return good;
}

bool json_append_string(struct bytes *out, struct slice text) {
    if (!bytes_append(out, "\"", 1)) return false;
    while (text.length) {
        const char *special = find_special(text.data, text.data + text.length);
        size_t run = (size_t)(special - text.data);
        if (!bytes_append(out, text.data, run)) return false;
        drop_front(&text, run);
        if (text.length && !append_special(out, &text)) return false;
    }
    return bytes_append(out, "\"", 1);
}
