#include "core/store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64, NUMBERS_MIN = 4 };

/* What a store has in the spill. Its last block is filled as far as length says. */
struct store_blocks {
    size_t length;   /* bytes of text */
    size_t capacity; /* of numbers */
    uint32_t numbers[];
};

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t blocks_for(size_t length) {
    return (length + SPILL_BLOCK_BYTES - 1) / SPILL_BLOCK_BYTES;
}

static size_t spilled_length(const struct store *store) {
    return store->blocks ? store->blocks->length : 0;
}

void store_init(struct store *store, struct store_pool *pool, size_t length_max,
                size_t memory_max) {
    *store = (struct store){ .pool = pool,
                             .length_max = length_max,
                             .memory_max = larger(memory_max, SPILL_BLOCK_BYTES) };
}

size_t store_length(const struct store *store) {
    return spilled_length(store) + store->length;
}

// ---- memory ----

static bool resize(struct store *store, size_t capacity) {
    size_t before = store->capacity;
    assert(capacity >= store->length);
    if (capacity == before) return true;
    char *data = NULL;
    if (capacity == 0)
        free(store->data);
    else if (!(data = realloc(store->data, capacity)))
        return false;
    store->data = data;
    store->capacity = capacity;
    store_pool_count(store->pool, store, before, capacity);
    return true;
}

static size_t bytes_of_blocks(size_t capacity) {
    return sizeof(struct store_blocks) + capacity * sizeof(uint32_t);
}

// Room for the number of the next block.
static bool reserve_number(struct store *store) {
    struct store_blocks *blocks = store->blocks;
    if (blocks && blocks_for(blocks->length) < blocks->capacity) return true;
    size_t capacity = blocks ? 2 * blocks->capacity : NUMBERS_MIN;
    size_t before = blocks ? bytes_of_blocks(blocks->capacity) : 0;
    blocks = realloc(blocks, bytes_of_blocks(capacity));
    if (!blocks) return false;
    if (!before) blocks->length = 0;
    blocks->capacity = capacity;
    store->blocks = blocks;
    store_pool_count(store->pool, store, before, bytes_of_blocks(capacity));
    return true;
}

// ---- to the spill ----

// The piece ends within the block in which the spilled text ends.
static int write_piece(struct store *store, struct slice piece) {
    struct store_pool *pool = store->pool;
    size_t at = spilled_length(store) % SPILL_BLOCK_BYTES;
    if (at == 0 && !reserve_number(store)) return ENOMEM;
    uint32_t *number = &store->blocks->numbers[spilled_length(store) / SPILL_BLOCK_BYTES];
    int error = at == 0 ? pool->spill->allocate(pool->spill, number) : 0;
    if (error) return error;
    error = pool->spill->write(pool->spill, *number, at, piece);
    if (error) {
        if (at == 0) pool->spill->release(pool->spill, number, 1);
        return error;
    }
    store->blocks->length += piece.length;
    pool->spilled += piece.length;
    return 0;
}

// The first count bytes of the memory, block by block; what cannot be written stays.
static bool spill_front(struct store *store, size_t count) {
    size_t done = 0;
    int error = 0;
    while (done < count && !error) {
        size_t at = spilled_length(store) % SPILL_BLOCK_BYTES;
        size_t length = smaller(SPILL_BLOCK_BYTES - at, count - done);
        error = write_piece(store, (struct slice){ store->data + done, length });
        if (!error) done += length;
    }
    store->length -= done;
    if (done && store->length) memmove(store->data, store->data + done, store->length);
    if (count) store_pool_note_spill(store->pool, error);
    return !error;
}

bool store_send_out(struct store *store) {
    bool done = spill_front(store, store->length);
    if (store->length == 0) resize(store, 0);
    return done;
}

// What lies before the last border of blocks: so each block is written once.
static void send_blocks_out(struct store *store) {
    size_t length = store_length(store);
    spill_front(store, length - length % SPILL_BLOCK_BYTES - spilled_length(store));
    // While the disk was full it may have grown beyond.
    if (store->length < store->memory_max && store->capacity > store->memory_max)
        resize(store, store->memory_max);
}

// ---- growing ----

static size_t grown_capacity(const struct store *store, size_t more) {
    size_t capacity = larger(store->capacity + store->capacity / 2, store->length + more);
    if (store->length < store->memory_max) capacity = smaller(capacity, store->memory_max);
    return larger(capacity, CAPACITY_MIN);
}

// Room for at least one byte; for all of more where that is within the limits.
static bool make_room(struct store *store, size_t more) {
    size_t growth = grown_capacity(store, more) - store->capacity;
    if (store->length >= store->memory_max && store_pool_may_spill(store->pool, growth))
        send_blocks_out(store);
    if (store->length < store->capacity) return true;
    bool fits = store_pool_reserve(store->pool, growth); // this may send out the store itself
    if (store->length < store->capacity) return true;
    size_t capacity = grown_capacity(store, more);
    if (!fits) capacity = smaller(capacity, STORE_SPILLED_MIN);
    return capacity > store->capacity && resize(store, capacity);
}

bool store_append(struct store *store, struct slice slice) {
    size_t before = store_length(store);
    if (slice.length > store->length_max - before) return false;
    while (slice.length) {
        if (store->length == store->capacity && !make_room(store, slice.length)) {
            store_truncate(store, before);
            return false;
        }
        size_t count = smaller(slice.length, store->capacity - store->length);
        memcpy(store->data + store->length, slice.data, count);
        store->length += count;
        slice.data += count;
        slice.length -= count;
    }
    return true;
}

// ---- reading ----

static int read_spilled(const struct store *store, size_t offset, char *into, size_t size) {
    struct spill *spill = store->pool->spill;
    int error = 0;
    while (size && !error) {
        size_t at = offset % SPILL_BLOCK_BYTES;
        size_t count = smaller(SPILL_BLOCK_BYTES - at, size);
        uint32_t number = store->blocks->numbers[offset / SPILL_BLOCK_BYTES];
        error = spill->read(spill, number, at, into, count);
        offset += count;
        into += count;
        size -= count;
    }
    store->pool->failures += error != 0;
    return error;
}

// Within store_length.
static bool read_into(const struct store *store, size_t offset, char *into, size_t size) {
    size_t spilled = spilled_length(store);
    size_t far = offset < spilled ? smaller(size, spilled - offset) : 0;
    if (far && read_spilled(store, offset, into, far) != 0) return false;
    if (far < size) memcpy(into + far, store->data + (offset + far - spilled), size - far);
    return true;
}

struct slice store_read(const struct store *store, size_t offset, size_t size) {
    size_t length = store_length(store);
    size_t spilled = spilled_length(store);
    if (offset >= length) return (struct slice){ 0 };
    size = smaller(size, length - offset);
    if (offset >= spilled) return (struct slice){ store->data + (offset - spilled), size };
    size = smaller(size, STORE_READ_MAX);
    char *scratch = store_pool_scratch(store->pool, size);
    if (!scratch || !read_into(store, offset, scratch, size)) return (struct slice){ 0 };
    return (struct slice){ scratch, size };
}

char *store_copy(const struct store *store, size_t *length_out) {
    size_t length = store_length(store);
    char *copy = malloc(length + 1);
    if (!copy) return NULL;
    if (!read_into(store, 0, copy, length)) {
        free(copy);
        return NULL;
    }
    copy[length] = '\0';
    *length_out = length;
    return copy;
}

// ---- forgetting ----

static void cut_blocks(struct store *store, size_t length) {
    struct store_pool *pool = store->pool;
    struct store_blocks *blocks = store->blocks;
    size_t kept = blocks_for(length);
    size_t count = blocks_for(blocks->length) - kept;
    if (count) pool->spill->release(pool->spill, blocks->numbers + kept, count);
    pool->spilled -= blocks->length - length;
    blocks->length = length;
    if (length) return;
    store->blocks = NULL;
    store_pool_count(pool, store, bytes_of_blocks(blocks->capacity), 0);
    free(blocks);
}

void store_truncate(struct store *store, size_t length) {
    size_t spilled = spilled_length(store);
    assert(length <= store_length(store));
    store->length = length > spilled ? length - spilled : 0;
    if (store->blocks && length <= spilled) cut_blocks(store, length);
}

void store_clear(struct store *store) {
    store_truncate(store, 0);
}

void store_shrink(struct store *store) {
    resize(store, store->length); // without memory for it the larger block stays
    store_pool_note_finished(store->pool, store);
}

void store_finish(struct store *store) {
    if (!store->pool) return;
    store_clear(store);
    resize(store, 0);
    *store = (struct store){ .pool = NULL };
}
