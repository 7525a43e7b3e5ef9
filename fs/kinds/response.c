/*
 * response and reasoning: an answer as it arrives. While it does its size is 0, as in /proc, so
 * that no tool trusts a size that is not final; then it is exact.
 */
#include "fs/kinds/kinds.h"
#include "fs/reader.h"

static size_t length_of_response(struct reader *reader) {
    struct request *request = reader->follower.request;
    return request ? store_length(request_response(request)) : 0;
}

static struct slice read_response(struct reader *reader, size_t offset, size_t size) {
    return request_read(reader->follower.request, REQUEST_RESPONSE, offset, size);
}

static size_t length_of_reasoning(struct reader *reader) {
    struct request *request = reader->follower.request;
    return request ? store_length(request_reasoning(request)) : 0;
}

static struct slice read_reasoning(struct reader *reader, size_t offset, size_t size) {
    return request_read(reader->follower.request, REQUEST_REASONING, offset, size);
}

static const struct reader_source source_response = { length_of_response, read_response,
                                                      reader_failure };
static const struct reader_source source_reasoning = { length_of_reasoning, read_reasoning,
                                                       reader_failure };

// The request whose text is final, or NULL.
static struct request *finished_request(struct fs *fs, const struct node *node) {
    struct request *request = reader_shown_request(fs, node);
    return request && request_has_ended(request) ? request : NULL;
}

static size_t size_of_response(struct fs *fs, const struct node *node) {
    struct request *request = finished_request(fs, node);
    return request ? store_length(request_response(request)) : 0;
}

static size_t size_of_reasoning(struct fs *fs, const struct node *node) {
    struct request *request = finished_request(fs, node);
    return request ? store_length(request_reasoning(request)) : 0;
}

static int open_response(struct fs *fs, const struct node *node, int flags,
                         struct handle **handle_out) {
    return reader_open(fs, node, &source_response, handle_out);
}

static int open_reasoning(struct fs *fs, const struct node *node, int flags,
                          struct handle **handle_out) {
    return reader_open(fs, node, &source_reasoning, handle_out);
}

const struct kind kind_response = {
    .size = size_of_response,
    .is_newest = reader_is_newest,
    .open = open_response,
    .read = reader_read,
    .poll = reader_poll,
    .abandon = reader_abandon,
    .close = reader_close,
};

const struct kind kind_reasoning = {
    .size = size_of_reasoning,
    .is_newest = reader_is_newest,
    .open = open_reasoning,
    .read = reader_read,
    .poll = reader_poll,
    .abandon = reader_abandon,
    .close = reader_close,
};
