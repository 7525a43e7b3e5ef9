/*
 * spill: where text goes that memory has no room for: numbered blocks of one size. An interface:
 * core/io/spill_file.c keeps them in a file that has no name, tests keep them in memory.
 *
 * Each function that may fail answers 0 or an errno: ENOSPC when the disk or the limit is full, EIO
 * and others when the disk is broken. All are called from the loop and may take as long as a write
 * into the page cache.
 */
#ifndef ASKFS_CORE_STORE_SPILL_H
#define ASKFS_CORE_STORE_SPILL_H

#include <stdint.h>

#include "core/base/bytes.h"

enum { SPILL_BLOCK_BYTES = 64 << 10 };

struct spill {
    /* A block of its own for the caller; what it holds is not defined. */
    int (*allocate)(struct spill *spill, uint32_t *block_out);
    /* Gives blocks back, in any order. */
    void (*release)(struct spill *spill, const uint32_t *blocks, size_t count);
    /* All of the slice, within the block. After a failure that part of the block is not defined. */
    int (*write)(struct spill *spill, uint32_t block, size_t offset, struct slice slice);
    /* Exactly length bytes that were written before, within the block. */
    int (*read)(struct spill *spill, uint32_t block, size_t offset, char *into, size_t length);
};

#endif
