#include "fs/window.h"

#include <assert.h>
#include <string.h>

void window_init(struct window *window, const struct events *events, uint64_t base) {
    assert(base <= events_start(events));
    *window = (struct window){ .events = events, .base = base };
}

uint64_t window_size(const struct events *events, uint64_t base) {
    return events_end(events) - base;
}

static uint64_t place_of(const struct window *window, uint64_t offset) {
    return window->base + window->shift + offset;
}

static bool is_forgotten(const struct window *window, uint64_t offset) {
    return place_of(window, offset) < events_start(window->events);
}

static void choose_shift(struct window *window, uint64_t offset) {
    uint64_t start = events_start(window->events);
    bool begins = !window->has_read || offset == 0;
    if (begins && is_forgotten(window, offset))
        window->shift = start - window->base;
    else if (offset == window->next && is_forgotten(window, offset))
        window->shift += start - place_of(window, offset);
    // A jump past the own end was measured by the size: it means the text without a shift.
    else if (offset != window->next && place_of(window, offset) > events_end(window->events))
        window->shift = 0;
}

static void note(struct window *window, uint64_t offset, size_t length) {
    window->has_read = true;
    window->next = offset + length;
    window->has_met_end = length == 0;
}

static void keep_rest(struct window *window) {
    uint64_t place = place_of(window, window->next);
    struct slice rest = { 0 };
    if (place > events_start(window->events) && place < events_end(window->events))
        rest = events_rest_of_line(window->events, place);
    if (rest.length) memcpy(window->rest, rest.data, rest.length);
    window->rest_length = rest.length;
}

// The line that the last read ended in was forgotten meanwhile; its rest was not.
static bool read_rest(struct window *window, uint64_t offset, size_t size, struct bytes *scratch,
                      struct slice *slice_out) {
    size_t length = window->rest_length < size ? window->rest_length : size;
    bytes_clear(scratch);
    if (!bytes_append(scratch, window->rest, length)) return false;
    window->rest_length -= length;
    memmove(window->rest, window->rest + length, window->rest_length);
    note(window, offset, length);
    *slice_out = bytes_slice(scratch);
    return true;
}

static bool read_gap(struct window *window, uint64_t offset, size_t size, struct bytes *scratch,
                     struct slice *slice_out) {
    uint64_t start = events_start(window->events);
    uint64_t left = start - place_of(window, offset);
    size_t empty = left < size ? (size_t)left : size;
    bytes_clear(scratch);
    if (!bytes_reserve(scratch, size)) return false;
    memset(scratch->data, '\n', empty);
    scratch->length = empty;
    bytes_append_slice(scratch, events_read(window->events, start, size - empty));
    note(window, offset, scratch->length);
    keep_rest(window);
    *slice_out = bytes_slice(scratch);
    return true;
}

static void read_text(struct window *window, uint64_t offset, size_t size,
                      struct slice *slice_out) {
    uint64_t place = place_of(window, offset);
    struct slice slice = { 0 };
    if (place < events_end(window->events)) slice = events_read(window->events, place, size);
    note(window, offset, slice.length);
    keep_rest(window);
    *slice_out = slice;
}

bool window_read(struct window *window, uint64_t offset, size_t size, struct bytes *scratch,
                 struct slice *slice_out) {
    bool reads_on = window->has_read && offset == window->next;
    if (reads_on && window->rest_length && is_forgotten(window, offset))
        return read_rest(window, offset, size, scratch, slice_out);
    choose_shift(window, offset);
    if (is_forgotten(window, offset)) return read_gap(window, offset, size, scratch, slice_out);
    read_text(window, offset, size, slice_out);
    return true;
}

bool window_has_news(const struct window *window) {
    return !window->has_met_end || place_of(window, window->next) < events_end(window->events);
}
