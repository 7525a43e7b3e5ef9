/*
 * prompt: written and closed, it is a request. Each open for writing is one private draft; the
 * request is made when its last descriptor is gone (close, RELEASE), never at a FLUSH, which comes
 * whenever any copy of the descriptor is closed. Read, it is the last prompt that was sent.
 */
#include <fcntl.h>

#include "core/events/event_kinds.h"
#include "fs/draft.h"
#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/kinds/text.h"
#include "fs/place.h"
#include "fs/process.h"
#include "fs/state.h"

struct prompt {
    struct handle handle;
    bool is_written; /* opened for writing: what follows is in use */
    bool is_killed;  /* the last FLUSH was of a process that a signal ended */
    struct draft draft;
    struct writer writer;
};

static bool opens_for_writing(int flags) {
    return (flags & O_ACCMODE) != O_RDONLY;
}

static int begin_draft(struct prompt *prompt) {
    const struct node *node = &prompt->handle.node;
    int error = error_of_refusal(provider_admits(node->provider));
    if (error) return error;
    struct place *place = place_of(prompt->handle.fs, node);
    if (!place) return ERROR_NO_MEMORY;
    draft_init(&prompt->draft, (size_t)provider_config(node->provider)->max_prompt_bytes, true);
    writer_open(&prompt->writer, place);
    prompt->is_written = true;
    return 0;
}

static int open_prompt(struct fs *fs, const struct node *node, int flags,
                       struct handle **handle_out) {
    struct prompt *prompt = (struct prompt *)handle_create(fs, node, sizeof(*prompt));
    if (!prompt) return ERROR_NO_MEMORY;
    int error = 0;
    if ((flags & O_ACCMODE) != O_WRONLY) error = text_render(&prompt->handle);
    if (!error && opens_for_writing(flags)) error = begin_draft(prompt);
    if (error) {
        handle_destroy(&prompt->handle);
        return error;
    }
    *handle_out = &prompt->handle;
    return 0;
}

static int write_prompt(struct handle *handle, struct slice slice, size_t offset, int flags) {
    struct prompt *prompt = (struct prompt *)handle;
    place_note_write(prompt->writer.place, handle->fs->parts.clock->wall_ns);
    return draft_write(&prompt->draft, offset, slice, flags & O_APPEND);
}

static int flush_prompt(struct handle *handle, pid_t thread) {
    struct prompt *prompt = (struct prompt *)handle;
    if (!prompt->is_written || !prompt->draft.written) return 0;
    // It waits for our answer, so it is still there to be looked at.
    prompt->is_killed = process_is_killed(thread);
    return prompt->is_killed ? 0 : draft_problem(&prompt->draft);
}

static int resize_prompt(struct fs *fs, const struct node *node, struct handle *handle,
                         size_t length) {
    struct prompt *prompt = (struct prompt *)handle;
    if (!prompt || !prompt->is_written) return 0;
    return draft_resize(&prompt->draft, length);
}

// Every write succeeded, and shells do not look at close: who reads next must not take the answer
// before for that of this prompt.
static void refuse(struct prompt *prompt) {
    struct fs *fs = prompt->handle.fs;
    struct provider *provider = prompt->handle.node.provider;
    place_refuse(prompt->writer.place, ERROR_NOT_TEXT);
    event_setting_refused(engine_events(fs->parts.engine), fs->parts.clock->wall_ns,
                          provider_name(provider), "prompt",
                          "a prompt is UTF-8 without NUL: this one stops in the middle of a "
                          "character, or has a hole");
}

// The request that the draft makes, or the newest of the provider. New reference; NULL: none, or
// the draft was refused.
static struct request *end_draft(struct prompt *prompt) {
    struct provider *provider = prompt->handle.node.provider;
    struct request *request = NULL;
    // When the mount ends under a writer, what it has written is half a prompt.
    bool is_whole = !prompt->is_killed && !prompt->handle.fs->is_abandoned;
    if (is_whole && draft_problem(&prompt->draft)) {
        refuse(prompt);
        return NULL;
    }
    if (is_whole && draft_complete(&prompt->draft))
        request = request_submit(provider, &prompt->draft.text);
    if (request) {
        place_refuse(prompt->writer.place, 0);
        return request;
    }
    request = provider_newest_request(provider);
    return request ? request_keep(request) : NULL;
}

static void close_prompt(struct handle *handle) {
    struct prompt *prompt = (struct prompt *)handle;
    if (prompt->is_written) {
        struct request *request = end_draft(prompt);
        writer_close(&prompt->writer, request);
        request_release(request);
        draft_finish(&prompt->draft);
    }
    handle_destroy(handle);
}

// Not text_size: an open for writing has no text, and a draft is nobody else's business.
static size_t size_of_prompt(struct fs *fs, const struct node *node) {
    return node->entry->text->length(fs, node);
}

const struct kind kind_prompt = {
    .size = size_of_prompt,
    .changed_ns = place_written_ns,
    .open = open_prompt,
    .read = handle_read_text,
    .write = write_prompt,
    .flush = flush_prompt,
    .resize = resize_prompt,
    .close = close_prompt,
};
