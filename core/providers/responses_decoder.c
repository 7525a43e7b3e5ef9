#include "core/providers/responses_decoder.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/providers/decoder.h"
#include "core/providers/json.h"
#include "core/providers/usage.h"
#include "core/stream/json_scan.h"

struct responses_decoder {
    struct decoder decoder; // first
    char *final;            // the response object of the terminal event, JSON
    bool has_gap;           // sequence numbers jumped
    bool is_refused;        // said so in its text
    bool is_resumed;        // attached to again
};

static struct responses_decoder *responses_of(struct decoder *decoder) {
    return (struct responses_decoder *)decoder;
}

// ---- what an event is, by its type ----

enum event_kind {
    EVENT_OTHER,     // bookkeeping, and what is not known
    EVENT_TEXT,      // delta is text
    EVENT_REFUSAL,   // delta is text
    EVENT_REASONING, // delta is reasoning
    EVENT_TOOL,      // content that is no text
    EVENT_BEGIN,     // carries the response as it begins
    EVENT_ITEM,      // carries an item
    EVENT_END,       // carries the response as it ended
    EVENT_ERROR
};

static const struct {
    const char *type;
    enum event_kind kind;
} event_types[] = {
    { "response.output_text.delta", EVENT_TEXT },
    { "response.refusal.delta", EVENT_REFUSAL },
    { "response.created", EVENT_BEGIN },
    { "response.queued", EVENT_BEGIN },
    { "response.in_progress", EVENT_BEGIN },
    { "response.output_item.added", EVENT_ITEM },
    { "response.completed", EVENT_END },
    { "response.incomplete", EVENT_END },
    { "response.failed", EVENT_END },
    { "response.cancelled", EVENT_END },
    { "response.done", EVENT_END },
    { "error", EVENT_ERROR },
};

static bool ends_with(struct slice text, const char *end) {
    size_t length = strlen(end);
    return text.length >= length && memcmp(text.data + text.length - length, end, length) == 0;
}

static enum event_kind kind_of(struct slice type) {
    for (size_t i = 0; i < sizeof(event_types) / sizeof(*event_types); i++)
        if (slice_equals(type, event_types[i].type)) return event_types[i].kind;
    if (!slice_starts_with(type, "response.")) return EVENT_OTHER;
    bool reasoning = slice_starts_with(type, "response.reasoning");
    if (ends_with(type, ".delta")) return reasoning ? EVENT_REASONING : EVENT_TOOL;
    // What hosted tools tell of their work is a sign of life.
    return slice_contains_nocase(type, "_call") ? EVENT_TOOL : EVENT_OTHER;
}

// ---- the cursor ----

// False: the event was here before. 0 is the first event's number, and what servers say that count
// none of their events, or not all.
static bool note_sequence(struct responses_decoder *responses, int64_t number) {
    struct decoder_facts *facts = &responses->decoder.facts;
    if (number < 0 || (number == 0 && facts->sequence_number > 0)) return true;
    if (number <= facts->sequence_number && facts->sequence_number > 0) return false;
    if (facts->sequence_number >= 0 && number > facts->sequence_number + 1)
        responses->has_gap = true;
    facts->sequence_number = number;
    return true;
}

// ---- ordinary events ----

enum { SLOT_TYPE, SLOT_DELTA, SLOT_SEQUENCE };

static const struct json_rule event_rules[] = {
    JSON_RULE("type", JSON_WANT_STRING, SLOT_TYPE, NULL),
    JSON_RULE("delta", JSON_WANT_STRING, SLOT_DELTA, NULL),
    JSON_RULE("sequence_number", JSON_WANT_NUMBER, SLOT_SEQUENCE, NULL),
    JSON_RULE("error", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("response", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("object", JSON_WANT_NOTHING, 0, NULL),
};
static const struct json_rules in_event = JSON_RULES(event_rules);

static bool is_ordinary(enum event_kind kind) {
    return kind == EVENT_TEXT || kind == EVENT_REFUSAL || kind == EVENT_REASONING ||
           kind == EVENT_TOOL;
}

static bool take_hot(struct decoder *decoder, struct slice data) {
    struct responses_decoder *responses = responses_of(decoder);
    struct json_found found;
    if (!json_scan(data, &in_event, &found) || !found.strings[SLOT_TYPE].data) return false;
    enum event_kind kind = kind_of(found.strings[SLOT_TYPE]);
    struct slice delta = found.strings[SLOT_DELTA];
    if (!is_ordinary(kind) || (!delta.data && kind != EVENT_TOOL)) return false;
    if (!note_sequence(responses, found.numbers[SLOT_SEQUENCE])) return true;
    if (kind == EVENT_TEXT || kind == EVENT_REFUSAL)
        decoder_give_inside(decoder, CHANNEL_TEXT, delta);
    if (kind == EVENT_REASONING) decoder_give_inside(decoder, CHANNEL_REASONING, delta);
    if (kind == EVENT_REFUSAL) responses->is_refused = true;
    if (kind == EVENT_TOOL) {
        decoder->facts.has_tools = true;
        decoder_note_content(decoder);
    }
    return true;
}

// ---- a response that came whole ----

// Leaves out what of *known bytes is its beginning.
static size_t give_behind(struct decoder *decoder, const json_t *string, size_t *known) {
    struct slice text = json_slice_of(string);
    size_t skipped = text.length < *known ? text.length : *known;
    *known -= skipped;
    if (skipped == 0) return decoder_give(decoder, CHANNEL_TEXT, string);
    json_t *rest = json_stringn_nocheck(text.data + skipped, text.length - skipped);
    if (!rest) decoder_fail_memory(decoder);
    size_t given = decoder_give(decoder, CHANNEL_TEXT, rest);
    json_decref(rest);
    return given;
}

static void give_text_part(struct responses_decoder *responses, const json_t *part, size_t *known) {
    struct decoder *decoder = &responses->decoder;
    give_behind(decoder, json_object_get(part, "text"), known);
    if (give_behind(decoder, json_object_get(part, "refusal"), known)) responses->is_refused = true;
}

// known: so much of it was given before. False: it is shorter than that.
static bool give_texts(struct responses_decoder *responses, const json_t *output, size_t known) {
    size_t i, j;
    const json_t *item, *part;
    json_array_foreach(output, i, item) {
        if (!slice_equals(json_slice(item, "type"), "message")) continue;
        json_array_foreach(json_object_get(item, "content"), j, part)
            give_text_part(responses, part, &known);
    }
    return known == 0;
}

static void give_reasoning(struct responses_decoder *responses, const json_t *output) {
    struct decoder *decoder = &responses->decoder;
    size_t i, j;
    const json_t *item, *part;
    json_array_foreach(output, i, item) {
        if (!slice_equals(json_slice(item, "type"), "reasoning")) continue;
        const json_t *parts = json_object_get(item, "summary");
        if (json_array_size(parts) == 0) parts = json_object_get(item, "content");
        json_array_foreach(parts, j, part)
            decoder_give(decoder, CHANNEL_REASONING, json_object_get(part, "text"));
    }
}

// Calls of the user's functions and of hosted tools alike: "function_call", "web_search_call", …
static bool is_tool(const json_t *item) {
    struct slice type = json_slice(item, "type");
    return slice_contains_nocase(type, "_call");
}

static void note_tools(struct decoder *decoder, const json_t *output) {
    size_t i;
    const json_t *item;
    json_array_foreach(output, i, item) {
        if (!is_tool(item)) continue;
        decoder->facts.has_tools = true;
        decoder_note_content(decoder);
    }
}

// What of it no event told.
static void take_output(struct responses_decoder *responses, const json_t *response) {
    struct decoder *decoder = &responses->decoder;
    const json_t *output = json_object_get(response, "output");
    if (decoder->channels[CHANNEL_REASONING].length == 0) give_reasoning(responses, output);
    if (!decoder->facts.has_tools) note_tools(decoder, output);
}

// ---- the end ----

static void take_names(struct decoder *decoder, const json_t *response) {
    struct decoder_facts *facts = &decoder->facts;
    decoder_set_fact(facts->response_id, sizeof(facts->response_id), json_slice(response, "id"));
    decoder_set_fact(facts->model, sizeof(facts->model), json_slice(response, "model"));
}

static void fail_with(struct decoder *decoder, json_t *payload) {
    char *text = payload ? json_text(payload) : NULL;
    if (text)
        decoder_fail_reply(decoder, slice_of(text));
    else
        decoder_fail_memory(decoder);
    free(text);
    json_decref(payload);
}

// The error alone: the response around it may be long, and holds text of the model.
static void fail_with_error(struct decoder *decoder, const json_t *response) {
    json_t *error = json_object_get(response, "error");
    fail_with(decoder, json_is_object(error)
                           ? json_pack("{s:O}", "error", error)
                           : json_pack("{s:s}", "message", "the response failed"));
}

static bool keep_final(struct responses_decoder *responses, const json_t *response) {
    free(responses->final);
    responses->final = json_text(response);
    if (!responses->final) decoder_fail_memory(&responses->decoder);
    return responses->final != NULL;
}

static void complete(struct responses_decoder *responses, const json_t *response,
                     struct slice finish) {
    struct decoder *decoder = &responses->decoder;
    struct decoder_facts *facts = &decoder->facts;
    const json_t *output = json_object_get(response, "output");
    size_t given = decoder->channels[CHANNEL_TEXT].length;
    // It was over already when it was attached to, and comes whole.
    bool is_rest = given && responses->is_resumed && decoder->mode == MODE_DOCUMENT;
    if ((given == 0 || is_rest) && !give_texts(responses, output, given)) {
        decoder_fail_stream(decoder, STREAM_TRUNCATED, (struct slice){ 0 });
        return;
    }
    usage_read_openai(json_object_get(response, "usage"), &facts->usage);
    text_printable(facts->finish_reason, sizeof(facts->finish_reason), finish);
    facts->filtered = responses->is_refused || slice_equals(finish, "content_filter");
    if (keep_final(responses, response)) decoder_complete(decoder, DECODER_DONE);
}

// status: of the response, or told by the event's type.
static void end_by_status(struct responses_decoder *responses, const json_t *response,
                          struct slice status) {
    struct decoder *decoder = &responses->decoder;
    take_names(decoder, response);
    if (slice_equals(status, "completed")) {
        complete(responses, response, status);
    } else if (slice_equals(status, "incomplete")) {
        struct slice reason = json_slice(json_object_get(response, "incomplete_details"), "reason");
        complete(responses, response, reason.length ? reason : status);
    } else if (slice_equals(status, "failed")) {
        usage_read_openai(json_object_get(response, "usage"), &decoder->facts.usage);
        fail_with_error(decoder, response);
        // Nothing will ever come behind it.
        decoder->facts.sequence_number = -1;
    } else if (status.length) { // cancelled, or asked for while it still runs
        fail_with(decoder, json_pack("{s:s%}", "status", status.data, status.length));
    }
}

static void take_terminal(struct responses_decoder *responses, struct slice type,
                          const json_t *root) {
    const json_t *response = json_object_get(root, "response");
    size_t prefix = strlen("response.");
    struct slice status = { type.data + prefix, type.length - prefix };
    struct slice told = json_slice(response, "status");
    // vLLM calls completed what it cut short.
    bool is_worse = slice_equals(told, "incomplete") || slice_equals(told, "failed");
    if (slice_equals(status, "done") || (slice_equals(status, "completed") && is_worse))
        status = told;
    take_output(responses, response);
    end_by_status(responses, response, status);
}

// ---- other events ----

static void take_begin(struct responses_decoder *responses, struct slice type, const json_t *root) {
    struct decoder *decoder = &responses->decoder;
    const json_t *response = json_object_get(root, "response");
    struct slice id = json_slice(response, "id");
    bool another = slice_equals(type, "response.created") && decoder->facts.response_id[0] &&
                   id.length && !slice_equals(id, decoder->facts.response_id);
    if (another && decoder->facts.has_content)
        decoder_fail_stream(decoder, STREAM_RESTARTED, id);
    else
        take_names(decoder, response);
}

static void take_item(struct decoder *decoder, const json_t *root) {
    if (!is_tool(json_object_get(root, "item"))) return;
    decoder->facts.has_tools = true;
    decoder_note_content(decoder);
}

// What the scanner left: the delta is in an odd place or shape.
static void take_delta(struct responses_decoder *responses, enum event_kind kind,
                       const json_t *root) {
    struct decoder *decoder = &responses->decoder;
    const json_t *delta = json_object_get(root, "delta");
    if (json_is_object(delta)) delta = json_object_get(delta, "text");
    if (kind == EVENT_TEXT || kind == EVENT_REFUSAL) decoder_give(decoder, CHANNEL_TEXT, delta);
    if (kind == EVENT_REASONING) decoder_give(decoder, CHANNEL_REASONING, delta);
    if (kind == EVENT_REFUSAL) responses->is_refused = true;
    if (kind == EVENT_TOOL) decoder_note_content(decoder);
}

static void take_whole(struct responses_decoder *responses, const json_t *response) {
    take_output(responses, response);
    end_by_status(responses, response, json_slice(response, "status"));
}

static void take_event(struct decoder *decoder, struct slice sse_type, const json_t *root,
                       struct slice data) {
    struct responses_decoder *responses = responses_of(decoder);
    struct slice type = json_slice(root, "type");
    if (json_is_array(root)) root = json_array_get(root, 0);
    if (type.length == 0) type = sse_type;
    enum event_kind kind = kind_of(type);
    if (slice_equals(json_slice(root, "object"), "response")) {
        take_whole(responses, root);
        return;
    }
    if (kind != EVENT_END && decoder_is_error(sse_type, root)) {
        decoder_fail_reply(decoder, data);
        return;
    }
    bool fresh = note_sequence(responses, json_whole(root, "sequence_number", -1));
    switch (kind) {
    case EVENT_TEXT:
    case EVENT_REFUSAL:
    case EVENT_REASONING:
    case EVENT_TOOL:
        if (fresh) take_delta(responses, kind, root);
        break;
    case EVENT_BEGIN:
        take_begin(responses, type, root);
        break;
    case EVENT_ITEM:
        if (fresh) take_item(decoder, root);
        break;
    case EVENT_END:
        take_terminal(responses, type, root);
        break;
    case EVENT_ERROR:
    case EVENT_OTHER:
        break;
    }
}

static void take_end(struct decoder *decoder) {
    bool gap = responses_of(decoder)->has_gap;
    decoder_fail_stream(decoder, gap ? STREAM_GAP : STREAM_TRUNCATED, (struct slice){ 0 });
}

// ---- the message ----

static json_t *text_item(struct slice text, bool refused) {
    return json_pack("{s:s, s:s, s:[{s:s, s:s%}]}", "type", "message", "role", "assistant",
                     "content", "type", refused ? "refusal" : "output_text",
                     refused ? "refusal" : "text", text.data ? text.data : "", text.length);
}

// Some servers end with an empty output, and a cut stream has none.
static json_t *with_text(const struct responses_decoder *responses, json_t *response,
                         struct slice text) {
    if (json_array_size(json_object_get(response, "output")) || text.length == 0) return response;
    json_t *output = json_pack("[o]", text_item(text, responses->is_refused));
    if (output && json_object_set_new(response, "output", output) == 0) return response;
    json_decref(response);
    return NULL;
}

// The final response tells the last part only: its first message gets all of the text.
static json_t *with_joined_text(const struct responses_decoder *responses, json_t *response,
                                struct slice text) {
    json_t *output = json_object_get(response, "output");
    bool is_first = true;
    for (size_t i = 0; i < json_array_size(output);) {
        if (!slice_equals(json_slice(json_array_get(output, i), "type"), "message")) {
            i++;
        } else if (is_first) {
            is_first = false;
            if (json_array_set_new(output, i++, text_item(text, responses->is_refused)) != 0)
                goto drop_response;
        } else {
            json_array_remove(output, i);
        }
    }
    return response;

drop_response:
    json_decref(response);
    return NULL;
}

static json_t *message(const struct decoder *decoder, struct slice text, struct slice reasoning) {
    const struct responses_decoder *responses = (const struct responses_decoder *)decoder;
    const struct decoder_facts *facts = &decoder->facts;
    (void)reasoning; // the response object has it where the provider gives it
    json_t *response = NULL;
    if (responses->final)
        response = json_loads(responses->final, JSON_ALLOW_NUL, NULL);
    else if (facts->has_content)
        response = json_pack("{s:s, s:s, s:s, s:s, s:[]}", "id", facts->response_id, "object",
                             "response", "status", "incomplete", "model", facts->model, "output");
    if (response && decoder->is_joined) response = with_joined_text(responses, response, text);
    return response ? with_text(responses, response, text) : NULL;
}

// ---- life ----

// What is missing comes now.
static void resume(struct decoder *decoder) {
    responses_of(decoder)->has_gap = false;
    responses_of(decoder)->is_resumed = true;
}

static void finish(struct decoder *decoder) {
    free(responses_of(decoder)->final);
}

struct decoder *responses_decoder_create(const struct dialect *dialect, struct slice content_type) {
    static const struct decoder_kind kind = {
        .take_hot = take_hot,
        .take_event = take_event,
        .take_done = take_end, // [DONE] proves nothing
        .take_end = take_end,
        .message = message,
        .resume = resume,
        .finish = finish,
    };
    struct responses_decoder *responses = calloc(1, sizeof(*responses));
    if (!responses) return NULL;
    decoder_init(&responses->decoder, &kind, dialect, content_type);
    return &responses->decoder;
}
