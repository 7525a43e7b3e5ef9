/* breaker: read, how it stands; written, a command a line. */
#include <fcntl.h>
#include <string.h>

#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/kinds/text.h"

static int open_breaker(struct fs *fs, const struct node *node, int flags,
                        struct handle **handle_out) {
    struct handle *handle = handle_create(fs, node, sizeof(*handle));
    if (!handle) return ERROR_NO_MEMORY;
    int error = (flags & O_ACCMODE) == O_WRONLY ? 0 : text_render(handle);
    if (error) {
        handle_destroy(handle);
        return error;
    }
    *handle_out = handle;
    return 0;
}

static int write_breaker(struct handle *handle, struct slice slice, size_t offset, int flags) {
    while (slice.length) {
        const char *end = memchr(slice.data, '\n', slice.length);
        size_t length = end ? (size_t)(end - slice.data) : slice.length;
        struct slice line = slice_trim((struct slice){ slice.data, length });
        if (line.length && !provider_command_breaker(handle->node.provider, line))
            return ERROR_REFUSED_VALUE;
        size_t used = end ? length + 1 : length;
        slice.data += used;
        slice.length -= used;
    }
    return 0;
}

const struct kind kind_breaker = {
    .size = text_size,
    .open = open_breaker,
    .read = handle_read_text,
    .write = write_breaker,
    .close = handle_destroy,
};
