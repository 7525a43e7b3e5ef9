#include "core/base/text.h"

#include <string.h>

// The ranges of the second byte follow table 3-7 of the Unicode standard.
static bool start_character(struct text_check *check, unsigned char byte) {
    check->low = 0x80;
    check->high = 0xbf;
    if (byte >= 0x01 && byte <= 0x7f) {
        check->needed = 0;
    } else if (byte >= 0xc2 && byte <= 0xdf) {
        check->needed = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        check->needed = 2;
        if (byte == 0xe0) check->low = 0xa0;
        if (byte == 0xed) check->high = 0x9f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        check->needed = 3;
        if (byte == 0xf0) check->low = 0x90;
        if (byte == 0xf4) check->high = 0x8f;
    } else {
        return false;
    }
    return true;
}

bool text_check_feed(struct text_check *check, struct slice slice) {
    for (size_t i = 0; i < slice.length; i++) {
        unsigned char byte = (unsigned char)slice.data[i];
        if (check->needed == 0) {
            if (!start_character(check, byte)) return false;
            continue;
        }
        if (byte < check->low || byte > check->high) return false;
        check->needed--;
        check->low = 0x80;
        check->high = 0xbf;
    }
    return true;
}

bool text_check_ended(const struct text_check *check) {
    return check->needed == 0;
}

bool text_is_valid(struct slice slice) {
    struct text_check check = { 0 };
    return text_check_feed(&check, slice) && text_check_ended(&check);
}

bool text_append_character(struct bytes *out, unsigned long character) {
    char utf8[4];
    if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff)) character = 0xfffd;
    if (character < 0x80) {
        utf8[0] = (char)character;
        return bytes_append(out, utf8, 1);
    }
    if (character < 0x800) {
        utf8[0] = (char)(0xc0 | character >> 6);
        utf8[1] = (char)(0x80 | (character & 0x3f));
        return bytes_append(out, utf8, 2);
    }
    if (character < 0x10000) {
        utf8[0] = (char)(0xe0 | character >> 12);
        utf8[1] = (char)(0x80 | (character >> 6 & 0x3f));
        utf8[2] = (char)(0x80 | (character & 0x3f));
        return bytes_append(out, utf8, 3);
    }
    utf8[0] = (char)(0xf0 | character >> 18);
    utf8[1] = (char)(0x80 | (character >> 12 & 0x3f));
    utf8[2] = (char)(0x80 | (character >> 6 & 0x3f));
    utf8[3] = (char)(0x80 | (character & 0x3f));
    return bytes_append(out, utf8, 4);
}

// Length of the character at the front, 0 when it is not well-formed.
static size_t character_length(struct slice slice) {
    struct text_check check = { 0 };
    for (size_t i = 0; i < slice.length && i < 4; i++) {
        if (!text_check_feed(&check, (struct slice){ slice.data + i, 1 })) return 0;
        if (text_check_ended(&check)) return i + 1;
    }
    return 0;
}

// C0, DEL and C1 (U+0080 to U+009F): what a terminal might obey.
static bool is_control(struct slice character) {
    unsigned char first = (unsigned char)character.data[0];
    if (first < 0x20 || first == 0x7f) return true;
    return first == 0xc2 && (unsigned char)character.data[1] < 0xa0;
}

void text_printable(char *out, size_t size, struct slice slice) {
    size_t length = 0;
    while (slice.length) {
        size_t step = character_length(slice);
        struct slice shown = { slice.data, step };
        bool space = slice.data[0] == '\n' || slice.data[0] == '\r' || slice.data[0] == '\t';
        if (space)
            shown = slice_of(" ");
        else if (step == 0 || is_control(shown))
            shown = slice_of("?");
        if (length + shown.length + 1 > size) break;
        memcpy(out + length, shown.data, shown.length);
        length += shown.length;
        if (step == 0) step = 1;
        slice.data += step;
        slice.length -= step;
    }
    if (size) out[length] = '\0';
}

struct slice text_without_newline(struct slice slice) {
    if (slice.length && slice.data[slice.length - 1] == '\n') slice.length--;
    if (slice.length && slice.data[slice.length - 1] == '\r') slice.length--;
    return slice;
}
