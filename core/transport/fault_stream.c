#include "core/transport/fault_stream.h"

#include <string.h>

#include "core/base/time.h"
#include "core/transport/fault_words.h"

enum { WAITING_BYTES_MAX = 64 << 20, GAIN_BYTES_MAX = 16 << 20, MADE_BYTES_MAX = 16 << 20 };

bool fault_stream_init(struct fault_stream *stream, const struct fault *fault,
                       const struct fault_target *target, int status, struct slice content_type) {
    bool is_answer = status == 200 || status == 201;
    *stream = (struct fault_stream){ .fault = *fault, .wire = target->wire };
    stream->is_events = slice_contains_nocase(content_type, "event-stream");
    bytes_init(&stream->waiting, WAITING_BYTES_MAX);
    bytes_init(&stream->made, MADE_BYTES_MAX);
    bytes_init(&stream->gain.text, GAIN_BYTES_MAX);
    bytes_init(&stream->gain.reasoning, GAIN_BYTES_MAX);
    if (!is_answer) {
        stream->fault.kind = FAULT_NONE;
        stream->fault.pace_ns = -1;
    }
    if (!is_answer || !stream->is_events) return true;
    stream->decoder = target->wire->decoder_create(target->dialect, content_type);
    return stream->decoder != NULL;
}

void fault_stream_finish(struct fault_stream *stream) {
    decoder_destroy(stream->decoder);
    bytes_finish(&stream->waiting);
    bytes_finish(&stream->made);
    bytes_finish(&stream->gain.text);
    bytes_finish(&stream->gain.reasoning);
    stream->decoder = NULL;
}

bool fault_stream_feed(struct fault_stream *stream, struct slice bytes) {
    bytes_remove_front(&stream->waiting, stream->given);
    stream->given = 0;
    return bytes_append_slice(&stream->waiting, bytes);
}

void fault_stream_end(struct fault_stream *stream) {
    stream->has_ended = true;
}

// ---- the event at the front ----

static struct slice ahead(const struct fault_stream *stream) {
    return (struct slice){ stream->waiting.data + stream->given,
                           stream->waiting.length - stream->given };
}

// Up to and with its blank line, whatever ends its lines. 0: it is not whole.
static size_t event_length(struct slice text) {
    bool is_empty = true; // the line at hand
    for (size_t i = 0; i < text.length; i++) {
        bool is_return = text.data[i] == '\r';
        if (!is_return && text.data[i] != '\n') {
            is_empty = false;
            continue;
        }
        if (is_return && i + 1 < text.length && text.data[i + 1] == '\n') i++;
        if (is_empty) return i + 1;
        is_empty = true;
    }
    return 0;
}

// False: wait for more of it. What is left at the end of the body is one event, whole or not.
static bool find_event(const struct fault_stream *stream, struct slice *event_out) {
    struct slice event = ahead(stream);
    if (event.length == 0) return false;
    size_t length = stream->is_events ? event_length(event) : event.length;
    if (length == 0 && !stream->has_ended) return false;
    if (length) event.length = length;
    *event_out = event;
    return true;
}

static void look_at(struct fault_stream *stream, struct slice event) {
    if (stream->is_known) return;
    stream->is_known = true;
    stream->is_content = false;
    stream->is_terminal = false;
    if (!stream->decoder) return;
    uint64_t before = decoder_facts(stream->decoder)->progress;
    enum decoder_status status = decoder_feed(stream->decoder, event, &stream->gain);
    stream->is_content = decoder_facts(stream->decoder)->progress != before;
    stream->is_terminal = status == DECODER_FINISHING || status == DECODER_DONE;
    bytes_clear(&stream->gain.text);
    bytes_clear(&stream->gain.reasoning);
    if (status != DECODER_DONE && status != DECODER_FAILED) return;
    decoder_destroy(stream->decoder); // it takes no more
    stream->decoder = NULL;
}

// ---- deeds ----

static struct fault_deed deed(enum fault_step step) {
    return (struct fault_deed){ .step = step };
}

static struct fault_deed wait_until(int64_t until_ns) {
    return (struct fault_deed){ .step = FAULT_STEP_WAIT, .until_ns = until_ns };
}

static struct fault_deed give(struct slice bytes) {
    return (struct fault_deed){ .step = FAULT_STEP_GIVE, .bytes = bytes };
}

static bool comes_after_chunks(enum fault_kind kind) {
    return kind == FAULT_DISCONNECT || kind == FAULT_TRUNCATE || kind == FAULT_STALL ||
           kind == FAULT_ERROR;
}

static struct fault_deed strike(struct fault_stream *stream, int64_t now_ns) {
    enum fault_kind kind = stream->fault.kind;
    if (kind == FAULT_DISCONNECT) return deed(FAULT_STEP_RESET);
    if (kind == FAULT_STALL) {
        int64_t wait_ns = stream->fault.wait_ns;
        stream->fault.kind = FAULT_NONE;
        stream->is_due = false;
        stream->silent_ns = wait_ns == TIME_NEVER ? TIME_NEVER : time_after(now_ns, wait_ns);
        return wait_until(stream->silent_ns);
    }
    if (kind != FAULT_ERROR || !stream->is_events) return deed(FAULT_STEP_END);
    stream->fault.kind = FAULT_TRUNCATE; // behind the event, nothing
    bytes_clear(&stream->made);
    if (!fault_write_event(stream->fault.error, stream->wire, &stream->made))
        return deed(FAULT_STEP_NO_MEMORY);
    return give(bytes_slice(&stream->made));
}

// The event is cut off inside its JSON.
static struct fault_deed give_spoilt(struct fault_stream *stream, struct slice event) {
    bytes_clear(&stream->made);
    if (!bytes_append(&stream->made, event.data, event.length * 3 / 4) ||
        !bytes_append_text(&stream->made, "\n\n"))
        return deed(FAULT_STEP_NO_MEMORY);
    return give(bytes_slice(&stream->made));
}

static struct fault_deed give_event(struct fault_stream *stream, struct slice event,
                                    int64_t now_ns) {
    const struct fault *fault = &stream->fault;
    stream->given += event.length;
    stream->is_known = false;
    if (!stream->is_content) return give(event);
    stream->chunks++;
    if (fault->pace_ns > 0) stream->paced_ns = time_after(now_ns, fault->pace_ns);
    if (comes_after_chunks(fault->kind) && stream->chunks == fault->chunks) stream->is_due = true;
    if (fault->kind == FAULT_MALFORMED && stream->chunks == fault->chunks)
        return give_spoilt(stream, event);
    return give(event);
}

// A body in one piece: a part of it comes, then what the failure says.
static struct fault_deed give_part(struct fault_stream *stream, struct slice piece) {
    bool is_malformed = stream->fault.kind == FAULT_MALFORMED;
    stream->is_due = true;
    piece.length = is_malformed ? piece.length * 3 / 4 : piece.length / 2;
    stream->given += piece.length;
    return give(piece);
}

struct fault_deed fault_stream_next(struct fault_stream *stream, int64_t now_ns) {
    enum fault_kind kind = stream->fault.kind;
    struct slice event;
    if (stream->is_due) return strike(stream, now_ns);
    if (now_ns < stream->silent_ns) return wait_until(stream->silent_ns);
    if (!find_event(stream, &event)) return deed(FAULT_STEP_MORE);
    if (!stream->is_events && (comes_after_chunks(kind) || kind == FAULT_MALFORMED))
        return give_part(stream, event);
    look_at(stream, event);
    bool opens = !stream->is_content && !stream->is_terminal;
    if (comes_after_chunks(kind) && stream->fault.chunks == 0 && !opens)
        return strike(stream, now_ns);
    if (kind == FAULT_NO_TERMINAL && stream->is_terminal) return deed(FAULT_STEP_END);
    if (now_ns < stream->paced_ns && !opens) return wait_until(stream->paced_ns);
    return give_event(stream, event, now_ns);
}
