/*
 * overlap: where a text may be cut and joined, and what only looks like a repetition. Pure.
 */
#ifndef ASKFS_CORE_STREAM_OVERLAP_H
#define ASKFS_CORE_STREAM_OVERLAP_H

#include "core/base/bytes.h"

enum { OVERLAP_SURE_BYTES = 32 }; /* so much is not repeated by chance */

/* No word goes across text[at]; a character beyond ASCII is a word of its own. at <= length. */
bool overlap_is_boundary(struct slice text, size_t at);

/* The last length bytes of text continue a pattern that text already ends with ("ha ha ha "), so
 * that seeing them once more proves nothing. 0 < length <= text.length. */
bool overlap_is_pattern(struct slice text, size_t length);

/* Bytes at the front that are the same; at the end. */
size_t overlap_front(struct slice a, struct slice b);
size_t overlap_back(struct slice a, struct slice b);
/* White space at the end. */
size_t overlap_blank_bytes(struct slice text);

/* A model's own words before it goes on ("Sure, continuing from there:"). */
enum preamble {
    PREAMBLE_NO,    /* text of the answer */
    PREAMBLE_MAYBE, /* could be either */
    PREAMBLE_YES
};

/* text begins in a way that no preamble does: with a blank, a digit, punctuation. */
bool preamble_is_ruled_out(struct slice text);

/* said: a model's words, of which the last repeated bytes are words of the delivered text once more
 * and those before them are not empty. Blanks and marks between them may belong to either. */
enum preamble preamble_judge(struct slice said, size_t repeated);

#endif
