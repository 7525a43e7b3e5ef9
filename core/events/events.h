/*
 * events: the newest lines of what happened, as one text that grows at its end: a JSON object a
 * line (event.h writes them). Lines are forgotten from the front, whole, when there are too many or
 * they are too long together; the offset of a byte never changes.
 *
 *      forgotten       kept
 *   0 ──────────> start ──────────────> end      the text, by offsets
 *
 * Pure. Memory is bounded by the maxima given at the start. NULL is a journal that keeps no line.
 */
#ifndef ASKFS_CORE_EVENTS_EVENTS_H
#define ASKFS_CORE_EVENTS_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"

enum { EVENTS_LINES_KEPT = 10000, EVENTS_BYTES_KEPT = 8 << 20 }; /* of each file of the mount */

struct events;

/* NULL: no memory. */
struct events *events_create(size_t lines_max, size_t bytes_max);
void events_destroy(struct events *events); /* nobody watches; accepts NULL */

/* Adds a line, which ends in the only newline that it has. Without memory it is lost and counted,
 * and the next line that is kept stands behind one that tells how many were: {"at", "event":
 * "events_lost", "count"}. */
void events_append(struct events *events, int64_t wall_ns, struct slice line);

uint64_t events_start(const struct events *events); /* of the oldest line kept */
uint64_t events_end(const struct events *events);
/* Up to size bytes from offset, start <= offset <= end. Borrowed until the next append. */
struct slice events_read(const struct events *events, uint64_t offset, size_t size);
/* What is left of the line that offset is in, its newline included; empty at its beginning. */
struct slice events_rest_of_line(const struct events *events, uint64_t offset);

/* When the newest line was added; 0: never. */
int64_t events_changed_wall_ns(const struct events *events);

/* Hears that there is more. Embedded in its owner. changed is called from events_flush, so once a
 * turn however much was added; it may read, watch and unwatch. */
struct events_watcher {
    struct events_watcher *next, *previous;
    void (*changed)(void *owner);
    void *owner;
};
void events_watch(struct events *events, struct events_watcher *watcher);
void events_unwatch(struct events *events, struct events_watcher *watcher);

/* Tells the watchers when something was added since the last call; whoever drives the loop calls it
 * once a turn. */
void events_flush(struct events *events);

#endif
