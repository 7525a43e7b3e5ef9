/*
 * store_world: a pool with its disk and one store, and texts whose every byte is known. After the
 * includes of cmocka.
 */
#ifndef ASKFS_TESTS_UNIT_STORE_WORLD_H
#define ASKFS_TESTS_UNIT_STORE_WORLD_H

#include "core/store/store.h"
#include "tests/unit/fake_spill.h"

enum { KIB = 1 << 10, MIB = 1 << 20, BLOCK = SPILL_BLOCK_BYTES };

struct world {
    struct fake_spill disk;
    struct store_pool pool;
    struct store store;
};

static inline struct world *world_of(size_t pool_max, size_t store_max) {
    struct world *world = calloc(1, sizeof(*world));
    fake_spill_init(&world->disk);
    store_pool_init(&world->pool, &world->disk.spill, pool_max);
    store_init(&world->store, &world->pool, SIZE_MAX / 2, store_max);
    return world;
}

static inline void world_end(struct world *world) {
    store_finish(&world->store);
    assert_int_equal(store_pool_memory(&world->pool), 0);
    assert_int_equal(store_pool_spilled(&world->pool), 0);
    assert_int_equal(world->disk.count, 0);
    assert_null(world->pool.first);
    assert_null(world->pool.last);
    assert_null(world->pool.finished_last);
    store_pool_finish(&world->pool);
    free(world);
}

// The byte at an offset of every text here.
static inline char byte_at(size_t offset) {
    return (char)('a' + offset % 23 + offset / 1000 % 3);
}

// Brings the text to length, in pieces.
static inline bool grow(struct store *store, size_t length, size_t piece) {
    char text[256 * KIB];
    assert_true(piece <= sizeof(text));
    while (store_length(store) < length) {
        size_t at = store_length(store);
        size_t count = length - at < piece ? length - at : piece;
        for (size_t i = 0; i < count; i++)
            text[i] = byte_at(at + i);
        if (!store_append(store, (struct slice){ text, count })) return false;
    }
    return true;
}

static inline void expect_text(const struct store *store, size_t length) {
    assert_int_equal(store_length(store), length);
    for (size_t at = 0; at < length;) {
        struct slice slice = store_read(store, at, 100000);
        assert_int_equal(slice.length, length - at < 100000 ? length - at : 100000);
        for (size_t i = 0; i < slice.length; i++)
            if (slice.data[i] != byte_at(at + i)) fail_msg("wrong byte at %zu", at + i);
        at += slice.length;
    }
    assert_int_equal(store_read(store, length, 1).length, 0);
}

#endif
