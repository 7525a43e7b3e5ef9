#include "mount/sim/out.h"

#include <stdarg.h>

enum { CLEARED_BYTES_MAX = 1 << 20 }; // memory that is kept for the next time

void out_init(struct out *out, size_t length_max) {
    bytes_init(&out->bytes, length_max);
    out->good = true;
}

void out_finish(struct out *out) {
    bytes_finish(&out->bytes);
}

void out_clear(struct out *out) {
    if (out->bytes.capacity > CLEARED_BYTES_MAX) bytes_finish(&out->bytes);
    bytes_clear(&out->bytes);
    out->good = true;
}

void out_grow_by(struct out *out, struct slice slice) {
    out->good = out->good && bytes_append_slice(&out->bytes, slice);
}

void out_printf(struct out *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    out->good = out->good && bytes_vprintf(&out->bytes, format, arguments);
    va_end(arguments);
}

void out_number(struct out *out, int64_t number) {
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) digits[--at] = '-';
    out_slice(out, (struct slice){ digits + at, sizeof(digits) - at });
}

static bool is_plain(char c) {
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static void append_escaped(struct out *out, char c) {
    static const char letters[] = "btn?fr"; // 8 to 13
    bool short_one = c >= 8 && c <= 13 && c != 11;
    if (c == '"' || c == '\\')
        out_printf(out, "\\%c", c);
    else if (short_one)
        out_printf(out, "\\%c", letters[c - 8]);
    else
        out_printf(out, "\\u%04x", (unsigned char)c);
}

void out_inside(struct out *out, struct slice text) {
    for (size_t i = 0; i < text.length;) {
        size_t run = i;
        while (run < text.length && is_plain(text.data[run]))
            run++;
        out_slice(out, (struct slice){ text.data + i, run - i });
        if (run < text.length) append_escaped(out, text.data[run++]);
        i = run;
    }
}

void out_string(struct out *out, struct slice text) {
    out_text(out, "\"");
    out_inside(out, text);
    out_text(out, "\"");
}
