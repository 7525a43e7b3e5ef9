/* 1,000 answers of 10 MiB at once. The disk is one that remembers where in the one long text a
 * block begins, and checks what it is given, so that 10 GiB cost nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/random.h"
#include "core/store/store.h"

enum { MIB = 1 << 20, STORES = 1000, LENGTH = 10 * MIB, PIECE = 30011, PERIOD = 4093 };
enum { BLOCKS = STORES * (LENGTH / SPILL_BLOCK_BYTES + 1) };

/* The text repeats itself every PERIOD bytes: this is what it says from any place on. */
static const char *text_at(const char *text, size_t offset) {
    return text + offset % PERIOD;
}

enum { HEAD = 24 };
struct checked_block {
    char head[HEAD]; /* what it begins with: no two places of the text have the same */
    uint16_t length; /* of the head, up to HEAD: then begins is known */
    uint16_t begins; /* modulo PERIOD */
};

struct checking_disk {
    struct spill spill; /* first */
    char *text;         /* of PERIOD + SPILL_BLOCK_BYTES */
    struct checked_block *blocks;
    uint32_t *unused;
    uint32_t unused_count;
};

static int allocate(struct spill *spill, uint32_t *block_out) {
    struct checking_disk *disk = (struct checking_disk *)spill;
    assert_true(disk->unused_count > 0);
    *block_out = disk->unused[--disk->unused_count];
    disk->blocks[*block_out].length = 0;
    return 0;
}

static void release(struct spill *spill, const uint32_t *blocks, size_t count) {
    struct checking_disk *disk = (struct checking_disk *)spill;
    for (size_t i = 0; i < count; i++)
        disk->unused[disk->unused_count++] = blocks[i];
}

static void find_begin(const struct checking_disk *disk, struct checked_block *block) {
    const char *found = memmem(disk->text, PERIOD + HEAD, block->head, HEAD);
    assert_non_null(found);
    block->begins = (uint16_t)((size_t)(found - disk->text) % PERIOD);
}

static int write_block(struct spill *spill, uint32_t number, size_t offset, struct slice slice) {
    struct checking_disk *disk = (struct checking_disk *)spill;
    struct checked_block *block = &disk->blocks[number];
    while (block->length < HEAD && slice.length) {
        assert_int_equal(offset, block->length);
        block->head[block->length++] = *slice.data;
        slice = (struct slice){ slice.data + 1, slice.length - 1 };
        offset++;
        if (block->length == HEAD) find_begin(disk, block);
    }
    if (memcmp(text_at(disk->text, block->begins + offset), slice.data, slice.length) != 0)
        fail_msg("block %u: wrong text at %zu", number, offset);
    return 0;
}

static int read_block(struct spill *spill, uint32_t number, size_t offset, char *into,
                      size_t length) {
    struct checking_disk *disk = (struct checking_disk *)spill;
    const struct checked_block *block = &disk->blocks[number];
    if (block->length == HEAD)
        memcpy(into, text_at(disk->text, block->begins + offset), length);
    else
        memcpy(into, block->head + offset, length);
    return 0;
}

static void disk_init(struct checking_disk *disk) {
    struct random random = { 7 };
    disk->spill = (struct spill){ allocate, release, write_block, read_block };
    disk->text = malloc(PERIOD + SPILL_BLOCK_BYTES);
    for (size_t i = 0; i < PERIOD + SPILL_BLOCK_BYTES; i++)
        disk->text[i] = i < PERIOD ? (char)random_next(&random) : disk->text[i - PERIOD];
    disk->blocks = calloc(BLOCKS, sizeof(*disk->blocks));
    disk->unused = calloc(BLOCKS, sizeof(*disk->unused));
    for (uint32_t i = 0; i < BLOCKS; i++)
        disk->unused[disk->unused_count++] = i;
}

static void disk_finish(struct checking_disk *disk) {
    assert_int_equal(disk->unused_count, BLOCKS);
    free(disk->text);
    free(disk->blocks);
    free(disk->unused);
}

// Turn by turn, as answers that stream at the same time do; lengths differ, so that borders do.
static size_t grow_all(struct store *stores, const struct checking_disk *disk,
                       const struct store_pool *pool) {
    size_t most = 0;
    for (size_t length = 0; length < LENGTH; length += PIECE) {
        for (size_t i = 0; i < STORES; i++) {
            size_t at = store_length(&stores[i]);
            size_t count = i % 7 && at == 0 ? i : PIECE;
            struct slice piece = { text_at(disk->text, i + at), count };
            if (!store_append(&stores[i], piece)) fail_msg("store %zu at %zu", i, at);
            if (store_pool_memory(pool) > most) most = store_pool_memory(pool);
        }
    }
    return most;
}

static void read_all(struct store *stores, const struct checking_disk *disk) {
    struct random random = { 11 };
    for (size_t i = 0; i < STORES; i++) {
        size_t length = store_length(&stores[i]);
        for (int turn = 0; turn < 10; turn++) {
            size_t offset = (size_t)(random_next(&random) % length);
            struct slice slice = store_read(&stores[i], offset, SPILL_BLOCK_BYTES);
            assert_true(slice.length > 0);
            assert_memory_equal(slice.data, text_at(disk->text, i + offset), slice.length);
        }
    }
}

static void test_a_thousand_answers_of_10_mib_stay_within_the_memory_of_all(void **state) {
    static const size_t memory_max = 32 * MIB;
    struct checking_disk disk = { .text = NULL };
    struct store_pool pool;
    struct store *stores = calloc(STORES, sizeof(*stores));
    disk_init(&disk);
    store_pool_init(&pool, &disk.spill, memory_max);
    for (size_t i = 0; i < STORES; i++)
        store_init(&stores[i], &pool, SIZE_MAX / 2, 1 * MIB);
    assert_true(grow_all(stores, &disk, &pool) <= memory_max + STORES * STORE_SPILLED_MIN);
    read_all(stores, &disk);
    for (size_t i = 0; i < STORES; i++)
        store_finish(&stores[i]);
    assert_int_equal(store_pool_memory(&pool), 0);
    assert_int_equal(store_pool_spilled(&pool), 0);
    store_pool_finish(&pool);
    disk_finish(&disk);
    free(stores);
}

static void test_ten_thousand_small_answers_cost_what_they_say(void **state) {
    enum { COUNT = 10000 };
    struct store_pool pool;
    struct store *stores = calloc(COUNT, sizeof(*stores));
    store_pool_init(&pool, NULL, 0);
    for (size_t i = 0; i < COUNT; i++)
        store_init(&stores[i], &pool, SIZE_MAX / 2, 1 * MIB);
    for (int token = 0; token < 10; token++)
        for (size_t i = 0; i < COUNT; i++)
            assert_true(store_append(&stores[i], slice_of("a token of 20 bytes.")));
    assert_true(store_pool_memory(&pool) <= (size_t)COUNT * 300);
    for (size_t i = 0; i < COUNT; i++)
        store_shrink(&stores[i]);
    assert_int_equal(store_pool_memory(&pool), COUNT * 200);
    for (size_t i = 0; i < COUNT; i++)
        store_finish(&stores[i]);
    assert_int_equal(store_pool_memory(&pool), 0);
    store_pool_finish(&pool);
    free(stores);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thousand_answers_of_10_mib_stay_within_the_memory_of_all),
        cmocka_unit_test(test_ten_thousand_small_answers_cost_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
