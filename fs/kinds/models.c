/* models: what the provider offers, one a line. Nothing is asked before somebody reads. */
#include <fcntl.h>

#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/reader.h"
#include "fs/reply.h"

static size_t length_of_list(struct reader *reader) {
    struct request *request = reader->follower.request;
    return request ? store_length(request_response(request)) : 0;
}

static struct slice read_list(struct reader *reader, size_t offset, size_t size) {
    return request_read(reader->follower.request, REQUEST_RESPONSE, offset, size);
}

static const struct reader_source source_list = { length_of_list, read_list, reader_failure };

static int open_models(struct fs *fs, const struct node *node, int flags,
                       struct handle **handle_out) {
    struct reader *reader = reader_create(fs, node, &source_list, sizeof(*reader));
    if (!reader) return ERROR_NO_MEMORY;
    *handle_out = &reader->handle;
    return 0;
}

// A read that would wait for the list asks for it, and so does a poll. A read that would not wait
// is how grep -r looks at everything there is.
static bool ask(struct reader *reader) {
    if (reader->follower.request) return true;
    struct request *listing = provider_list_models(reader->handle.node.provider);
    if (!listing) return false;
    follower_follow(&reader->follower, listing);
    request_release(listing);
    return true;
}

static void read_models(struct handle *handle, struct fuse_req *request, size_t size, size_t offset,
                        int flags) {
    struct reader *reader = (struct reader *)handle;
    bool looks_only = flags & O_NONBLOCK && !reader->follower.request &&
                      !provider_known_models(handle->node.provider).length;
    if (looks_only) {
        reply_error(request, ERROR_WOULD_WAIT);
        return;
    }
    ask(reader); // without memory for it, the read finds no request
    reader_read(handle, request, size, offset, flags);
}

static unsigned poll_models(struct handle *handle, struct fuse_pollhandle *pollhandle) {
    ask((struct reader *)handle);
    return reader_poll(handle, pollhandle);
}

static size_t size_of_models(struct fs *fs, const struct node *node) {
    return provider_known_models(node->provider).length;
}

const struct kind kind_models = {
    .size = size_of_models,
    .open = open_models,
    .read = read_models,
    .poll = poll_models,
    .abandon = reader_abandon,
    .close = reader_close,
};
