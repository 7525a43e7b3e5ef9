/*
 * request: one prompt's way to one answer: admission, attempts, waiting, streaming, the end.
 *
 *   queued ──> connecting ──> waiting ──> streaming ──> done
 *                  ^             |            |
 *                  |             v            v
 *                  └───────── retrying <──────┘ ──────> failed
 *                                              any ───> cancelled
 *
 * The only conductor: asks policy, tells the transport, feeds the decoder.
 */
#ifndef ASKFS_CORE_ENGINE_REQUEST_H
#define ASKFS_CORE_ENGINE_REQUEST_H

#include "core/engine/engine.h"
#include "core/policy/failure.h"
#include "core/store/store.h"

enum request_state {
    REQUEST_QUEUED,
    REQUEST_CONNECTING,
    REQUEST_WAITING, /* sent, no content yet */
    REQUEST_STREAMING,
    REQUEST_RETRYING, /* between attempts */
    REQUEST_DONE,
    REQUEST_FAILED,
    REQUEST_CANCELLED
};
const char *request_state_name(enum request_state state);

/* Hears of every change of a request. Embedded in its owner. changed is called from engine_flush,
 * so once a turn however much arrived; it may read, unwatch and cancel. */
struct watcher {
    struct watcher *next, *previous;
    void (*changed)(void *owner);
    void *owner;
};

/* Takes the prompt: bytes is emptied. Never fails silently: a request that cannot start is a failed
 * request. New reference for the caller; NULL: no memory, the prompt is kept by the caller. */
struct request *request_submit(struct provider *provider, struct bytes *prompt);

struct request *request_keep(struct request *request);
void request_release(struct request *request); /* accepts NULL */

void request_watch(struct request *request, struct watcher *watcher);
void request_unwatch(struct request *request, struct watcher *watcher);

/* Stops it, upstream too; readers get ECANCELED. Nothing when it has ended. */
void request_cancel(struct request *request);

/* Unique in this mount and never given again. */
uint64_t request_serial(const struct request *request);
const char *request_id(const struct request *request); /* a file name; sorts by time */
enum request_state request_state(const struct request *request);
bool request_has_ended(const struct request *request);
/* How it ended: class FAILURE_NONE while it runs and when it is done. */
const struct failure *request_failure(const struct request *request);

struct slice request_prompt(const struct request *request);
const struct store *request_response(const struct request *request);
const struct store *request_reasoning(const struct request *request);

/* The text from offset for a reader, at most size bytes; borrowed until the next read of any text.
 * Empty before the end: it could not be read back from the disk. What was read can no longer be
 * taken back, so look without reading by store_length. */
enum request_text { REQUEST_RESPONSE, REQUEST_REASONING };
struct slice request_read(struct request *request, enum request_text text, size_t offset,
                          size_t size);

/* When it last changed or ended; for mtime. */
int64_t request_changed_wall_ns(const struct request *request);

#endif
