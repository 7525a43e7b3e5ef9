/* cancel: anything written to it stops its request. */
#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/kinds/text.h"

static int open_cancel(struct fs *fs, const struct node *node, int flags,
                       struct handle **handle_out) {
    struct handle *handle = handle_create(fs, node, sizeof(*handle));
    if (!handle) return ERROR_NO_MEMORY;
    *handle_out = handle;
    return 0;
}

static int write_cancel(struct handle *handle, struct slice slice, size_t offset, int flags) {
    request_cancel(handle->node.request);
    return 0;
}

static size_t size_of_cancel(struct fs *fs, const struct node *node) {
    return 0;
}

const struct kind kind_cancel = {
    .size = size_of_cancel,
    .open = open_cancel,
    .write = write_cancel,
    .close = handle_destroy,
};
