/*
 * window: a growing text that forgets its beginning (core/events/events.h), as somebody who has it
 * open reads it: an ordinary file, of which nothing is repeated and no line is torn. Pure.
 *
 * An offset of the file is an offset of the text behind a base, which is the same for all who have
 * the file open, for they all see one size. It moves when nobody has. So what is forgotten
 * meanwhile leaves a gap at the front:
 *
 *   file offset 0        gap                              size
 *               |─────────────────|════════════════════════|
 *   text       base             start                     end
 *
 * Who reads on from where he stopped, or from the beginning, and finds himself in the gap goes on
 * at start: his offsets are shifted from then on, and he meets the end that much before size. Who
 * seeks to the end by size, as tail does, finds it unshifted. Who seeks into the gap finds empty
 * lines.
 */
#ifndef ASKFS_FS_WINDOW_H
#define ASKFS_FS_WINDOW_H

#include "core/events/event.h"
#include "core/events/events.h"

struct window {
    const struct events *events; /* borrowed */
    uint64_t base;
    uint64_t shift;
    uint64_t next; /* file offset behind the last read */
    bool has_read;
    bool has_met_end; /* the last read was told so */
    size_t rest_length;
    char rest[EVENT_LINE_MAX]; /* of the line that the last read ended in: it may be forgotten */
};

/* base: that of the others who have it open, or the text's start. */
void window_init(struct window *window, const struct events *events, uint64_t base);

/* What a read gets; empty at the end. Borrowed until the text or scratch changes; scratch is used
 * for what is not in the text. False: no memory for it. */
bool window_read(struct window *window, uint64_t offset, size_t size, struct bytes *scratch,
                 struct slice *slice_out);

/* Has whoever reads on something to learn: more text, or that this is the end? */
bool window_has_news(const struct window *window);

/* The size of the file for all with that base. */
uint64_t window_size(const struct events *events, uint64_t base);

#endif
