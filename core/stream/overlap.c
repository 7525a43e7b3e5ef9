#include "core/stream/overlap.h"

#include <ctype.h>
#include <string.h>

// ---- words ----

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static bool is_beyond_ascii(char c) {
    return (unsigned char)c >= 0x80;
}

static bool is_inside_character(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

bool overlap_is_boundary(struct slice text, size_t at) {
    if (at == 0 || at == text.length) return true;
    if (is_beyond_ascii(text.data[at])) return !is_inside_character(text.data[at]);
    return !is_word(text.data[at - 1]) || !is_word(text.data[at]);
}

// ---- repetitions ----

size_t overlap_front(struct slice a, struct slice b) {
    size_t max = a.length < b.length ? a.length : b.length;
    size_t i = 0;
    while (i < max && a.data[i] == b.data[i])
        i++;
    return i;
}

size_t overlap_back(struct slice a, struct slice b) {
    size_t max = a.length < b.length ? a.length : b.length;
    size_t i = 0;
    while (i < max && a.data[a.length - 1 - i] == b.data[b.length - 1 - i])
        i++;
    return i;
}

size_t overlap_blank_bytes(struct slice text) {
    size_t length = text.length;
    while (length && isspace((unsigned char)text.data[length - 1]))
        length--;
    return text.length - length;
}

static bool has_period(struct slice text, size_t period) {
    return memcmp(text.data, text.data + period, text.length - period) == 0;
}

bool overlap_is_pattern(struct slice text, size_t length) {
    struct slice end = { text.data + text.length - length, length };
    for (size_t period = 1; period <= length / 2; period++)
        if (length % period == 0 && has_period(end, period)) return true;
    return text.length >= 2 * length && memcmp(end.data - length, end.data, length) == 0;
}

// ---- preambles ----

static bool is_one_of(char c, const char *set) {
    return c != '\0' && strchr(set, c) != NULL;
}

bool preamble_is_ruled_out(struct slice text) {
    if (text.length == 0) return false;
    char first = text.data[0];
    return !is_beyond_ascii(first) && !isalpha((unsigned char)first) && !is_one_of(first, "([*.");
}

static const char *const announcements[] = { ":", "\xef\xbc\x9a", "...", "\xe2\x80\xa6" };
enum { ANNOUNCEMENTS = sizeof(announcements) / sizeof(*announcements) };

// Text ends in one.
static bool is_announcement(struct slice text) {
    for (size_t i = 0; i < ANNOUNCEMENTS; i++) {
        size_t length = strlen(announcements[i]);
        if (text.length < length) continue;
        if (memcmp(text.data + text.length - length, announcements[i], length) == 0) return true;
    }
    return false;
}

// Text begins with one.
static size_t announcement_bytes(struct slice text) {
    for (size_t i = 0; i < ANNOUNCEMENTS; i++)
        if (slice_starts_with(text, announcements[i])) return strlen(announcements[i]);
    return 0;
}

// Blanks, and the marks that open a quotation.
static struct slice without_opening(struct slice text, bool *line_out) {
    *line_out = false;
    while (text.length && is_one_of(text.data[text.length - 1], " \t\r\n\"'`*")) {
        *line_out |= text.data[text.length - 1] == '\n';
        text.length--;
    }
    return text;
}

// Blanks and marks at the front may belong to the preamble as well.
static size_t mark_bytes(struct slice text) {
    if (text.length == 0) return 0;
    size_t announcement = announcement_bytes(text);
    if (announcement) return announcement;
    return is_word(text.data[0]) || is_beyond_ascii(text.data[0]) ? 0 : 1;
}

// Wherever between the first bytes of said and those that are repeated for sure it may end.
static bool may_end(struct slice said, size_t repeated, bool *announces_out) {
    struct slice before = { said.data, said.length - repeated };
    bool ends_line = false;
    *announces_out = false;
    for (size_t mark = 1; mark; before.length += mark) {
        bool line;
        *announces_out |= is_announcement(without_opening(before, &line));
        ends_line |= line;
        mark =
            mark_bytes((struct slice){ before.data + before.length, said.length - before.length });
    }
    return *announces_out || ends_line;
}

enum preamble preamble_judge(struct slice said, size_t repeated) {
    bool announces;
    if (preamble_is_ruled_out(said) || !may_end(said, repeated, &announces)) return PREAMBLE_NO;
    if (said.data[0] == '.' && !slice_starts_with(said, "...")) return PREAMBLE_NO;
    // In the middle of a sentence a model goes on in lower case; its own words begin in upper case.
    bool goes_on = islower((unsigned char)said.data[0]);
    bool is_sure = repeated >= OVERLAP_SURE_BYTES;
    if (goes_on) return is_sure ? PREAMBLE_MAYBE : PREAMBLE_NO;
    return announces || is_sure ? PREAMBLE_YES : PREAMBLE_MAYBE;
}
