/* Seeded schedules of everything that can happen to a few stores, against texts in plain memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/random.h"
#include "core/store/store.h"
#include "tests/unit/fake_spill.h"

enum { STORES = 5, SCHEDULES = 100, STEPS = 400, TEXT_MAX = 1 << 20, PIECE_MAX = 100000 };

struct model {
    struct random random;
    uint64_t seed;
    struct fake_spill disk;
    struct store_pool pool;
    struct store stores[STORES];
    char *texts[STORES];
    size_t lengths[STORES];
};

static size_t below(struct model *model, size_t limit) {
    return (size_t)(random_next(&model->random) % limit);
}

// Mostly small, now and then large.
static size_t some_length(struct model *model, size_t max) {
    static const size_t sizes[] = { 8, 100, 5000, 70000, PIECE_MAX };
    size_t size = sizes[below(model, 5)];
    return below(model, (size < max ? size : max) + 1);
}

static void append(struct model *model, int i) {
    static char piece[PIECE_MAX];
    size_t length = some_length(model, PIECE_MAX);
    for (size_t at = 0; at < length; at++)
        piece[at] = (char)random_next(&model->random);
    bool fits = model->lengths[i] + length <= TEXT_MAX;
    bool kept = store_append(&model->stores[i], (struct slice){ piece, length });
    if (kept && !fits) fail_msg("seed %llu: past the maximum", (unsigned long long)model->seed);
    if (!kept) return;
    memcpy(model->texts[i] + model->lengths[i], piece, length);
    model->lengths[i] += length;
}

static void read_somewhere(struct model *model, int i) {
    size_t offset = below(model, model->lengths[i] + 10);
    size_t size = some_length(model, PIECE_MAX);
    size_t left = offset < model->lengths[i] ? model->lengths[i] - offset : 0;
    struct slice slice = store_read(&model->stores[i], offset, size);
    if (slice.length == 0 && model->disk.read_error) return;
    if (slice.length != (left < size ? left : size) ||
        memcmp(slice.data ? slice.data : "", model->texts[i] + offset, slice.length) != 0)
        fail_msg("seed %llu: read of %zu at %zu", (unsigned long long)model->seed, size, offset);
}

static void truncate_somewhere(struct model *model, int i) {
    size_t cut = some_length(model, model->lengths[i]);
    model->lengths[i] -= cut;
    store_truncate(&model->stores[i], model->lengths[i]);
}

static void change_disk(struct model *model) {
    static const size_t counts[] = { FAKE_BLOCKS_MAX, FAKE_BLOCKS_MAX, 0, 7, 20 };
    model->disk.count_max = counts[below(model, 5)];
    model->disk.write_error = below(model, 4) ? 0 : EIO;
    model->disk.read_error = below(model, 4) ? 0 : EIO;
}

static void start_again(struct model *model, int i) {
    store_finish(&model->stores[i]);
    store_init(&model->stores[i], &model->pool, TEXT_MAX, 1 + below(model, 300000));
    model->lengths[i] = 0;
}

static void step(struct model *model) {
    int i = (int)below(model, STORES);
    size_t deed = below(model, 100);
    if (deed < 60)
        append(model, i);
    else if (deed < 85)
        read_somewhere(model, i);
    else if (deed < 92)
        truncate_somewhere(model, i);
    else if (deed < 95)
        store_shrink(&model->stores[i]);
    else if (deed < 97)
        change_disk(model);
    else if (deed < 98)
        start_again(model, i);
}

static void check_sums(struct model *model) {
    size_t memory = 0;
    size_t length = 0;
    for (int i = 0; i < STORES; i++) {
        assert_int_equal(store_length(&model->stores[i]), model->lengths[i]);
        memory += model->stores[i].length;
        length += model->lengths[i];
    }
    assert_true(store_pool_memory(&model->pool) >= memory);
    assert_int_equal(store_pool_spilled(&model->pool), length - memory);
    assert_true(store_pool_memory(&model->pool) <=
                STORE_HARD_LIMIT * model->pool.memory_max + STORES * STORE_SPILLED_MIN);
}

static void check_whole_texts(struct model *model) {
    model->disk.read_error = 0;
    for (int i = 0; i < STORES; i++) {
        size_t length = 0;
        char *copy = store_copy(&model->stores[i], &length);
        if (length != model->lengths[i] || memcmp(copy, model->texts[i], length) != 0)
            fail_msg("seed %llu: text %d", (unsigned long long)model->seed, i);
        free(copy);
    }
}

static void play(uint64_t seed) {
    static struct model model;
    memset(&model, 0, sizeof(model));
    model.seed = model.random.state = seed;
    fake_spill_init(&model.disk);
    store_pool_init(&model.pool, &model.disk.spill, 100000 + below(&model, 1000000));
    for (int i = 0; i < STORES; i++) {
        model.texts[i] = malloc(TEXT_MAX);
        start_again(&model, i);
    }
    for (int i = 0; i < STEPS; i++) {
        step(&model);
        check_sums(&model);
    }
    check_whole_texts(&model);
    for (int i = 0; i < STORES; i++) {
        store_finish(&model.stores[i]);
        free(model.texts[i]);
    }
    assert_int_equal(store_pool_memory(&model.pool), 0);
    assert_int_equal(store_pool_spilled(&model.pool), 0);
    assert_int_equal(model.disk.count, 0);
    assert_null(model.pool.first);
    assert_null(model.pool.finished_last);
    store_pool_finish(&model.pool);
}

static void test_a_store_says_what_it_was_told_whatever_happens_to_it_and_the_disk(void **state) {
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++)
        play(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_store_says_what_it_was_told_whatever_happens_to_it_and_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
