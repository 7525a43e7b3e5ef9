/*
 * sse: cuts the bytes of a text/event-stream into events, however the network split them.
 *
 * Pure. Any bytes are accepted; what is not an event is skipped, as the standard asks. Habits of
 * real servers are accepted beyond it: a line that begins with '{' and a line "error: {…}" are
 * events of their own (raw; type "error" for the second), and where data that ends with '}' is
 * followed by a new event's first line without the blank line between, it is an event.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
#ifndef ASKFS_CORE_STREAM_SSE_H
#define ASKFS_CORE_STREAM_SSE_H

#include "core/base/bytes.h"

struct sse_event {
    struct slice type; /* empty: "message"; longer names are cut to SSE_TYPE_MAX */
    struct slice data; /* lines joined by '\n' */
    bool raw;          /* a bare line, not a data field */
};

enum { SSE_TYPE_MAX = 63 };

enum sse_status {
    SSE_MORE,
    SSE_EVENT,
    SSE_TOO_LONG, /* an event passed the buffer's maximum */
    SSE_NO_MEMORY
};

struct sse {
    struct bytes *buffer; /* data of the event under way, then its unfinished line */
    size_t data_length;   /* how much of the buffer is data */
    struct slice data;    /* or: data that still lies in the input, during a call */
    bool has_data;
    bool began;     /* past the place of a BOM */
    bool skip_lf;   /* the input ended between CR and LF */
    bool was_given; /* the event given last borrows from the buffer */
    bool has_line;  /* behind given_length the buffer holds a line to look at again */
    size_t given_length;
    unsigned char type_length;
    char type[SSE_TYPE_MAX + 1];
};

/* Borrows buffer, never keeps more in it than its maximum, and gives its memory back whenever
 * nothing waits in it: an event that lies wholly inside one input costs no allocation. */
void sse_init(struct sse *sse, struct bytes *buffer);

/* Takes bytes from the front of *input up to the end of the next event. The event borrows from the
 * buffer or from the input until the next call. SSE_MORE: input is used up; call until then.
 * SSE_TOO_LONG and SSE_NO_MEMORY: feed nothing further. */
enum sse_status sse_next(struct sse *sse, struct slice *input, struct sse_event *event_out);

/* At the end of the bytes: an event whose last line was ended, but not its blank line, is given;
 * an unfinished last line is dropped. */
enum sse_status sse_end(struct sse *sse, struct sse_event *event_out);

#endif
