/*
 * cuts: where a fuzzed input is cut, drawn from the input itself so that a finding repeats.
 */
#ifndef ASKFS_TESTS_FUZZ_CUTS_H
#define ASKFS_TESTS_FUZZ_CUTS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/random.h"

struct cuts {
    struct slice rest;
    struct random random;
    int64_t piece_max;
    char *piece;
};

static inline void cuts_begin(struct cuts *cuts, const uint8_t *data, size_t size) {
    *cuts = (struct cuts){ .rest = { (const char *)data, size } };
    for (size_t i = 0; i < size; i++)
        cuts->random.state = cuts->random.state * 31 + data[i];
    cuts->piece_max = random_between(&cuts->random, 1, 40);
    if (random_between(&cuts->random, 0, 3) == 0) cuts->piece_max = 1;
}

/* The next piece, in memory of its own that goes with the following one. False: none is left. */
static inline bool cuts_next(struct cuts *cuts, struct slice *piece_out) {
    free(cuts->piece);
    cuts->piece = NULL;
    if (cuts->rest.length == 0) return false;
    size_t length = (size_t)random_between(&cuts->random, 1, cuts->piece_max);
    if (length > cuts->rest.length) length = cuts->rest.length;
    cuts->piece = malloc(length);
    if (!cuts->piece) abort();
    memcpy(cuts->piece, cuts->rest.data, length);
    *piece_out = (struct slice){ cuts->piece, length };
    cuts->rest.data += length;
    cuts->rest.length -= length;
    return true;
}

#endif
