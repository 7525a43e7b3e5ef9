/*
 * fake_spill: a spill in memory that counts, and fails when it is told to.
 */
#ifndef ASKFS_TESTS_UNIT_FAKE_SPILL_H
#define ASKFS_TESTS_UNIT_FAKE_SPILL_H

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/spill.h"

enum { FAKE_BLOCKS_MAX = 4096 };

struct fake_spill {
    struct spill spill; /* first */
    char *blocks[FAKE_BLOCKS_MAX];
    size_t count; /* in use */
    size_t count_max;
    size_t writes;
    size_t tries;    /* allocations and writes, those that failed too */
    int write_error; /* of every write from now on; 0: none */
    int read_error;
};

static inline int fake_allocate(struct spill *spill, uint32_t *block_out) {
    struct fake_spill *fake = (struct fake_spill *)spill;
    fake->tries++;
    if (fake->count >= fake->count_max) return ENOSPC;
    uint32_t block = 0;
    while (fake->blocks[block])
        block++;
    fake->blocks[block] = malloc(SPILL_BLOCK_BYTES);
    memset(fake->blocks[block], '?', SPILL_BLOCK_BYTES);
    fake->count++;
    *block_out = block;
    return 0;
}

static inline void fake_release(struct spill *spill, const uint32_t *blocks, size_t count) {
    struct fake_spill *fake = (struct fake_spill *)spill;
    for (size_t i = 0; i < count; i++) {
        assert(fake->blocks[blocks[i]]);
        free(fake->blocks[blocks[i]]);
        fake->blocks[blocks[i]] = NULL;
    }
    fake->count -= count;
}

static inline int fake_write(struct spill *spill, uint32_t block, size_t offset,
                             struct slice slice) {
    struct fake_spill *fake = (struct fake_spill *)spill;
    assert(fake->blocks[block]);
    assert(offset + slice.length <= SPILL_BLOCK_BYTES);
    fake->tries++;
    if (fake->write_error) return fake->write_error;
    fake->writes++;
    memcpy(fake->blocks[block] + offset, slice.data, slice.length);
    return 0;
}

static inline int fake_read(struct spill *spill, uint32_t block, size_t offset, char *into,
                            size_t length) {
    struct fake_spill *fake = (struct fake_spill *)spill;
    assert(fake->blocks[block]);
    assert(offset + length <= SPILL_BLOCK_BYTES);
    if (fake->read_error) return fake->read_error;
    memcpy(into, fake->blocks[block] + offset, length);
    return 0;
}

static inline void fake_spill_init(struct fake_spill *fake) {
    *fake = (struct fake_spill){
        .spill = { fake_allocate, fake_release, fake_write, fake_read },
        .count_max = FAKE_BLOCKS_MAX,
    };
}

#endif
