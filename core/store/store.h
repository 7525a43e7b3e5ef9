/*
 * store: the text of one answer, growing at its end, read anywhere, bounded.
 *
 *     offset 0 ................................ store_length
 *     [ blocks of the spill ][ memory: the newest text ]
 *
 * A small answer is memory that grows with it and nothing else. Past memory_max its whole blocks go
 * to the spill; when all stores together pass the pool's limit, see store_pool.h.
 */
#ifndef ASKFS_CORE_STORE_STORE_H
#define ASKFS_CORE_STORE_STORE_H

#include "core/store/store_pool.h"

struct store_blocks;

struct store {
    struct store_pool *pool;
    size_t length_max;
    size_t memory_max;
    char *data; /* the newest text */
    size_t length, capacity;
    struct store_blocks *blocks;   /* the text before it; NULL: none */
    struct store *previous, *next; /* in the pool's line; NULL: first, last or not in it */
};

/* Borrows the pool. memory_max is raised to SPILL_BLOCK_BYTES when it is less. */
void store_init(struct store *store, struct store_pool *pool, size_t length_max, size_t memory_max);
void store_finish(struct store *store); /* accepts zeroed storage */

/* False: length_max or the pool's hard limit would be passed, or there is no memory; nothing was
 * appended. A disk that is full is not a reason. */
bool store_append(struct store *store, struct slice slice);
size_t store_length(const struct store *store);

/* Up to size bytes from offset; borrowed until the next call with any store of the pool. Fewer than
 * size only at the end, or where size is more than STORE_READ_MAX. Empty at the end; empty before
 * it when the text could not be read back (the disk failed, or no memory): EIO for who reads. */
struct slice store_read(const struct store *store, size_t offset, size_t size);
/* All of it, NUL-ended, for the caller to free; the NUL is not counted. NULL: no memory, or it
 * could not be read back. */
char *store_copy(const struct store *store, size_t *length_out);

/* Forgets the text from length on, which is at most store_length; only what no reader was given. */
void store_truncate(struct store *store, size_t length);
/* Forgets all of it; keeps the memory. */
void store_clear(struct store *store);
/* Nothing more will come: gives back what was reserved for growth, and is the first to be sent out
 * when memory is short. */
void store_shrink(struct store *store);

/* For store_pool.c: all of the memory to the spill. False: it, or a part of it, had to stay. */
bool store_send_out(struct store *store);

#endif
