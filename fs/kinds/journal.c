/*
 * journal: events and alerts, ordinary text files that grow: their true size, the end at their end,
 * more later. A read never waits; whoever wants more polls, or looks at the size again.
 */
#include <poll.h>

#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/reply.h"
#include "fs/state.h"
#include "fs/window.h"

struct journal {
    struct events *(*events)(const struct fs *fs);
};

struct journal_handle {
    struct handle handle;
    struct events *events; // NULL: no memory at the start; an empty file
    struct window window;
    struct fuse_pollhandle
        *pollhandle; // who wants to be told; NULL: nobody, and nothing is watched
    struct events_watcher watcher;
};

static struct events *events_of(const struct fs *fs) {
    return engine_events(fs->parts.engine);
}

static struct events *alerts_of(const struct fs *fs) {
    return engine_alerts(fs->parts.engine);
}

const struct journal journal_events = { events_of };
const struct journal journal_alerts = { alerts_of };

static struct events *find_events(const struct fs *fs, const struct node *node) {
    return node->entry->journal->events(fs);
}

// One for all who have it open, for the kernel knows one size.
static uint64_t base_of(const struct fs *fs, const struct node *node) {
    const struct handle *other = handles_find(fs, tree_inode(node));
    if (other) return ((const struct journal_handle *)other)->window.base;
    return events_start(find_events(fs, node));
}

static size_t size_of_journal(struct fs *fs, const struct node *node) {
    return (size_t)window_size(find_events(fs, node), base_of(fs, node));
}

static int64_t journal_changed_ns(const struct fs *fs, const struct node *node) {
    int64_t changed_ns = events_changed_wall_ns(find_events(fs, node));
    return changed_ns ? changed_ns : fs->mounted_wall_ns;
}

// ---- poll ----

static void take_pollhandle(struct journal_handle *journal, struct fuse_pollhandle *pollhandle) {
    if (journal->pollhandle)
        fuse_pollhandle_destroy(journal->pollhandle);
    else
        events_watch(journal->events, &journal->watcher);
    journal->pollhandle = pollhandle;
}

static void drop_pollhandle(struct journal_handle *journal) {
    if (!journal->pollhandle) return;
    events_unwatch(journal->events, &journal->watcher);
    fuse_pollhandle_destroy(journal->pollhandle);
    journal->pollhandle = NULL;
}

static void there_is_more(void *owner) {
    struct journal_handle *journal = owner;
    if (!window_has_news(&journal->window)) return;
    fuse_lowlevel_notify_poll(journal->pollhandle);
    drop_pollhandle(journal);
}

static unsigned poll_journal(struct handle *handle, struct fuse_pollhandle *pollhandle) {
    struct journal_handle *journal = (struct journal_handle *)handle;
    if (pollhandle) take_pollhandle(journal, pollhandle);
    return window_has_news(&journal->window) ? POLLIN | POLLRDNORM : 0;
}

// ---- open, read, close ----

static int open_journal(struct fs *fs, const struct node *node, int flags,
                        struct handle **handle_out) {
    uint64_t base = base_of(fs, node);
    struct journal_handle *journal =
        (struct journal_handle *)handle_create(fs, node, sizeof(*journal));
    if (!journal) return ERROR_NO_MEMORY;
    journal->events = find_events(fs, node);
    journal->watcher = (struct events_watcher){ .changed = there_is_more, .owner = journal };
    window_init(&journal->window, journal->events, base);
    *handle_out = &journal->handle;
    return 0;
}

static void read_journal(struct handle *handle, struct fuse_req *request, size_t size,
                         size_t offset, int flags) {
    struct journal_handle *journal = (struct journal_handle *)handle;
    struct slice slice;
    if (window_read(&journal->window, offset, size, &handle->text, &slice))
        reply_bytes(request, slice);
    else
        reply_error(request, ERROR_NO_MEMORY);
    bytes_finish(&handle->text);
}

static void close_journal(struct handle *handle) {
    drop_pollhandle((struct journal_handle *)handle);
    handle_destroy(handle);
}

const struct kind kind_journal = {
    .size = size_of_journal,
    .changed_ns = journal_changed_ns,
    .open = open_journal,
    .read = read_journal,
    .poll = poll_journal,
    .close = close_journal,
};
