/*
 * decoder: what the decoders of all wires share: what kind of body it is, its events, its end, its
 * failures, and the text on its way out. A wire's decoder knows its own events and nothing else.
 *
 *   SNIFF ──"data:", "event:", …──> EVENTS      text/event-stream
 *     │ ^──────────────────┐
 *     ├──'{' or '['──> DOCUMENT                 JSON values: a whole answer, an error, NDJSON
 *     └──anything else──> STRANGE               a web page: fails once its beginning is known
 */
#ifndef ASKFS_CORE_PROVIDERS_DECODER_H
#define ASKFS_CORE_PROVIDERS_DECODER_H

#include "core/providers/wire.h"
#include "core/stream/json_repair.h"
#include "core/stream/json_text.h"
#include "core/stream/sse.h"

enum decoder_mode { MODE_SNIFF, MODE_EVENTS, MODE_DOCUMENT, MODE_STRANGE };
enum channel_kind { CHANNEL_TEXT, CHANNEL_REASONING, CHANNEL_COUNT };

struct channel {
    size_t length; /* bytes given to the gain so far */
    struct half half;
};

/* One wire's part. Each is called only while the status is MORE or FINISHING. */
struct decoder_kind {
    /* An ordinary text delta, taken without the full parser. False: nothing was done. */
    bool (*take_hot)(struct decoder *decoder, struct slice data);
    /* type: the SSE event's, may be empty. data: what root was read from. */
    void (*take_event)(struct decoder *decoder, struct slice type, const json_t *root,
                       struct slice data);
    void (*take_done)(struct decoder *decoder); /* data: [DONE] */
    void (*take_end)(struct decoder *decoder);  /* the bytes ended; status is MORE */
    json_t *(*message)(const struct decoder *decoder, struct slice text, struct slice reasoning);
    void (*resume)(struct decoder *decoder); /* NULL: it never is */
    void (*finish)(struct decoder *decoder); /* frees what the wire's part holds */
};

struct decoder {
    struct decoder_facts facts;
    const struct decoder_kind *kind;
    struct dialect dialect;
    enum decoder_status status;
    enum decoder_mode mode;
    bool is_event_stream; /* the content type says so, or says nothing */
    bool marked;          /* the event at hand was repaired */
    bool had_document;    /* a whole JSON value came outside of events */
    struct bytes buffer;  /* what the mode waits with */
    struct sse sse;
    struct json_span span;
    struct channel channels[CHANNEL_COUNT];
    struct gain *gain;      /* during a call */
    bool is_joined;         /* text before its own belongs to the answer */
    ptrdiff_t text_shift;   /* from its own text to the joined one */
    bool without_reasoning; /* the message has none */
    size_t kept;            /* bytes that the wire's part holds */
};

enum { DECODER_EVENT_MAX = 64 << 20 }; /* bytes of one event: its last may repeat the answer */

/* What a decoder keeps for response.json beside the text: tool arguments, signatures, results. */
enum { DECODER_KEPT_MAX = 64 << 20 };

/* Offset x of its own text, in the text that decoder_message is given. */
size_t decoder_shifted(const struct decoder *decoder, size_t x);

void decoder_init(struct decoder *decoder, const struct decoder_kind *kind,
                  const struct dialect *dialect, struct slice content_type);

/* Text from a string of the event at hand, or from the inside of one that was scanned. Anything but
 * a string gives nothing. Returns how many bytes were given. */
size_t decoder_give(struct decoder *decoder, enum channel_kind channel, const json_t *string);
size_t decoder_give_inside(struct decoder *decoder, enum channel_kind channel, struct slice inside);
/* Content other than text came. */
void decoder_note_content(struct decoder *decoder);
/* Counts bytes that are kept; false: they are too many, and the decoder has failed. */
bool decoder_keeps(struct decoder *decoder, size_t bytes);

/* Copies value when the fact is still unknown. */
void decoder_set_fact(char *fact, size_t size, struct slice value);

/* The event is an error, in whichever of the many shapes: "error" as the type of the event or of
 * its JSON, an error member that says something, or a bare {message, code or type, …} and {detail};
 * and MiniMax's base_resp. */
bool decoder_is_error(struct slice sse_type, const json_t *root);

/* The answer is complete: DECODER_FINISHING or DECODER_DONE. */
void decoder_complete(struct decoder *decoder, enum decoder_status status);

void decoder_fail_reply(struct decoder *decoder, struct slice payload);
void decoder_fail_stream(struct decoder *decoder, enum stream_end end, struct slice said);
void decoder_fail_malformed(struct decoder *decoder, struct slice said);
void decoder_fail_memory(struct decoder *decoder);

#endif
