#include "core/providers/messages_decoder.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/providers/decoder.h"
#include "core/providers/json.h"
#include "core/providers/message_blocks.h"
#include "core/providers/usage.h"
#include "core/stream/json_scan.h"

struct messages_decoder {
    struct decoder decoder; // first
    struct message_blocks blocks;
    char *usage; // reports put together, JSON
    char *end;   // stop_reason and what came with it, JSON
    char *whole; // a message that came whole, JSON
};

static struct messages_decoder *messages_of(struct decoder *decoder) {
    return (struct messages_decoder *)decoder;
}

// ---- ordinary events ----

enum { SLOT_TYPE, SLOT_DELTA_TYPE, SLOT_TEXT, SLOT_THINKING, SLOT_INDEX };

static const struct json_rule delta_rules[] = {
    JSON_RULE("type", JSON_WANT_STRING, SLOT_DELTA_TYPE, NULL),
    JSON_RULE("text", JSON_WANT_STRING, SLOT_TEXT, NULL),
    JSON_RULE("thinking", JSON_WANT_STRING, SLOT_THINKING, NULL),
};
static const struct json_rules in_delta = JSON_RULES(delta_rules);

static const struct json_rule event_rules[] = {
    JSON_RULE("type", JSON_WANT_STRING, SLOT_TYPE, NULL),
    JSON_RULE("index", JSON_WANT_NUMBER, SLOT_INDEX, NULL),
    JSON_RULE("delta", JSON_WANT_OBJECT, 0, &in_delta),
    JSON_RULE("error", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("message", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("usage", JSON_WANT_NOTHING, 0, NULL),
};
static const struct json_rules in_event = JSON_RULES(event_rules);

static bool take_hot(struct decoder *decoder, struct slice data) {
    struct json_found found;
    if (decoder->status != DECODER_MORE || !json_scan(data, &in_event, &found)) return false;
    if (!slice_equals(found.strings[SLOT_TYPE], "content_block_delta")) return false;
    bool text = slice_equals(found.strings[SLOT_DELTA_TYPE], "text_delta");
    if (!text && !slice_equals(found.strings[SLOT_DELTA_TYPE], "thinking_delta")) return false;
    struct slice inside = found.strings[text ? SLOT_TEXT : SLOT_THINKING];
    return inside.length && message_blocks_add_inside(
                                &messages_of(decoder)->blocks, decoder, found.numbers[SLOT_INDEX],
                                text ? CHANNEL_TEXT : CHANNEL_REASONING, inside);
}

// ---- what is kept for the message ----

// Puts object's fields over those of *kept.
static void merge(struct decoder *decoder, char **kept, const json_t *object) {
    if (!json_is_object(object)) return;
    json_t *all = *kept ? json_loads(*kept, JSON_ALLOW_NUL, NULL) : json_object();
    char *text = NULL;
    if (all && json_object_update(all, (json_t *)object) == 0) text = json_text(all);
    json_decref(all);
    if (!text) {
        decoder_fail_memory(decoder);
        return;
    }
    free(*kept);
    *kept = text;
}

// A report may tell a part; what it does not tell stays.
static void take_usage(struct messages_decoder *messages, const json_t *usage) {
    struct decoder *decoder = &messages->decoder;
    if (!json_is_object(usage)) return;
    merge(decoder, &messages->usage, usage);
    json_t *all = messages->usage ? json_loads(messages->usage, JSON_ALLOW_NUL, NULL) : NULL;
    usage_read_anthropic(all, &decoder->facts.usage);
    json_decref(all);
}

// ---- events ----

static void take_names(struct decoder *decoder, const json_t *message) {
    struct decoder_facts *facts = &decoder->facts;
    decoder_set_fact(facts->response_id, sizeof(facts->response_id), json_slice(message, "id"));
    decoder_set_fact(facts->model, sizeof(facts->model), json_slice(message, "model"));
}

// Proxies send the start twice, or begin the answer anew in mid-stream.
static void take_start(struct messages_decoder *messages, const json_t *root) {
    struct decoder *decoder = &messages->decoder;
    const json_t *message = json_object_get(root, "message");
    struct slice id = json_slice(message, "id");
    bool another =
        decoder->facts.response_id[0] && id.length && !slice_equals(id, decoder->facts.response_id);
    if (another) {
        decoder_fail_stream(decoder, STREAM_RESTARTED, id);
        return;
    }
    take_names(decoder, message);
    take_usage(messages, json_object_get(message, "usage"));
}

static void take_stop_reason(struct messages_decoder *messages, const json_t *from) {
    struct decoder *decoder = &messages->decoder;
    struct decoder_facts *facts = &decoder->facts;
    struct slice reason = json_slice(from, "stop_reason");
    if (reason.length == 0) return;
    text_printable(facts->finish_reason, sizeof(facts->finish_reason), reason);
    facts->filtered = slice_equals(reason, "refusal");
    decoder_complete(decoder, DECODER_FINISHING);
}

// It stands beside the delta, and belongs to the message.
static void keep_context_management(struct messages_decoder *messages, json_t *management) {
    if (!json_is_object(management)) return;
    json_t *fields = json_pack("{s:O}", "context_management", management);
    if (fields)
        merge(&messages->decoder, &messages->end, fields);
    else
        decoder_fail_memory(&messages->decoder);
    json_decref(fields);
}

static void take_message_delta(struct messages_decoder *messages, const json_t *root) {
    const json_t *delta = json_object_get(root, "delta");
    keep_context_management(messages, json_object_get(root, "context_management"));
    merge(&messages->decoder, &messages->end, delta);
    take_usage(messages, json_object_get(root, "usage"));
    take_stop_reason(messages, delta);
}

static void take_whole(struct messages_decoder *messages, const json_t *message) {
    struct decoder *decoder = &messages->decoder;
    size_t i;
    const json_t *block;
    take_names(decoder, message);
    take_usage(messages, json_object_get(message, "usage"));
    json_array_foreach(json_object_get(message, "content"), i, block) {
        if (decoder->status == DECODER_FAILED) return;
        message_blocks_start(&messages->blocks, decoder, (int64_t)i, block);
    }
    take_stop_reason(messages, message);
    messages->whole = json_text(message);
    if (messages->whole)
        decoder_complete(decoder, DECODER_DONE);
    else
        decoder_fail_memory(decoder);
}

static void take_open_event(struct messages_decoder *messages, struct slice type,
                            const json_t *root) {
    struct decoder *decoder = &messages->decoder;
    int64_t index = json_whole(root, "index", 0);
    if (slice_equals(type, "content_block_delta"))
        message_blocks_add(&messages->blocks, decoder, index, json_object_get(root, "delta"));
    else if (slice_equals(type, "content_block_start"))
        message_blocks_start(&messages->blocks, decoder, index,
                             json_object_get(root, "content_block"));
    else if (slice_equals(type, "message_start"))
        take_start(messages, root);
    else if (slice_equals(type, "message_delta"))
        take_message_delta(messages, root);
    else if (slice_equals(type, "message_stop"))
        decoder_complete(decoder, DECODER_DONE);
    else if (slice_equals(type, "message") && json_is_array(json_object_get(root, "content")))
        take_whole(messages, root);
}

// After the stop reason only its end, or a later count of tokens, is of interest.
static void take_late_event(struct messages_decoder *messages, struct slice type,
                            const json_t *root) {
    if (slice_equals(type, "message_delta"))
        take_usage(messages, json_object_get(root, "usage"));
    else if (slice_equals(type, "message_stop") || slice_equals(type, "message_start"))
        decoder_complete(&messages->decoder, DECODER_DONE);
}

static void take_event(struct decoder *decoder, struct slice sse_type, const json_t *root,
                       struct slice data) {
    struct messages_decoder *messages = messages_of(decoder);
    if (json_is_array(root)) root = json_array_get(root, 0);
    struct slice type = json_slice(root, "type");
    if (decoder->status == DECODER_FINISHING)
        take_late_event(messages, type, root);
    else if (decoder_is_error(sse_type, root))
        decoder_fail_reply(decoder, data);
    else
        take_open_event(messages, type.length ? type : sse_type, root);
}

static void take_end(struct decoder *decoder) {
    decoder_fail_stream(decoder, STREAM_TRUNCATED, (struct slice){ 0 });
}

static void take_done(struct decoder *decoder) {
    if (decoder->status == DECODER_FINISHING)
        decoder_complete(decoder, DECODER_DONE);
    else
        take_end(decoder);
}

// ---- the message ----

static bool update_from(json_t *message, const char *text) {
    if (!text) return true;
    json_t *fields = json_loads(text, JSON_ALLOW_NUL, NULL);
    bool good = fields && json_object_update(message, fields) == 0;
    json_decref(fields);
    return good;
}

static json_t *build_message(const struct messages_decoder *messages, struct slice text,
                             struct slice reasoning) {
    const struct decoder_facts *facts = &messages->decoder.facts;
    json_t *content = message_blocks_json(&messages->blocks, &messages->decoder, text, reasoning);
    json_t *usage = messages->usage ? json_loads(messages->usage, JSON_ALLOW_NUL, NULL) : NULL;
    json_t *message =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:n, s:n, s:o*}", "id", facts->response_id, "type",
                  "message", "role", "assistant", "model", facts->model, "content", content,
                  "stop_reason", "stop_sequence", "usage", usage);
    if (message && update_from(message, messages->end)) return message;
    json_decref(message);
    return NULL;
}

static json_t *with_joined_text(json_t *whole, struct slice text) {
    json_t *content = json_pack("[{s:s, s:s%}]", "type", "text", "text", text.data, text.length);
    if (content && json_object_set_new(whole, "content", content) == 0) return whole;
    json_decref(whole);
    return NULL;
}

static json_t *message(const struct decoder *decoder, struct slice text, struct slice reasoning) {
    const struct messages_decoder *messages = (const struct messages_decoder *)decoder;
    if (messages->whole) {
        json_t *whole = json_loads(messages->whole, JSON_ALLOW_NUL, NULL);
        return whole && decoder->is_joined ? with_joined_text(whole, text) : whole;
    }
    if (messages->blocks.count == 0 && !decoder->facts.finish_reason[0]) return NULL;
    return build_message(messages, text, reasoning);
}

// ---- life ----

static void finish(struct decoder *decoder) {
    struct messages_decoder *messages = messages_of(decoder);
    message_blocks_finish(&messages->blocks);
    free(messages->usage);
    free(messages->end);
    free(messages->whole);
}

struct decoder *messages_decoder_create(const struct dialect *dialect, struct slice content_type) {
    static const struct decoder_kind kind = {
        .take_hot = take_hot,
        .take_event = take_event,
        .take_done = take_done,
        .take_end = take_end,
        .message = message,
        .finish = finish,
    };
    struct messages_decoder *messages = calloc(1, sizeof(*messages));
    if (!messages) return NULL;
    decoder_init(&messages->decoder, &kind, dialect, content_type);
    return &messages->decoder;
}
