/* wait: one line, once the request has ended. */
#include <stdint.h>

#include "core/engine/report.h"
#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/reader.h"

static bool render_line(struct reader *reader) {
    struct handle *handle = &reader->handle;
    struct request *request = reader->follower.request;
    if (handle->text.length || !request || !request_has_ended(request)) return true;
    return report_request_wait(request, &handle->text);
}

static size_t length_of_line(struct reader *reader) {
    render_line(reader);
    return reader->handle.text.length;
}

static struct slice read_line(struct reader *reader, size_t offset, size_t size) {
    struct slice line = bytes_slice(&reader->handle.text);
    line.data += offset;
    line.length -= offset;
    if (line.length > size) line.length = size;
    return line;
}

// The line tells how the request ended; that it could be told is a success.
static int error_of_line(struct reader *reader) {
    if (!reader->follower.request) return reader_failure(reader);
    return render_line(reader) ? 0 : ERROR_NO_MEMORY;
}

static const struct reader_source source_line = { length_of_line, read_line, error_of_line };

static int open_wait(struct fs *fs, const struct node *node, int flags,
                     struct handle **handle_out) {
    return reader_open(fs, node, &source_line, handle_out);
}

static size_t size_of_wait(struct fs *fs, const struct node *node) {
    struct request *request = reader_shown_request(fs, node);
    if (!request || !request_has_ended(request)) return 0;
    struct bytes line;
    bytes_init(&line, SIZE_MAX / 2);
    size_t length = report_request_wait(request, &line) ? line.length : 0;
    bytes_finish(&line);
    return length;
}

const struct kind kind_wait = {
    .size = size_of_wait,
    .is_newest = reader_is_newest,
    .open = open_wait,
    .read = reader_read,
    .poll = reader_poll,
    .abandon = reader_abandon,
    .close = reader_close,
};
