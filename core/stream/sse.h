/*
 * sse: cuts the bytes of a text/event-stream into events, however the network split them.
 *
 * Pure. Any bytes are accepted; what is not an event is skipped, as the standard asks. Two habits
 * of real servers are accepted beyond it: a line that begins with '{' and a line "error: {…}" are
 * events of their own (type "error" for the second, "" and raw true for the first).
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
#ifndef ASKFS_CORE_STREAM_SSE_H
#define ASKFS_CORE_STREAM_SSE_H

#include "core/base/bytes.h"

struct sse_event {
    struct slice type; /* empty: "message" */
    struct slice data; /* lines joined by '\n' */
    bool raw;          /* a bare line, not a data field */
};

struct sse; /* see sse.c's promises below */

enum sse_status { SSE_MORE, SSE_EVENT, SSE_TOO_LONG };

struct sse {
    struct bytes *buffer;
    int state;
    /* the rest is sse.c's own; add what it needs */
};

/* Borrows buffer, and never keeps more in it than its maximum. */
void sse_init(struct sse *sse, struct bytes *buffer);

/* Takes bytes from the front of *input up to the end of the next event. The event borrows from the
 * buffer or from the input until the next call. SSE_MORE: input is used up. SSE_TOO_LONG: an event
 * passed the buffer's maximum; feed nothing further. */
enum sse_status sse_next(struct sse *sse, struct slice *input, struct sse_event *event_out);

/* At the end of the bytes: an event whose last line was ended, but not its blank line, is given;
 * an unfinished last line is dropped. */
enum sse_status sse_end(struct sse *sse, struct sse_event *event_out);

#endif
