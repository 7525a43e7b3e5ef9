/* The bytes of a reply on their way to the wire's decoder: what kind of body it is, and its events.
 */
#include <assert.h>

#include "core/providers/decoder.h"
#include "core/providers/json.h"

enum {
    DOCUMENT_BYTES_MAX = 64 << 20,
    FIELD_NAME_MAX = 6, // "event:", "retry:"
    STRANGE_SHOWN_MAX = 200
};

// ---- events ----

static bool is_open(const struct decoder *decoder) {
    return decoder->status == DECODER_MORE || decoder->status == DECODER_FINISHING;
}

// The event's type, or all of its data.
static bool is_keep_alive(struct slice said) {
    static const char *const words[] = { "ping", "keepalive", "keep-alive", "keep_alive",
                                         "heartbeat" };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (slice_equals_nocase(said, words[i])) return true;
    return false;
}

static void take_data(struct decoder *decoder, struct slice type, struct slice data, bool split);

// Data lines that are no JSON together may be events of their own.
static void take_lines(struct decoder *decoder, struct slice type, struct slice data) {
    while (data.length && is_open(decoder)) {
        struct slice line = { data.data, 0 };
        while (line.length < data.length && line.data[line.length] != '\n')
            line.length++;
        size_t taken = line.length + (line.length < data.length);
        data.data += taken;
        data.length -= taken;
        take_data(decoder, type, line, true);
    }
}

static bool has_line_end(struct slice data) {
    for (size_t i = 0; i < data.length; i++)
        if (data.data[i] == '\n') return true;
    return false;
}

static void take_unreadable(struct decoder *decoder, struct slice type, struct slice data,
                            bool split) {
    if (!split && has_line_end(data)) {
        take_lines(decoder, type, data);
        return;
    }
    // What follows the terminal event is nobody's answer.
    bool idle = is_keep_alive(type) || is_keep_alive(data);
    if (idle || decoder->status == DECODER_FINISHING) return;
    decoder_fail_malformed(decoder, data);
}

static void take_json(struct decoder *decoder, struct slice type, struct slice data, bool split) {
    enum json_load_status status;
    json_t *root = json_load(data, &decoder->marked, &status);
    if (status == JSON_NO_MEMORY)
        decoder_fail_memory(decoder);
    else if (root)
        decoder->kind->take_event(decoder, type, root, data);
    else
        take_unreadable(decoder, type, data, split);
    json_decref(root);
}

static void take_data(struct decoder *decoder, struct slice type, struct slice data, bool split) {
    data = slice_trim(data);
    if (data.length == 0 || decoder->kind->take_hot(decoder, data)) return;
    if (slice_equals(data, "[DONE]"))
        decoder->kind->take_done(decoder);
    else
        take_json(decoder, type, data, split);
}

// ---- documents ----

static void begin_mode(struct decoder *decoder, enum decoder_mode mode, size_t bytes_max) {
    decoder->mode = mode;
    decoder->buffer.length_max = bytes_max;
}

static bool keep(struct decoder *decoder, struct slice bytes) {
    if (bytes_append_slice(&decoder->buffer, bytes)) return true;
    if (bytes.length > decoder->buffer.length_max - decoder->buffer.length)
        decoder_fail_stream(decoder, STREAM_TOO_LONG, (struct slice){ 0 });
    else
        decoder_fail_memory(decoder);
    return false;
}

static void sniff_again(struct decoder *decoder) {
    bytes_finish(&decoder->buffer);
    decoder->span = (struct json_span){ 0 };
    begin_mode(decoder, MODE_SNIFF, DECODER_EVENT_MAX);
}

static void feed_document(struct decoder *decoder, struct slice *input) {
    struct slice part = { input->data, 0 };
    bool ended = json_span_next(&decoder->span, input);
    part.length = (size_t)(input->data - part.data);
    if (!keep(decoder, part) || !ended) return;
    decoder->had_document = true;
    take_data(decoder, (struct slice){ 0 }, bytes_slice(&decoder->buffer), true);
    sniff_again(decoder);
}

// ---- what is it? ----

static bool is_field_name(struct slice text) {
    static const char *const names[] = { "data:", "event:", "id:", "retry:", "error:", ":" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_starts_with(text, names[i])) return true;
    return false;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Past blanks, and a BOM that is wholly there.
static struct slice beginning(struct slice seen) {
    if (slice_starts_with(seen, "\xef\xbb\xbf")) {
        seen.data += 3;
        seen.length -= 3;
    }
    while (seen.length && is_blank(seen.data[0])) {
        seen.data++;
        seen.length--;
    }
    return seen;
}

static enum decoder_mode mode_of(const struct decoder *decoder, struct slice begun, bool ended) {
    if (begun.length == 0) return MODE_SNIFF;
    if (begun.data[0] == '{' || begun.data[0] == '[') return MODE_DOCUMENT;
    if (begun.data[0] == '<') return MODE_STRANGE;
    if (is_field_name(begun)) return MODE_EVENTS;
    if (begun.length < FIELD_NAME_MAX && !ended) return MODE_SNIFF;
    return decoder->is_event_stream || decoder->had_document ? MODE_EVENTS : MODE_STRANGE;
}

static void feed(struct decoder *decoder, struct slice input);

// The bytes seen so far go where they belong.
static void choose_mode(struct decoder *decoder, bool ended) {
    struct slice begun = beginning(bytes_slice(&decoder->buffer));
    enum decoder_mode mode = mode_of(decoder, begun, ended);
    if (mode == MODE_SNIFF) return;
    struct bytes seen = decoder->buffer;
    bytes_init(&decoder->buffer, 0);
    if (mode == MODE_EVENTS) sse_init(&decoder->sse, &decoder->buffer);
    begin_mode(decoder, mode, mode == MODE_DOCUMENT ? DOCUMENT_BYTES_MAX : DECODER_EVENT_MAX);
    feed(decoder, begun);
    bytes_finish(&seen);
}

// Byte by byte, and mostly one byte: what comes next is decided at the first that is no blank.
static void feed_sniff(struct decoder *decoder, struct slice *input) {
    while (decoder->mode == MODE_SNIFF && input->length && is_open(decoder)) {
        bool blank =
            is_blank(input->data[0]) && beginning(bytes_slice(&decoder->buffer)).length == 0;
        struct slice first = { input->data++, 1 };
        input->length--;
        if (blank) continue;
        if (keep(decoder, first)) choose_mode(decoder, false);
    }
}

static void fail_strange(struct decoder *decoder) {
    decoder_fail_stream(decoder, STREAM_NOT_STREAM, bytes_slice(&decoder->buffer));
}

static void feed_strange(struct decoder *decoder, struct slice *input) {
    struct slice shown = *input;
    size_t room = STRANGE_SHOWN_MAX - decoder->buffer.length;
    if (shown.length > room) shown.length = room;
    *input = (struct slice){ 0 };
    if (keep(decoder, shown) && decoder->buffer.length == STRANGE_SHOWN_MAX) fail_strange(decoder);
}

// ---- the stream ----

// A bare line that is not whole JSON begins a document written over many lines.
static void take_bare_line(struct decoder *decoder, const struct sse_event *event) {
    struct json_span span = { 0 };
    struct slice rest = event->data;
    if (json_span_next(&span, &rest)) {
        take_data(decoder, event->type, event->data, false);
        return;
    }
    struct bytes line;
    bytes_init(&line, DECODER_EVENT_MAX + 1);
    if (bytes_append_slice(&line, event->data) && bytes_append(&line, "\n", 1)) {
        bool skip_lf = decoder->sse.skip_lf; // the line's own, when it comes
        decoder->sse.skip_lf = false;
        sniff_again(decoder);
        feed(decoder, bytes_slice(&line));
        decoder->sse.skip_lf = skip_lf;
    } else {
        decoder_fail_memory(decoder);
    }
    bytes_finish(&line);
}

static void take_event(struct decoder *decoder, const struct sse_event *event) {
    if (event->raw)
        take_bare_line(decoder, event);
    else
        take_data(decoder, event->type, event->data, false);
}

static void feed_events(struct decoder *decoder, struct slice *input) {
    struct sse_event event;
    while (is_open(decoder) && decoder->mode == MODE_EVENTS) {
        switch (sse_next(&decoder->sse, input, &event)) {
        case SSE_EVENT:
            take_event(decoder, &event);
            break;
        case SSE_MORE:
            return;
        case SSE_TOO_LONG:
            decoder_fail_stream(decoder, STREAM_TOO_LONG, (struct slice){ 0 });
            break;
        case SSE_NO_MEMORY:
            decoder_fail_memory(decoder);
            break;
        }
    }
}

static void skip_lf(struct decoder *decoder, struct slice *input) {
    if (decoder->mode == MODE_EVENTS || !decoder->sse.skip_lf || input->length == 0) return;
    decoder->sse.skip_lf = false;
    if (input->data[0] != '\n') return;
    input->data++;
    input->length--;
}

static void feed(struct decoder *decoder, struct slice input) {
    skip_lf(decoder, &input);
    while (input.length && is_open(decoder)) {
        switch (decoder->mode) {
        case MODE_SNIFF:
            feed_sniff(decoder, &input);
            break;
        case MODE_EVENTS:
            feed_events(decoder, &input);
            break;
        case MODE_DOCUMENT:
            feed_document(decoder, &input);
            break;
        case MODE_STRANGE:
            feed_strange(decoder, &input);
            break;
        }
    }
}

static void end_with(struct decoder *decoder, enum decoder_status status) {
    decoder->status = status;
    bytes_finish(&decoder->buffer);
}

enum decoder_status decoder_feed(struct decoder *decoder, struct slice bytes, struct gain *gain) {
    decoder->gain = gain;
    feed(decoder, bytes);
    if (!is_open(decoder)) end_with(decoder, decoder->status);
    decoder->gain = NULL;
    return decoder->status;
}

// ---- the end of the bytes ----

static void end_events(struct decoder *decoder) {
    struct sse_event event;
    while (is_open(decoder) && sse_end(&decoder->sse, &event) == SSE_EVENT)
        take_event(decoder, &event);
}

static void end_answer(struct decoder *decoder) {
    if (decoder->mode == MODE_SNIFF) choose_mode(decoder, true);
    if (decoder->mode == MODE_EVENTS) end_events(decoder);
    if (!is_open(decoder)) return;
    if (decoder->status == DECODER_FINISHING)
        decoder_complete(decoder, DECODER_DONE);
    else if (decoder->mode == MODE_STRANGE)
        fail_strange(decoder);
    else if (decoder->had_document && !decoder->facts.has_content && decoder->mode == MODE_SNIFF)
        decoder_fail_stream(decoder, STREAM_NOT_STREAM, slice_of("JSON that is no answer"));
    else
        decoder->kind->take_end(decoder);
}

enum decoder_status decoder_end(struct decoder *decoder, struct gain *gain) {
    decoder->gain = gain;
    if (is_open(decoder)) end_answer(decoder);
    end_with(decoder, decoder->status);
    decoder->gain = NULL;
    assert(decoder->status == DECODER_DONE || decoder->status == DECODER_FAILED);
    return decoder->status;
}
