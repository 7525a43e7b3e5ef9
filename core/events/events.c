#include "core/events/events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/events/event.h"

struct events {
    struct bytes text; // from text.data + forgotten on it is kept
    size_t forgotten;  // bytes at the front that are to be given back
    uint64_t start;    // the offset of what is at text.data + forgotten
    size_t lines;
    size_t lines_max;
    size_t bytes_max;
    uint64_t lost; // and not yet told
    int64_t changed_wall_ns;
    bool has_news;
    struct events_watcher *watchers;
    struct events_watcher *telling; // the next one to be told
};

// Bytes that may lie forgotten at the front: the rest is moved rarely, and memory stays bounded.
static size_t forgotten_max(const struct events *events) {
    return events->bytes_max / 4;
}

struct events *events_create(size_t lines_max, size_t bytes_max) {
    assert(lines_max > 1);
    assert(bytes_max >= 4 * EVENT_LINE_MAX);
    struct events *events = calloc(1, sizeof(*events));
    if (!events) return NULL;
    events->lines_max = lines_max;
    events->bytes_max = bytes_max;
    bytes_init(&events->text, bytes_max + forgotten_max(events) + 2 * EVENT_LINE_MAX);
    return events;
}

void events_destroy(struct events *events) {
    if (!events) return;
    assert(!events->watchers);
    bytes_finish(&events->text);
    free(events);
}

// ---- lines in, lines out ----

static struct slice kept(const struct events *events) {
    if (!events || !events->text.data) return (struct slice){ 0 };
    return (struct slice){ events->text.data + events->forgotten,
                           events->text.length - events->forgotten };
}

static size_t line_length(struct slice text) {
    const char *newline = memchr(text.data, '\n', text.length);
    assert(newline);
    return (size_t)(newline - text.data) + 1;
}

static void forget_line(struct events *events) {
    size_t length = line_length(kept(events));
    events->forgotten += length;
    events->start += length;
    events->lines--;
}

static void make_room(struct events *events, size_t length) {
    while (events->lines >= events->lines_max || kept(events).length + length > events->bytes_max)
        forget_line(events);
    if (events->forgotten <= forgotten_max(events)) return;
    bytes_remove_front(&events->text, events->forgotten);
    events->forgotten = 0;
}

// Memory for the line is reserved.
static void add(struct events *events, struct slice line) {
    make_room(events, line.length);
    bytes_append_slice(&events->text, line);
    events->lines++;
    events->has_news = true;
}

static void tell_loss(struct events *events, int64_t wall_ns) {
    if (events->lost == 0) return;
    struct event event;
    event_begin(&event, events, wall_ns, "events_lost");
    event_count(&event, "count", (int64_t)events->lost);
    events->lost = 0;
    add(events, event_close(&event));
}

void events_append(struct events *events, int64_t wall_ns, struct slice line) {
    if (!events) return;
    assert(line.length > 0);
    assert(line.length <= EVENT_LINE_MAX);
    assert(line.data[line.length - 1] == '\n');
    // Before anything is forgotten for it; and for the line about what was lost.
    if (!bytes_reserve(&events->text, 2 * EVENT_LINE_MAX)) {
        events->lost++;
        return;
    }
    tell_loss(events, wall_ns);
    add(events, line);
    events->changed_wall_ns = wall_ns;
}

// ---- reading ----

uint64_t events_start(const struct events *events) {
    return events ? events->start : 0;
}

uint64_t events_end(const struct events *events) {
    return events_start(events) + kept(events).length;
}

struct slice events_read(const struct events *events, uint64_t offset, size_t size) {
    struct slice text = kept(events);
    assert(offset >= events_start(events));
    assert(offset <= events_end(events));
    size_t skipped = (size_t)(offset - events_start(events));
    size_t left = text.length - skipped;
    if (left == 0) return (struct slice){ 0 };
    return (struct slice){ text.data + skipped, left < size ? left : size };
}

struct slice events_rest_of_line(const struct events *events, uint64_t offset) {
    struct slice rest = events_read(events, offset, EVENT_LINE_MAX);
    if (offset == events_start(events) || rest.length == 0 || rest.data[-1] == '\n')
        return (struct slice){ 0 };
    return (struct slice){ rest.data, line_length(rest) };
}

int64_t events_changed_wall_ns(const struct events *events) {
    return events ? events->changed_wall_ns : 0;
}

// ---- watchers ----

void events_watch(struct events *events, struct events_watcher *watcher) {
    if (!events) return;
    watcher->previous = NULL;
    watcher->next = events->watchers;
    if (events->watchers) events->watchers->previous = watcher;
    events->watchers = watcher;
}

void events_unwatch(struct events *events, struct events_watcher *watcher) {
    if (!events) return;
    if (events->telling == watcher) events->telling = watcher->next;
    if (watcher->previous)
        watcher->previous->next = watcher->next;
    else
        events->watchers = watcher->next;
    if (watcher->next) watcher->next->previous = watcher->previous;
    watcher->next = watcher->previous = NULL;
}

void events_flush(struct events *events) {
    if (!events || !events->has_news) return;
    events->has_news = false;
    // A watcher may go, and take others with it, while it is told: telling is the next one alive.
    events->telling = events->watchers;
    while (events->telling) {
        struct events_watcher *watcher = events->telling;
        events->telling = watcher->next;
        watcher->changed(watcher->owner);
    }
}
