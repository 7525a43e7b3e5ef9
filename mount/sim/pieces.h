/*
 * pieces: a text that is said piece by piece, as a model says its tokens.
 *
 *     lead | given text, cut and repeated | generated words
 *            ^ first, offset: what came before is not said
 *
 * Every piece is found by its number alone, so that millions of them need no memory, and so that
 * the same text can be said again from anywhere. Pure.
 */
#ifndef ASKFS_MOUNT_SIM_PIECES_H
#define ASKFS_MOUNT_SIM_PIECES_H

#include <stdint.h>

#include "core/base/bytes.h"

struct pieces {
    char *text;
    size_t length;
    size_t parts;   /* that the text is cut into */
    uint32_t *ends; /* of each part; NULL: all are alike long */
    size_t repeat;
    uint64_t seed;
    size_t words;      /* generated behind the text, a piece each */
    size_t word_bytes; /* 0: a word is a word; else so many bytes of words */
    size_t first;
    size_t offset; /* in the piece `first` */
    char *lead;    /* NULL: none */
};

/* How a text is cut: into so many pieces (at most one a byte), or pieces of so many bytes; both 0:
 * at its words. No cut is inside a character, so a piece smaller than one may be empty. */
struct cut {
    size_t pieces;
    size_t bytes;
};

/* Copies text. False: no memory; finish is then still allowed. */
bool pieces_init(struct pieces *pieces, struct slice text, struct cut cut);
void pieces_finish(struct pieces *pieces); /* accepts zeroed storage */

/* Only the first `parts` parts of the text, which has more. */
void pieces_shorten(struct pieces *pieces, size_t parts);
void pieces_add_words(struct pieces *pieces, uint64_t seed, size_t count, size_t word_bytes);
/* If the text begins with said, only the rest of it is still to be said. False: it does not, and
 * nothing changed. scratch as in pieces_get. */
bool pieces_skip(struct pieces *pieces, struct slice said, struct bytes *scratch);
bool pieces_lead(struct pieces *pieces, struct slice lead); /* false: no memory */

size_t pieces_count(const struct pieces *pieces);
/* Piece number index, which is below the count. Borrows from pieces, or from scratch until that is
 * used again. */
struct slice pieces_get(const struct pieces *pieces, size_t index, struct bytes *scratch);

#endif
