/*
 * store_pool: the memory that all stores share, and what of it goes to the spill when it is used
 * up.
 *
 *     first, goes out next                                                          last
 *     [ finished, in the order of their ends ][ growing, by who waits longest for its turn ]
 *
 * Only stores with STORE_SPILLED_MIN bytes or more are in that line: to write less costs more than
 * it gives back. So every answer may always have that much, and what all of them hold is at most
 * memory_max, and STORE_SPILLED_MIN for each answer.
 *
 * When nothing can be spilled (the disk is full or broken) nothing is lost: memory is used beyond
 * its limits, up to STORE_HARD_LIMIT times memory_max, and store_pool_error says why. The disk is
 * tried again each time that STORE_PATIENCE_BYTES more have come.
 */
#ifndef ASKFS_CORE_STORE_STORE_POOL_H
#define ASKFS_CORE_STORE_STORE_POOL_H

#include "core/store/spill.h"

enum {
    STORE_SPILLED_MIN = 4 << 10,
    STORE_HARD_LIMIT = 4,
    STORE_PATIENCE_BYTES = 1 << 20,
    STORE_READ_MAX = 1 << 20, /* the most that one store_read brings back from the spill */
    STORE_MEMORY_DEFAULT = 256 << 20
};

struct store;

struct store_pool {
    struct spill *spill; /* borrowed; NULL: none */
    size_t memory_max;
    size_t memory;               /* held by stores: text, room to grow, numbers of blocks */
    struct store *first, *last;  /* the line above */
    struct store *finished_last; /* the last finished one in it; NULL: none */
    uint64_t spilled;            /* bytes of text that are in the spill */
    uint64_t failures;           /* of writing or reading it */
    int error;                   /* errno of the newest try to write; 0: it worked */
    size_t patience;             /* bytes to come before the next try */
    char *scratch;               /* what was read back; not counted in memory */
    size_t scratch_size;
};

/* memory_max 0: STORE_MEMORY_DEFAULT. */
void store_pool_init(struct store_pool *pool, struct spill *spill, size_t memory_max);
void store_pool_finish(struct store_pool *pool); /* after its stores; accepts zeroed storage */

/* For status and metrics. */
size_t store_pool_memory(const struct store_pool *pool);
uint64_t store_pool_spilled(const struct store_pool *pool);
uint64_t store_pool_failures(const struct store_pool *pool);
/* Why text is kept in memory that should be in the spill, as an errno; 0: it is not. */
int store_pool_error(const struct store_pool *pool);

/* For store.c. */

/* Sends others out until more bytes fit into memory_max, or as much as can be. It may send out the
 * store that asks. False: the hard limit is reached. */
bool store_pool_reserve(struct store_pool *pool, size_t more);
/* Whether the spill is to be tried now that more bytes are to come. */
bool store_pool_may_spill(struct store_pool *pool, size_t more);
void store_pool_note_spill(struct store_pool *pool, int error); /* how the try ended */
/* The store's memory has changed. */
void store_pool_count(struct store_pool *pool, struct store *store, size_t before, size_t after);
void store_pool_note_finished(struct store_pool *pool, struct store *store);
/* Memory for size bytes, the same at each call. NULL: none. */
char *store_pool_scratch(struct store_pool *pool, size_t size);

#endif
