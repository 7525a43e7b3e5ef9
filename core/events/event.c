#include "core/events/event.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/base/time.h"
#include "core/events/events.h"

// What every line may need at its end, whatever was left out.
static const char cut_mark[] = ",\"cut\":true";
enum { END_MAX = sizeof(cut_mark) - 1 + 2 }; // with "}\n"

static size_t room(const struct event *event) {
    return EVENT_LINE_MAX - END_MAX - event->length;
}

// ---- texts ----

// Beside controls: what ends a line in some languages, and what turns the direction of writing.
static const struct {
    unsigned long first, last;
} hidden[] = {
    { 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x200b, 0x200f },
    { 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xfeff, 0xfeff },
};

static bool is_hidden(unsigned long character) {
    for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
        if (character >= hidden[i].first && character <= hidden[i].last) return true;
    return false;
}

// Takes one character from the front; a byte that begins none is U+FFFD. Returns its length.
static size_t take_character(struct slice text, unsigned long *character_out) {
    static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    struct text_check check = { 0 };
    if (text.data[0] == '\0') { // well-formed, but no text has it
        *character_out = 0;
        return 1;
    }
    for (size_t length = 1; length <= 4 && length <= text.length; length++) {
        struct slice byte = { text.data + length - 1, 1 };
        if (!text_check_feed(&check, byte)) break;
        if (!text_check_ended(&check)) continue;
        unsigned long character = (unsigned char)text.data[0] & first_bits[length];
        for (size_t i = 1; i < length; i++)
            character = character << 6 | ((unsigned char)text.data[i] & 0x3f);
        *character_out = character;
        return length;
    }
    *character_out = 0xfffd;
    return 1;
}

// As the inside of a JSON string. Every character that is hidden is below U+10000.
static size_t escape(unsigned long character, struct slice raw, char out[8]) {
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char short_names[] = "\"\\bfnrt";
    const char *found = character && character < 0x80 ? strchr(plain, (int)character) : NULL;
    if (found) {
        out[0] = '\\';
        out[1] = short_names[found - plain];
        return 2;
    }
    if (is_hidden(character)) return (size_t)snprintf(out, 8, "\\u%04lx", character);
    if (character == 0xfffd) raw = slice_of("\xef\xbf\xbd");
    memcpy(out, raw.data, raw.length);
    return raw.length;
}

static bool is_plain(char byte) {
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static void write_inside(struct event *event, struct slice text) {
    size_t written = 0;
    while (text.length) {
        char escaped[8];
        size_t taken = 1;
        size_t length = 1;
        if (is_plain(text.data[0])) {
            escaped[0] = text.data[0]; // nearly always
        } else {
            unsigned long character;
            taken = take_character(text, &character);
            length = escape(character, (struct slice){ text.data, taken }, escaped);
        }
        if (written + length > EVENT_TEXT_MAX) {
            event->is_cut = true;
            return;
        }
        memcpy(event->line + event->length, escaped, length);
        event->length += length;
        written += length;
        text.data += taken;
        text.length -= taken;
    }
}

// ---- pairs ----

// Where there is room for it.
static void put(struct event *event, const char *text) {
    size_t length = strlen(text);
    memcpy(event->line + event->length, text, length);
    event->length += length;
}

static void write(struct event *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// All of it, or nothing and the mark.
static void write(struct event *event, const char *format, ...) {
    va_list arguments;
    char *at = event->line + event->length;
    va_start(arguments, format);
    int length = vsnprintf(at, room(event), format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < room(event))
        event->length += (size_t)length;
    else
        event->is_cut = true;
}

static void write_null(struct event *event, const char *key) {
    write(event, ",\"%s\":null", key);
}

void event_begin_as(struct event *event, struct events *events, int64_t wall_ns, const char *key,
                    const char *name) {
    char at[TIME_TEXT_SIZE];
    event->events = events;
    event->wall_ns = wall_ns;
    event->length = 0;
    event->is_cut = false;
    time_text(wall_ns, at);
    assert(sizeof(at) + strlen(key) + strlen(name) + sizeof("{\"at\":\"\",\"\":\"\"") <
           room(event));
    const char *const pieces[] = { "{\"at\":\"", at, "\",\"", key, "\":\"", name, "\"" };
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++)
        put(event, pieces[i]);
}

void event_begin(struct event *event, struct events *events, int64_t wall_ns, const char *name) {
    event_begin_as(event, events, wall_ns, "event", name);
}

void event_slice(struct event *event, const char *key, struct slice value) {
    size_t worst = strlen(key) + EVENT_TEXT_MAX + sizeof(",\"\":\"\"");
    if (worst > room(event)) {
        event->is_cut = true;
        return;
    }
    put(event, ",\"");
    put(event, key);
    put(event, "\":\"");
    write_inside(event, value);
    put(event, "\"");
}

void event_text(struct event *event, const char *key, const char *value) {
    if (value)
        event_slice(event, key, slice_of(value));
    else
        write_null(event, key);
}

void event_count(struct event *event, const char *key, int64_t value) {
    if (value < 0)
        write_null(event, key);
    else
        write(event, ",\"%s\":%" PRId64, key, value);
}

void event_number(struct event *event, const char *key, double value) {
    if (isfinite(value))
        write(event, ",\"%s\":%.6g", key, value);
    else
        write_null(event, key);
}

void event_ms(struct event *event, const char *key, int64_t duration_ns) {
    if (duration_ns < 0)
        write_null(event, key);
    else
        write(event, ",\"%s\":%.1f", key, (double)duration_ns / (double)TIME_MS);
}

void event_time(struct event *event, const char *key, int64_t wall_ns) {
    char text[TIME_TEXT_SIZE];
    if (wall_ns < 0) {
        write_null(event, key);
        return;
    }
    time_text(wall_ns, text);
    write(event, ",\"%s\":\"%s\"", key, text);
}

struct slice event_close(struct event *event) {
    const char *end = event->is_cut ? cut_mark : "";
    int length = snprintf(event->line + event->length, EVENT_LINE_MAX - event->length, "%s}", end);
    event->length += (size_t)length;
    event->line[event->length++] = '\n'; // where the NUL was
    return (struct slice){ event->line, event->length };
}

void event_end(struct event *event) {
    events_append(event->events, event->wall_ns, event_close(event));
}
