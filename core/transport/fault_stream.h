/*
 * fault_stream: the bytes of an answer, with a rehearsed failure put into them where it belongs.
 * Bytes go in as they come; what is to be done with them comes out, deed by deed.
 *
 * Chunks are the events that bring content, as the decoder of the wire sees them: those that open
 * and close an answer are none, and none is cut in two. A body that is no event stream is cut in
 * its first piece.
 *
 * Pure.
 */
#ifndef ASKFS_CORE_TRANSPORT_FAULT_STREAM_H
#define ASKFS_CORE_TRANSPORT_FAULT_STREAM_H

#include "core/transport/fault_target.h"

struct fault_stream {
    struct fault fault;
    const struct wire *wire;
    struct decoder *decoder; /* sees what is content, and what ends; NULL: it takes no more */
    struct gain gain;        /* scratch */
    struct bytes waiting;    /* what came */
    size_t given;            /* of it, at its front */
    struct bytes made;       /* scratch: what we say instead */
    bool is_events;
    bool has_ended;    /* nothing more comes in */
    bool is_due;       /* the failure comes next */
    int64_t chunks;    /* given */
    int64_t paced_ns;  /* when the next chunk may be given */
    int64_t silent_ns; /* until when nothing is */

    /* what is known of the event at the front */
    bool is_known;
    bool is_content;
    bool is_terminal;
};

enum fault_step {
    FAULT_STEP_MORE,  /* feed further; after the end: all is given */
    FAULT_STEP_GIVE,  /* bytes, borrowed until the next call */
    FAULT_STEP_WAIT,  /* until until_ns */
    FAULT_STEP_END,   /* the body ends here, politely */
    FAULT_STEP_RESET, /* or breaks off */
    FAULT_STEP_NO_MEMORY
};
struct fault_deed {
    enum fault_step step;
    struct slice bytes;
    int64_t until_ns; /* TIME_NEVER: for ever */
};

/* Begins with the headers of a reply. Only answers fail in their midst: with another status its
 * bytes pass. False: no memory; finish it all the same. */
bool fault_stream_init(struct fault_stream *stream, const struct fault *fault,
                       const struct fault_target *target, int status, struct slice content_type);
void fault_stream_finish(struct fault_stream *stream); /* accepts zeroed storage */

/* False: no memory, or more is waiting than there may. */
bool fault_stream_feed(struct fault_stream *stream, struct slice bytes);
void fault_stream_end(struct fault_stream *stream);

struct fault_deed fault_stream_next(struct fault_stream *stream, int64_t now_ns);

#endif
