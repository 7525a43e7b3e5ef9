#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store_world.h"

// Linked with --wrap=realloc: a test says how many more calls are answered; -1: all.
static int memory_left = -1;
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size) {
    if (memory_left == 0) return NULL;
    if (memory_left > 0) memory_left--;
    return __real_realloc(memory, size);
}

static void test_a_small_answer_is_memory_and_nothing_else(void **state) {
    struct world *world = world_of(1 * MIB, 64 * KIB);
    assert_true(sizeof(struct store) <= 9 * sizeof(void *));
    assert_true(store_append(&world->store, (struct slice){ NULL, 0 }));
    assert_int_equal(store_pool_memory(&world->pool), 0);
    assert_true(grow(&world->store, 200, 20));
    expect_text(&world->store, 200);
    assert_true(store_pool_memory(&world->pool) <= 300);
    store_shrink(&world->store);
    assert_int_equal(store_pool_memory(&world->pool), 200);
    expect_text(&world->store, 200);
    assert_int_equal(world->disk.tries, 0);
    world_end(world);
}

static void test_past_its_limit_whole_blocks_go_out_each_once(void **state) {
    struct world *world = world_of(100 * MIB, 1000000);
    assert_true(grow(&world->store, 1000000, 20));
    assert_int_equal(world->disk.tries, 0);
    assert_true(grow(&world->store, 20 * MIB, 20));
    assert_true(store_pool_memory(&world->pool) < 1000000 + 4 * KIB);
    assert_true(world->disk.writes <= 20 * MIB / BLOCK);
    assert_int_equal(world->disk.writes, world->disk.count);
    assert_int_equal(store_pool_spilled(&world->pool), world->disk.count * BLOCK);
    expect_text(&world->store, 20 * MIB);
    world_end(world);
}

static void test_one_append_may_be_larger_than_every_limit(void **state) {
    struct world *world = world_of(256 * KIB, 64 * KIB);
    size_t length = 10 * MIB;
    char *text = malloc(length);
    for (size_t i = 0; i < length; i++)
        text[i] = byte_at(i);
    assert_true(store_append(&world->store, (struct slice){ text, length }));
    assert_true(store_pool_memory(&world->pool) < 80 * KIB);
    expect_text(&world->store, length);
    free(text);
    world_end(world);
}

static void test_a_read_crosses_blocks_and_reaches_into_memory(void **state) {
    static const struct {
        size_t offset, size, length;
    } rows[] = {
        { 0, 1, 1 },
        { BLOCK - 1, 2, 2 },
        { 1, 3 * BLOCK, 3 * BLOCK },
        { 0, 10 * MIB, 1 * MIB }, // STORE_READ_MAX
        { 3 * MIB - 10, 100, 10 },
        { 2 * MIB + BLOCK / 2, 1 * MIB, 1 * MIB - BLOCK / 2 },
        { 3 * MIB, 1, 0 },
        { 4 * MIB, 1, 0 },
        { 5, 0, 0 },
    };
    struct world *world = world_of(100 * MIB, 64 * KIB);
    assert_true(grow(&world->store, 3 * MIB - 100, 5000));
    assert_true(grow(&world->store, 3 * MIB, 100));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct slice slice = store_read(&world->store, rows[i].offset, rows[i].size);
        if (slice.length != rows[i].length) fail_msg("row %zu: %zu bytes", i, slice.length);
        for (size_t byte = 0; byte < slice.length; byte++)
            if (slice.data[byte] != byte_at(rows[i].offset + byte)) fail_msg("row %zu: text", i);
    }
    world_end(world);
}

static void test_a_copy_is_the_whole_text_wherever_it_is(void **state) {
    struct world *world = world_of(100 * MIB, 64 * KIB);
    size_t length = 1;
    char *copy = store_copy(&world->store, &length);
    assert_string_equal(copy, "");
    assert_int_equal(length, 0);
    free(copy);
    assert_true(grow(&world->store, 3 * MIB + 7, 5000));
    copy = store_copy(&world->store, &length);
    assert_int_equal(length, 3 * MIB + 7);
    for (size_t i = 0; i < length; i++)
        if (copy[i] != byte_at(i)) fail_msg("wrong byte at %zu", i);
    assert_int_equal(copy[length], '\0');
    free(copy);
    world->disk.read_error = EIO;
    assert_null(store_copy(&world->store, &length));
    world_end(world);
}

static void test_what_cannot_be_read_back_is_empty_and_counted(void **state) {
    struct world *world = world_of(100 * MIB, 64 * KIB);
    assert_true(grow(&world->store, 1 * MIB + 10, 5000));
    world->disk.read_error = EIO;
    assert_int_equal(store_read(&world->store, 0, 10).length, 0);
    assert_int_equal(store_read(&world->store, 1 * MIB, 10).length, 10); // in memory
    assert_int_equal(store_pool_failures(&world->pool), 1);
    world->disk.read_error = 0;
    expect_text(&world->store, 1 * MIB + 10);
    world_end(world);
}

static void test_an_append_past_the_maximum_changes_nothing(void **state) {
    struct world *world = world_of(100 * MIB, 64 * KIB);
    world->store.length_max = 200 * KIB;
    assert_true(grow(&world->store, 200 * KIB - 1, 1000));
    assert_false(store_append(&world->store, slice_of("ab")));
    expect_text(&world->store, 200 * KIB - 1);
    assert_true(grow(&world->store, 200 * KIB, 1));
    assert_false(store_append(&world->store, slice_of("a")));
    world_end(world);
}

static void test_an_append_that_fails_half_way_changes_nothing(void **state) {
    struct world *world = world_of(1 * MIB, 64 * KIB);
    world->disk.count_max = 3;
    assert_true(grow(&world->store, 100 * KIB, 1000));
    char *text = calloc(1, 20 * MIB);
    assert_false(store_append(&world->store, (struct slice){ text, 20 * MIB }));
    free(text);
    expect_text(&world->store, 100 * KIB);
    assert_true(grow(&world->store, 400 * KIB, 1000));
    expect_text(&world->store, 400 * KIB);
    world_end(world);
}

static void test_a_text_can_be_cut_anywhere_and_grow_again(void **state) {
    static const size_t lengths[] = {
        600 * KIB, 599 * KIB, 9 * BLOCK + 1, 9 * BLOCK, 9 * BLOCK - 1, 3 * BLOCK, 100, 1, 0
    };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        struct world *world = world_of(100 * MIB, 64 * KIB);
        assert_true(grow(&world->store, 600 * KIB, 1000));
        store_truncate(&world->store, lengths[i]);
        expect_text(&world->store, lengths[i]);
        assert_true(world->disk.count <= (lengths[i] + BLOCK - 1) / BLOCK);
        assert_true(grow(&world->store, 700 * KIB, 1000));
        expect_text(&world->store, 700 * KIB);
        world_end(world);
    }
}

static void test_a_cleared_store_starts_anew(void **state) {
    struct world *world = world_of(100 * MIB, 64 * KIB);
    assert_true(grow(&world->store, 600 * KIB, 1000));
    store_clear(&world->store);
    expect_text(&world->store, 0);
    assert_int_equal(world->disk.count, 0);
    assert_int_equal(store_pool_spilled(&world->pool), 0);
    assert_true(grow(&world->store, 600 * KIB, 777));
    expect_text(&world->store, 600 * KIB);
    world_end(world);
}

static void test_where_memory_ends_the_text_does_and_all_of_it_is_kept(void **state) {
    bool was_enough = false;
    for (int calls = 0; !was_enough; calls++) {
        struct world *world = world_of(1 * MIB, 64 * KIB);
        memory_left = calls;
        was_enough = grow(&world->store, 700 * KIB, 300);
        size_t kept = store_length(&world->store);
        struct slice front = store_read(&world->store, 0, 100); // it may need its scratch
        assert_true(front.length == (kept < 100 ? kept : 100) || (front.length == 0 && kept));
        memory_left = -1;
        expect_text(&world->store, kept);
        assert_true(grow(&world->store, 800 * KIB, 300)); // and it goes on when there is some
        expect_text(&world->store, 800 * KIB);
        world_end(world);
        assert_true(calls < 100);
    }
}

static void test_storage_that_was_never_a_store_can_be_finished(void **state) {
    struct store store = { .pool = NULL };
    struct store_pool pool = { .spill = NULL };
    store_finish(&store);
    store_pool_finish(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_answer_is_memory_and_nothing_else),
        cmocka_unit_test(test_past_its_limit_whole_blocks_go_out_each_once),
        cmocka_unit_test(test_one_append_may_be_larger_than_every_limit),
        cmocka_unit_test(test_a_read_crosses_blocks_and_reaches_into_memory),
        cmocka_unit_test(test_a_copy_is_the_whole_text_wherever_it_is),
        cmocka_unit_test(test_what_cannot_be_read_back_is_empty_and_counted),
        cmocka_unit_test(test_an_append_past_the_maximum_changes_nothing),
        cmocka_unit_test(test_an_append_that_fails_half_way_changes_nothing),
        cmocka_unit_test(test_a_text_can_be_cut_anywhere_and_grow_again),
        cmocka_unit_test(test_a_cleared_store_starts_anew),
        cmocka_unit_test(test_where_memory_ends_the_text_does_and_all_of_it_is_kept),
        cmocka_unit_test(test_storage_that_was_never_a_store_can_be_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
