/*
 * store: the text of one answer, growing at its end, read anywhere, bounded.
 */
#ifndef ASKFS_CORE_ENGINE_STORE_H
#define ASKFS_CORE_ENGINE_STORE_H

#include "core/base/bytes.h"

struct store {
    struct bytes bytes;
};

void store_init(struct store *store, size_t length_max);
void store_finish(struct store *store);
/* False: no memory, or the maximum is reached; nothing was appended. */
bool store_append(struct store *store, struct slice slice);
size_t store_length(const struct store *store);
/* Up to size bytes from offset; borrowed until the next append. Empty at the end. */
struct slice store_read(const struct store *store, size_t offset, size_t size);
/* Forgets the text; only while no reader was given any of it. */
void store_clear(struct store *store);
/* Gives back what was reserved for growth. */
char *store_copy(const struct store *store, size_t *length_out);
void store_shrink(struct store *store);

#endif
