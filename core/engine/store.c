#include "core/engine/store.h"

#include <stdlib.h>

void store_init(struct store *store, size_t length_max) {
    bytes_init(&store->bytes, length_max);
}

void store_finish(struct store *store) {
    bytes_finish(&store->bytes);
}

bool store_append(struct store *store, struct slice slice) {
    return bytes_append_slice(&store->bytes, slice);
}

size_t store_length(const struct store *store) {
    return store->bytes.length;
}

struct slice store_read(const struct store *store, size_t offset, size_t size) {
    if (offset >= store->bytes.length) return (struct slice){ 0 };
    size_t left = store->bytes.length - offset;
    return (struct slice){ store->bytes.data + offset, left < size ? left : size };
}

void store_clear(struct store *store) {
    bytes_clear(&store->bytes);
}

void store_shrink(struct store *store) {
    if (!store->bytes.data) return;
    char *data = realloc(store->bytes.data, store->bytes.length + 1);
    if (!data) return; // a smaller block is a favour, not a need
    store->bytes.data = data;
    store->bytes.capacity = store->bytes.length + 1;
}

#include <string.h>
char *store_copy(const struct store *store, size_t *length_out) {
    char *copy = malloc(store->bytes.length + 1);
    if (!copy) return NULL;
    if (store->bytes.length) memcpy(copy, store->bytes.data, store->bytes.length);
    copy[store->bytes.length] = 0;
    *length_out = store->bytes.length;
    return copy;
}
