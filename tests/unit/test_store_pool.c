#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store_world.h"

static void test_past_the_limit_of_all_the_finished_go_out_first_then_the_oldest(void **state) {
    struct world *world = world_of(1 * MIB, 1 * MIB);
    struct store stores[4];
    assert_true(grow(&world->store, 150 * KIB, 5000)); // the oldest; it goes on
    for (int i = 0; i < 4; i++) {
        store_init(&stores[i], &world->pool, SIZE_MAX / 2, 1 * MIB);
        assert_true(grow(&stores[i], 200 * KIB, 5000));
        store_shrink(&stores[i]); // all finish, in this order
    }
    assert_int_equal(world->disk.tries, 0);
    struct store late;
    store_init(&late, &world->pool, SIZE_MAX / 2, 1 * MIB);
    int gone = 0;
    for (size_t length = 0; gone < 4; length += 4 * KIB) {
        assert_true(grow(&late, length, 1000));
        if (stores[gone].length == 0) gone++;
        for (int i = 0; i < 4; i++)
            assert_int_equal(stores[i].length, i < gone ? 0 : 200 * KIB);
        assert_int_equal(world->store.length, 150 * KIB); // after those
        assert_true(store_pool_memory(&world->pool) <= 1 * MIB);
    }
    while (world->store.length) {
        assert_int_equal(store_length(&late), late.length); // the newest of all
        assert_true(grow(&late, store_length(&late) + 4 * KIB, 1000));
    }
    for (int i = 0; i < 4; i++) {
        expect_text(&stores[i], 200 * KIB);
        store_finish(&stores[i]);
    }
    expect_text(&world->store, 150 * KIB);
    expect_text(&late, store_length(&late));
    store_finish(&late);
    world_end(world);
}

static void test_a_store_at_its_own_limit_sends_nobody_else_out(void **state) {
    struct world *world = world_of(1 * MIB, 256 * KIB);
    struct store finished;
    store_init(&finished, &world->pool, SIZE_MAX / 2, 256 * KIB);
    assert_true(grow(&finished, 100 * KIB, 1000));
    store_shrink(&finished);
    assert_true(grow(&world->store, 256 * KIB, 1000));
    world->pool.memory_max = store_pool_memory(&world->pool) + 4 * KIB; // and some numbers
    assert_true(grow(&world->store, 2 * MIB, 1000));
    assert_int_equal(finished.length, 100 * KIB);
    store_finish(&finished);
    world_end(world);
}

static void test_a_full_disk_loses_nothing(void **state) {
    struct world *world = world_of(1 * MIB, 256 * KIB);
    world->disk.count_max = 10;
    assert_true(grow(&world->store, 1 * MIB, 1000));
    assert_int_equal(world->disk.count, 10);
    assert_int_equal(store_pool_error(&world->pool), ENOSPC);
    assert_true(grow(&world->store, 2 * MIB, 1000));     // in memory
    assert_true(store_pool_failures(&world->pool) <= 3); // and the disk is not asked each time
    expect_text(&world->store, 2 * MIB);
    world->disk.count_max = 1000; // somebody made room
    assert_true(grow(&world->store, 4 * MIB, 1000));
    assert_int_equal(store_pool_error(&world->pool), 0);
    assert_true(world->store.length < 1 * MIB);
    expect_text(&world->store, 4 * MIB);
    world_end(world);
}

static void test_a_broken_write_is_tried_again_and_leaves_the_text(void **state) {
    struct world *world = world_of(100 * MIB, 256 * KIB);
    world->disk.write_error = EIO;
    assert_true(grow(&world->store, 300 * KIB, 1000));
    assert_int_equal(store_pool_error(&world->pool), EIO);
    assert_int_equal(world->disk.count, 0); // no block is kept for nothing
    expect_text(&world->store, 300 * KIB);
    world->disk.write_error = 0;
    assert_true(grow(&world->store, 3 * MIB, 1000));
    assert_int_equal(store_pool_error(&world->pool), 0);
    expect_text(&world->store, 3 * MIB);
    world_end(world);
}

static void test_without_a_disk_the_hard_limit_ends_an_answer_and_keeps_its_text(void **state) {
    struct world *world = world_of(1 * MIB, 256 * KIB);
    world->pool.spill = NULL;
    assert_false(grow(&world->store, 100 * MIB, 1000));
    size_t kept = store_length(&world->store);
    assert_true(kept > 2 * MIB);
    assert_true(store_pool_memory(&world->pool) <= STORE_HARD_LIMIT * MIB);
    expect_text(&world->store, kept);
    world->pool.memory_max = store_pool_memory(&world->pool) / STORE_HARD_LIMIT;
    struct store small; // others may still have a little
    store_init(&small, &world->pool, SIZE_MAX / 2, 256 * KIB);
    assert_true(grow(&small, STORE_SPILLED_MIN, 100));
    assert_false(store_append(&small, slice_of("a")));
    expect_text(&small, STORE_SPILLED_MIN);
    store_finish(&small);
    world_end(world);
}

static void test_where_a_part_could_go_out_there_is_room_again(void **state) {
    struct world *world = world_of(1 * MIB, 256 * KIB);
    assert_true(grow(&world->store, 200 * KIB, 200 * KIB));
    world->pool.memory_max = store_pool_memory(&world->pool) / STORE_HARD_LIMIT;
    world->disk.count_max = 1;
    assert_true(grow(&world->store, 264 * KIB, 1000)); // a block's worth, and not more
    assert_false(grow(&world->store, 265 * KIB, 1000));
    assert_int_equal(store_pool_error(&world->pool), ENOSPC);
    expect_text(&world->store, store_length(&world->store));
    world_end(world);
}

static void test_giving_up_empty_memory_says_nothing_of_the_disk(void **state) {
    struct world *world = world_of(1 * MIB, 400 * KIB);
    struct store empty;
    struct store late;
    store_init(&empty, &world->pool, SIZE_MAX / 2, 400 * KIB);
    store_init(&late, &world->pool, SIZE_MAX / 2, 400 * KIB);
    assert_true(grow(&empty, 200 * KIB, 200 * KIB));
    store_clear(&empty);
    world->disk.write_error = EIO;
    assert_true(grow(&world->store, 500 * KIB, 1000));
    assert_int_equal(store_pool_error(&world->pool), EIO);
    world->pool.patience = 0;
    world->pool.memory_max = store_pool_memory(&world->pool);
    size_t tries = world->disk.tries;
    assert_true(grow(&late, 100 * KIB, 100 * KIB)); // the memory of the empty one is enough
    assert_int_equal(world->disk.tries, tries);
    assert_int_equal(empty.capacity, 0);
    assert_int_equal(store_pool_error(&world->pool), EIO);
    store_finish(&empty);
    store_finish(&late);
    world_end(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_past_the_limit_of_all_the_finished_go_out_first_then_the_oldest),
        cmocka_unit_test(test_a_store_at_its_own_limit_sends_nobody_else_out),
        cmocka_unit_test(test_a_full_disk_loses_nothing),
        cmocka_unit_test(test_a_broken_write_is_tried_again_and_leaves_the_text),
        cmocka_unit_test(test_without_a_disk_the_hard_limit_ends_an_answer_and_keeps_its_text),
        cmocka_unit_test(test_where_a_part_could_go_out_there_is_room_again),
        cmocka_unit_test(test_giving_up_empty_memory_says_nothing_of_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
