#include "fs/reader.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "fs/errors.h"
#include "fs/process.h"
#include "fs/reply.h"
#include "fs/state.h"

// ---- parked reads ----

static struct fuse_req *unpark(struct parked *parked) {
    struct reader *reader = parked->reader;
    struct fuse_req *request = parked->request;
    interrupt_forget(parked);
    if (parked->previous)
        parked->previous->next = parked->next;
    else
        reader->parked = parked->next;
    if (parked->next) parked->next->previous = parked->previous;
    free(parked);
    return request;
}

static void park(struct reader *reader, struct fuse_req *request, size_t size, size_t offset) {
    struct parked *parked = calloc(1, sizeof(*parked));
    if (!parked) {
        reply_error(request, ERROR_NO_MEMORY);
        return;
    }
    parked->reader = reader;
    parked->request = request;
    parked->size = size;
    parked->offset = offset;
    parked->next = reader->parked;
    if (reader->parked) reader->parked->previous = parked;
    reader->parked = parked;
    interrupt_listen(parked);
}

void reader_refuse(struct parked *parked, int error) {
    reply_error(unpark(parked), error);
}

// ---- answers ----

static bool would_wait(struct reader *reader, size_t offset) {
    return !follower_has_ended(&reader->follower) && offset >= reader->source->length(reader);
}

// There is something at offset, or the text has ended.
static void answer(struct reader *reader, struct fuse_req *request, size_t size, size_t offset) {
    if (offset < reader->source->length(reader)) {
        struct slice slice = reader->source->read(reader, offset, size);
        if (slice.length == 0 && size) {
            reply_error(request, ERROR_UNREADABLE);
            return;
        }
        if (offset + slice.length > reader->read_to) reader->read_to = offset + slice.length;
        reply_bytes(request, slice);
        return;
    }
    int error = reader->source->error(reader);
    if (error)
        reply_error(request, error);
    else
        reply_bytes(request, (struct slice){ 0 });
}

static void tell_poll(struct reader *reader) {
    if (!reader->pollhandle || would_wait(reader, reader->read_to)) return;
    fuse_lowlevel_notify_poll(reader->pollhandle);
    fuse_pollhandle_destroy(reader->pollhandle);
    reader->pollhandle = NULL;
}

static void on_change(void *owner) {
    struct reader *reader = owner;
    struct parked *next = NULL;
    for (struct parked *parked = reader->parked; parked; parked = next) {
        next = parked->next;
        size_t size = parked->size;
        size_t offset = parked->offset;
        if (!would_wait(reader, offset)) answer(reader, unpark(parked), size, offset);
    }
    tell_poll(reader);
}

// ---- life ----

struct reader *reader_create(struct fs *fs, const struct node *node,
                             const struct reader_source *source, size_t size) {
    assert(size >= sizeof(struct reader));
    struct reader *reader = (struct reader *)handle_create(fs, node, size);
    if (!reader) return NULL;
    reader->source = source;
    follower_init(&reader->follower, on_change, reader);
    return reader;
}

int reader_open(struct fs *fs, const struct node *node, const struct reader_source *source,
                struct handle **handle_out) {
    struct place *place = place_of(fs, node);
    if (!place) return ERROR_NO_MEMORY;
    // A prompt may have come since the name was looked up: this is still the inode of what they
    // read.
    const struct handle *open = handles_find(fs, tree_inode(node));
    struct reader *reader = reader_create(fs, node, source, sizeof(*reader));
    if (!reader) return ERROR_NO_MEMORY;
    bool joined =
        open && follower_join(&reader->follower, &((const struct reader *)open)->follower);
    if (!joined && !follower_bind(&reader->follower, place, node)) {
        reader_close(&reader->handle);
        return place_problem(fs, node);
    }
    *handle_out = &reader->handle;
    return 0;
}

struct request *reader_shown_request(const struct fs *fs, const struct node *node) {
    const struct handle *open = handles_find(fs, tree_inode(node));
    if (open) return ((const struct reader *)open)->follower.request;
    return !node->request && place_is_being_written(fs, node) ? NULL : node_request(node);
}

bool reader_is_newest(const struct handle *handle) {
    return follower_is_newest(&((const struct reader *)handle)->follower, handle->fs,
                              &handle->node);
}

int reader_failure(struct reader *reader) {
    if (!reader->follower.request) return place_problem(reader->handle.fs, &reader->handle.node);
    return error_of_failure(request_failure(reader->follower.request));
}

// "(echo Shorter:; cat response) > prompt": the reader has inherited the prompt that it would wait
// for, and neither would ever end. What it means is the answer before.
static void end_waiting_for_itself(struct reader *reader, struct fuse_req *request) {
    if (!follower_awaits_one(&reader->follower)) return;
    struct node prompt = reader->handle.node;
    prompt.entry = layout_find(DIRECTORY_PROVIDER, "prompt");
    if (!process_holds_alone(fuse_req_ctx(request)->pid, tree_inode(&prompt))) return;
    follower_look_back(&reader->follower, &reader->handle.node);
    on_change(reader); // others may read from the same open file
}

void reader_read(struct handle *handle, struct fuse_req *request, size_t size, size_t offset,
                 int flags) {
    struct reader *reader = (struct reader *)handle;
    if (would_wait(reader, offset) && !(flags & O_NONBLOCK))
        end_waiting_for_itself(reader, request);
    if (!would_wait(reader, offset))
        answer(reader, request, size, offset);
    else if (flags & O_NONBLOCK)
        reply_error(request, ERROR_WOULD_WAIT);
    else if (handle->fs->is_abandoned)
        reply_error(request, ERROR_ABANDONED);
    else
        park(reader, request, size, offset);
}

unsigned reader_poll(struct handle *handle, struct fuse_pollhandle *pollhandle) {
    struct reader *reader = (struct reader *)handle;
    if (pollhandle) {
        if (reader->pollhandle) fuse_pollhandle_destroy(reader->pollhandle);
        reader->pollhandle = pollhandle;
    }
    return would_wait(reader, reader->read_to) ? 0 : POLLIN | POLLRDNORM;
}

void reader_abandon(struct handle *handle) {
    struct reader *reader = (struct reader *)handle;
    while (reader->parked)
        reader_refuse(reader->parked, ERROR_ABANDONED);
}

void reader_close(struct handle *handle) {
    struct reader *reader = (struct reader *)handle;
    reader_abandon(handle);
    follower_finish(&reader->follower);
    if (reader->pollhandle) fuse_pollhandle_destroy(reader->pollhandle);
    handle_destroy(handle);
}
