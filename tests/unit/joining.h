/*
 * joining: a seam fed with a text in any cuts, over a delivered text that is read in pieces.
 */
#ifndef ASKFS_TESTS_UNIT_JOINING_H
#define ASKFS_TESTS_UNIT_JOINING_H

#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "core/stream/seam.h"

enum { JOINING_BYTES_MAX = 16 << 20 };

struct joining {
    struct seam seam;
    struct slice delivered;
    size_t piece_max; /* the store gives no more at once */
    bool unreadable;
    char *piece;
    struct bytes out; /* what joined */
    size_t held_max;  /* the most that was held back */
};

/* Gone with the next call, so that a sanitizer sees who keeps it. */
static inline struct slice joining_read(void *owner, size_t offset, size_t size) {
    struct joining *joining = owner;
    if (joining->unreadable || offset > joining->delivered.length) return (struct slice){ 0 };
    if (size > joining->delivered.length - offset) size = joining->delivered.length - offset;
    if (size > joining->piece_max) size = joining->piece_max;
    free(joining->piece);
    joining->piece = malloc(size + 1);
    memcpy(joining->piece, joining->delivered.data + offset, size);
    return (struct slice){ joining->piece, size };
}

static inline void joining_begin(struct joining *joining, enum seam_kind kind,
                                 struct slice delivered, bool was_trimmed) {
    *joining = (struct joining){ .delivered = delivered, .piece_max = 100 };
    struct seam_text text = { delivered.length, joining_read, joining };
    bytes_init(&joining->out, JOINING_BYTES_MAX);
    seam_init(&joining->seam, kind, &text, was_trimmed);
}

static inline void joining_feed(struct joining *joining, struct slice text) {
    if (joining->seam.status == SEAM_REFUSED) return;
    char *copy = malloc(text.length + 1);
    if (text.length) memcpy(copy, text.data, text.length);
    seam_feed(&joining->seam, (struct slice){ copy, text.length }, &joining->out);
    free(copy);
    if (joining->seam.held.length > joining->held_max)
        joining->held_max = joining->seam.held.length;
}

/* In pieces of step bytes; 0: at random. */
static inline void joining_feed_all(struct joining *joining, struct slice text, size_t step,
                                    struct random *random) {
    while (text.length) {
        size_t length = step ? step : (size_t)random_between(random, 0, 300);
        if (length > text.length) length = text.length;
        joining_feed(joining, (struct slice){ text.data, length });
        text.data += length;
        text.length -= length;
    }
}

static inline void joining_finish(struct joining *joining) {
    seam_finish(&joining->seam);
    bytes_finish(&joining->out);
    free(joining->piece);
}

#endif
