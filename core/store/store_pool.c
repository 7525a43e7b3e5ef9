#include "core/store/store_pool.h"

#include <stdlib.h>

#include "core/store/store.h"

void store_pool_init(struct store_pool *pool, struct spill *spill, size_t memory_max) {
    *pool = (struct store_pool){ .spill = spill,
                                 .memory_max = memory_max ? memory_max : STORE_MEMORY_DEFAULT };
}

void store_pool_finish(struct store_pool *pool) {
    free(pool->scratch);
    *pool = (struct store_pool){ .spill = NULL };
}

// ---- the line ----

static bool is_in_line(const struct store_pool *pool, const struct store *store) {
    return store->previous || pool->first == store;
}

// Behind before; NULL: at the front.
static void enter_line(struct store_pool *pool, struct store *store, struct store *before) {
    store->previous = before;
    store->next = before ? before->next : pool->first;
    if (before)
        before->next = store;
    else
        pool->first = store;
    if (store->next)
        store->next->previous = store;
    else
        pool->last = store;
}

static void leave_line(struct store_pool *pool, struct store *store) {
    if (pool->finished_last == store) pool->finished_last = store->previous;
    if (store->previous)
        store->previous->next = store->next;
    else
        pool->first = store->next;
    if (store->next)
        store->next->previous = store->previous;
    else
        pool->last = store->previous;
    store->previous = store->next = NULL;
}

void store_pool_count(struct store_pool *pool, struct store *store, size_t before, size_t after) {
    pool->memory += after - before;
    bool belongs = store->capacity >= STORE_SPILLED_MIN;
    if (belongs == is_in_line(pool, store)) return;
    if (belongs)
        enter_line(pool, store, pool->last);
    else
        leave_line(pool, store);
}

void store_pool_note_finished(struct store_pool *pool, struct store *store) {
    if (!is_in_line(pool, store)) return;
    leave_line(pool, store);
    enter_line(pool, store, pool->finished_last);
    pool->finished_last = store;
}

// ---- sending out ----

bool store_pool_may_spill(struct store_pool *pool, size_t more) {
    if (!pool->spill) return false;
    pool->patience -= more < pool->patience ? more : pool->patience;
    return pool->patience == 0;
}

void store_pool_note_spill(struct store_pool *pool, int error) {
    pool->error = error;
    pool->failures += error != 0;
    pool->patience = error ? STORE_PATIENCE_BYTES : 0;
}

bool store_pool_reserve(struct store_pool *pool, size_t more) {
    while (pool->memory + more > pool->memory_max && pool->first &&
           store_pool_may_spill(pool, more))
        if (!store_send_out(pool->first)) break;
    return pool->memory + more <= STORE_HARD_LIMIT * pool->memory_max;
}

char *store_pool_scratch(struct store_pool *pool, size_t size) {
    if (size <= pool->scratch_size) return pool->scratch;
    char *scratch = realloc(pool->scratch, size);
    if (!scratch) return NULL;
    pool->scratch = scratch;
    pool->scratch_size = size;
    return scratch;
}

// ---- what it is ----

size_t store_pool_memory(const struct store_pool *pool) {
    return pool->memory;
}

uint64_t store_pool_spilled(const struct store_pool *pool) {
    return pool->spilled;
}

uint64_t store_pool_failures(const struct store_pool *pool) {
    return pool->failures;
}

int store_pool_error(const struct store_pool *pool) {
    return pool->error;
}
