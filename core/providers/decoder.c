#include "core/providers/decoder.h"

#include <stdlib.h>

#include "core/base/text.h"
#include "core/providers/json.h"

enum { MALFORMED_SHOWN_MAX = 200 };

// ---- life ----

static bool says_event_stream(struct slice content_type) {
    return slice_trim(content_type).length == 0 ||
           slice_contains_nocase(content_type, "event-stream");
}

void decoder_init(struct decoder *decoder, const struct decoder_kind *kind,
                  const struct dialect *dialect, struct slice content_type) {
    *decoder = (struct decoder){
        .kind = kind,
        .dialect = *dialect,
        .status = DECODER_MORE,
        .is_event_stream = says_event_stream(content_type),
        .facts = { .sequence_number = -1,
                   .usage = { USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN } },
    };
    bytes_init(&decoder->buffer, DECODER_EVENT_MAX);
    sse_init(&decoder->sse, &decoder->buffer);
}

void decoder_destroy(struct decoder *decoder) {
    if (!decoder) return;
    decoder->kind->finish(decoder);
    bytes_finish(&decoder->buffer);
    free(decoder);
}

void decoder_resume(struct decoder *decoder, struct slice content_type) {
    bytes_finish(&decoder->buffer);
    bytes_init(&decoder->buffer, DECODER_EVENT_MAX);
    sse_init(&decoder->sse, &decoder->buffer);
    decoder->mode = MODE_SNIFF;
    decoder->span = (struct json_span){ 0 };
    decoder->had_document = false;
    decoder->is_event_stream = says_event_stream(content_type);
    decoder->status = DECODER_MORE;
    if (decoder->kind->resume) decoder->kind->resume(decoder);
}

void decoder_shift_text(struct decoder *decoder, ptrdiff_t shift) {
    decoder->is_joined = true;
    decoder->text_shift = shift;
}

void decoder_leave_out_reasoning(struct decoder *decoder) {
    decoder->without_reasoning = true;
}

size_t decoder_shifted(const struct decoder *decoder, size_t x) {
    ptrdiff_t shifted = (ptrdiff_t)x + decoder->text_shift;
    return shifted > 0 ? (size_t)shifted : 0;
}

const struct decoder_facts *decoder_facts(const struct decoder *decoder) {
    return &decoder->facts;
}

json_t *decoder_message(const struct decoder *decoder, struct slice text, struct slice reasoning) {
    return decoder->kind->message(decoder, text, reasoning);
}

void decoder_set_fact(char *fact, size_t size, struct slice value) {
    if (fact[0] == '\0' && value.length) text_printable(fact, size, value);
}

// ---- ends ----

void decoder_fail_reply(struct decoder *decoder, struct slice payload) {
    struct failed_reply reply = { .status = 200, .body = payload, .in_stream = true };
    failure_from_reply(&reply, &decoder->facts.failure);
    decoder->status = DECODER_FAILED;
}

void decoder_fail_stream(struct decoder *decoder, enum stream_end end, struct slice said) {
    failure_from_stream(end, said, &decoder->facts.failure);
    decoder->status = DECODER_FAILED;
}

// Like a cut, but the server's doing: worth one more try.
void decoder_fail_malformed(struct decoder *decoder, struct slice said) {
    struct failure *failure = &decoder->facts.failure;
    struct bytes words;
    bytes_init(&words, sizeof(failure->message));
    if (said.length > MALFORMED_SHOWN_MAX) said.length = MALFORMED_SHOWN_MAX;
    bool told = bytes_append_text(&words, "an event of the stream is not JSON: ") &&
                bytes_append_slice(&words, said);
    failure_from_us(FAILURE_PROTOCOL, told ? words.data : "an event of the stream is not JSON",
                    failure);
    bytes_finish(&words);
    failure->retryable = true;
    failure->retry_once = true;
    failure->counts_for_breaker = true;
    failure->billed = BILLED_YES;
    failure->http_status = 200;
    decoder->status = DECODER_FAILED;
}

void decoder_fail_memory(struct decoder *decoder) {
    failure_from_us(FAILURE_INTERNAL, "out of memory", &decoder->facts.failure);
    decoder->facts.failure.cause = CAUSE_MEMORY;
    decoder->status = DECODER_FAILED;
}

static struct bytes *gain_of(struct decoder *decoder, enum channel_kind channel) {
    return channel == CHANNEL_TEXT ? &decoder->gain->text : &decoder->gain->reasoning;
}

void decoder_complete(struct decoder *decoder, enum decoder_status status) {
    if (decoder->status == DECODER_FAILED) return;
    for (int i = 0; i < CHANNEL_COUNT; i++) {
        struct bytes *out = gain_of(decoder, i);
        size_t before = out->length;
        if (!json_end_half(&decoder->channels[i].half, out)) {
            decoder_fail_memory(decoder);
            return;
        }
        decoder->channels[i].length += out->length - before;
    }
    decoder->status = status;
}

// ---- content ----

void decoder_note_content(struct decoder *decoder) {
    decoder->facts.has_content = true;
    decoder->facts.progress++;
}

static size_t note_given(struct decoder *decoder, enum channel_kind channel, size_t before,
                         bool good) {
    if (!good) {
        decoder_fail_memory(decoder);
        return 0;
    }
    size_t given = gain_of(decoder, channel)->length - before;
    decoder->channels[channel].length += given;
    decoder_note_content(decoder);
    return given;
}

size_t decoder_give(struct decoder *decoder, enum channel_kind channel, const json_t *string) {
    struct slice text = json_slice_of(string);
    struct half *half = &decoder->channels[channel].half;
    if (text.length == 0 || decoder->status == DECODER_FAILED) return 0;
    struct bytes *out = gain_of(decoder, channel);
    size_t before = out->length;
    bool good = decoder->marked ? json_unmark(text, half, out)
                                : json_end_half(half, out) && bytes_append_slice(out, text);
    return note_given(decoder, channel, before, good);
}

size_t decoder_give_inside(struct decoder *decoder, enum channel_kind channel,
                           struct slice inside) {
    if (inside.length == 0) return 0;
    struct bytes *out = gain_of(decoder, channel);
    size_t before = out->length;
    bool good = json_unescape(inside, &decoder->channels[channel].half, out);
    return note_given(decoder, channel, before, good);
}

bool decoder_keeps(struct decoder *decoder, size_t bytes) {
    if (decoder->status == DECODER_FAILED) return false;
    if (bytes > DECODER_KEPT_MAX - decoder->kept) {
        decoder_fail_stream(decoder, STREAM_TOO_LONG, slice_of("tool calls"));
        return false;
    }
    decoder->kept += bytes;
    return true;
}

// ---- errors ----

static bool is_bare_error(const json_t *root) {
    struct slice type = json_slice(root, "type");
    if (json_object_get(root, "choices")) return false;
    if (type.length == 0 && json_object_get(root, "detail")) return true;
    return json_is_string(json_object_get(root, "message")) &&
           (json_is_something(json_object_get(root, "code")) ||
            slice_contains_nocase(type, "error"));
}

bool decoder_is_error(struct slice sse_type, const json_t *root) {
    const json_t *base = json_object_get(root, "base_resp");
    if (json_is_something(json_object_get(root, "error"))) return true;
    if (json_is_something(json_object_get(base, "status_code"))) return true;
    if (slice_equals(sse_type, "error") || slice_equals(json_slice(root, "type"), "error"))
        return true;
    return slice_equals(json_slice(root, "object"), "error") || is_bare_error(root);
}
