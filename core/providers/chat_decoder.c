#include "core/providers/chat_decoder.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/policy/failure_tables.h"
#include "core/providers/decoder.h"
#include "core/providers/json.h"
#include "core/providers/tool_calls.h"
#include "core/providers/usage.h"
#include "core/stream/json_scan.h"

enum { UNNAMED_CHUNKS_MAX = 3 }; // after so many, a server that gives no id or model will not

struct chat_decoder {
    struct decoder decoder; // first
    struct tool_calls tools;
    char *usage; // the last report, JSON
    char *whole; // a completion that came whole, JSON
    int unnamed_chunks;
    bool is_refused;
    size_t refusal_start, refusal_end; // in the text given
};

static struct chat_decoder *chat_of(struct decoder *decoder) {
    return (struct chat_decoder *)decoder;
}

// ---- ordinary chunks ----

enum { SLOT_OBJECT, SLOT_CONTENT, SLOT_REASONING_CONTENT, SLOT_REASONING };

static const struct json_rule delta_rules[] = {
    JSON_RULE("content", JSON_WANT_STRING, SLOT_CONTENT, NULL),
    JSON_RULE("reasoning_content", JSON_WANT_STRING, SLOT_REASONING_CONTENT, NULL),
    JSON_RULE("reasoning", JSON_WANT_STRING, SLOT_REASONING, NULL),
    JSON_RULE("reasoning_text", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("reasoning_details", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("refusal", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("tool_calls", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("function_call", JSON_WANT_NOTHING, 0, NULL),
};
static const struct json_rules in_delta = JSON_RULES(delta_rules);

static const struct json_rule choice_rules[] = {
    JSON_RULE("index", JSON_WANT_ZERO, 0, NULL),
    JSON_RULE("delta", JSON_WANT_OBJECT, 0, &in_delta),
    JSON_RULE("finish_reason", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("error", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("message", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("text", JSON_WANT_NOTHING, 0, NULL),
};
static const struct json_rules in_choice = JSON_RULES(choice_rules);

static const struct json_rule groq_rules[] = {
    JSON_RULE("usage", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("error", JSON_WANT_NOTHING, 0, NULL),
};
static const struct json_rules in_groq = JSON_RULES(groq_rules);

static const struct json_rule chunk_rules[] = {
    JSON_RULE("object", JSON_WANT_STRING, SLOT_OBJECT, NULL),
    JSON_RULE("choices", JSON_WANT_FIRST, 0, &in_choice),
    JSON_RULE("usage", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("error", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("x_groq", JSON_WANT_OBJECT, 0, &in_groq),
    JSON_RULE("type", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("code", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("message", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("detail", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("base_resp", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("done", JSON_WANT_NOTHING, 0, NULL),
    JSON_RULE("response", JSON_WANT_NOTHING, 0, NULL),
};
static const struct json_rules in_chunk = JSON_RULES(chunk_rules);

// What the first chunks are looked into for besides.
enum { SLOT_ID, SLOT_MODEL };

static const struct json_rule name_rules[] = {
    JSON_RULE("id", JSON_WANT_STRING, SLOT_ID, NULL),
    JSON_RULE("model", JSON_WANT_STRING, SLOT_MODEL, NULL),
};
static const struct json_rules in_names = JSON_RULES(name_rules);

static bool is_named(const struct chat_decoder *chat) {
    const struct decoder_facts *facts = &chat->decoder.facts;
    return (facts->response_id[0] && facts->model[0]) || chat->unnamed_chunks >= UNNAMED_CHUNKS_MAX;
}

// Printable ASCII without escapes.
static bool is_plain(struct slice inside) {
    for (size_t i = 0; i < inside.length; i++)
        if (inside.data[i] < 0x20 || inside.data[i] > 0x7e || inside.data[i] == '\\') return false;
    return true;
}

static bool find_names(struct slice data, struct json_found *names_out) {
    return json_scan(data, &in_names, names_out) && is_plain(names_out->strings[SLOT_ID]) &&
           is_plain(names_out->strings[SLOT_MODEL]);
}

static void take_names(struct chat_decoder *chat, const struct json_found *names) {
    struct decoder_facts *facts = &chat->decoder.facts;
    decoder_set_fact(facts->response_id, sizeof(facts->response_id), names->strings[SLOT_ID]);
    decoder_set_fact(facts->model, sizeof(facts->model), names->strings[SLOT_MODEL]);
    chat->unnamed_chunks++;
}

static bool take_hot(struct decoder *decoder, struct slice data) {
    struct chat_decoder *chat = chat_of(decoder);
    struct json_found found;
    struct json_found names;
    bool wants_names = !is_named(chat);
    if (decoder->status != DECODER_MORE || !json_scan(data, &in_chunk, &found)) return false;
    struct slice object = found.strings[SLOT_OBJECT];
    if (object.data && !slice_equals(object, "chat.completion.chunk")) return false;
    if (wants_names && !find_names(data, &names)) return false;
    if (wants_names) take_names(chat, &names);
    struct slice reasoning = found.strings[SLOT_REASONING_CONTENT];
    if (reasoning.length == 0) reasoning = found.strings[SLOT_REASONING]; // some send it twice
    decoder_give_inside(decoder, CHANNEL_REASONING, reasoning);
    decoder_give_inside(decoder, CHANNEL_TEXT, found.strings[SLOT_CONTENT]);
    return true;
}

// ---- the content of a delta or a message ----

static void give_parts(struct decoder *decoder, enum channel_kind channel, const json_t *content);

// Mistral's {"type":"thinking","thinking":[{"type":"text","text":…}]} beside {"type":"text"}.
static void give_part(struct decoder *decoder, enum channel_kind channel, const json_t *part) {
    const json_t *thinking = json_object_get(part, "thinking");
    if (thinking)
        give_parts(decoder, CHANNEL_REASONING, thinking);
    else
        decoder_give(decoder, channel, json_object_get(part, "text"));
}

static void give_parts(struct decoder *decoder, enum channel_kind channel, const json_t *content) {
    size_t i;
    const json_t *part;
    decoder_give(decoder, channel, content);
    json_array_foreach(content, i, part) {
        if (json_is_object(part))
            give_part(decoder, channel, part);
        else
            decoder_give(decoder, channel, part);
    }
}

static void give_refusal(struct chat_decoder *chat, const json_t *refusal) {
    size_t given = decoder_give(&chat->decoder, CHANNEL_TEXT, refusal);
    if (given == 0) return;
    size_t end = chat->decoder.channels[CHANNEL_TEXT].length;
    if (!chat->is_refused) chat->refusal_start = end - given;
    chat->is_refused = true;
    chat->refusal_end = end;
}

// OpenRouter's list, and MiniMax's: of text, summaries and what is encrypted.
static void give_reasoning_details(struct decoder *decoder, const json_t *details) {
    size_t i;
    const json_t *detail;
    json_array_foreach(details, i, detail) {
        decoder_give(decoder, CHANNEL_REASONING, json_object_get(detail, "text"));
        decoder_give(decoder, CHANNEL_REASONING, json_object_get(detail, "summary"));
    }
}

// The same is often said under more than one name.
static void give_reasoning(struct decoder *decoder, const json_t *from) {
    static const char *const names[] = { "reasoning_content", "reasoning", "reasoning_text" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (decoder_give(decoder, CHANNEL_REASONING, json_object_get(from, names[i]))) return;
    give_reasoning_details(decoder, json_object_get(from, "reasoning_details"));
}

static void give_content(struct chat_decoder *chat, const json_t *from) {
    struct decoder *decoder = &chat->decoder;
    give_reasoning(decoder, from);
    give_parts(decoder, CHANNEL_TEXT, json_object_get(from, "content"));
    give_refusal(chat, json_object_get(from, "refusal"));
    tool_calls_add(&chat->tools, decoder, json_object_get(from, "tool_calls"));
    tool_calls_add_function(&chat->tools, decoder, json_object_get(from, "function_call"));
}

// ---- how it ended ----

static const struct {
    const char *word;
    enum stream_end end;
} bad_finishes[] = {
    { "error", STREAM_ABORTED },
    { "abort", STREAM_ABORTED },
    { "network_error", STREAM_ABORTED }, // Zhipu
    { "insufficient_system_resource", STREAM_OVERLOADED },
};

// "content_filter: SAFETY" is Gemini's; gateways pass its words on, and Bedrock's.
static bool is_filtered(const char *word) {
    static const char *const words[] = {
        "content_filter",  "sensitive", "safety", "prohibited_content",
        "recitation",      "blocklist", "spii",   "guardrail_intervened",
        "content_filtered"
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (failure_same_word(words[i], word)) return true;
    return false;
}

static void finish_with(struct chat_decoder *chat, struct slice word) {
    struct decoder *decoder = &chat->decoder;
    struct decoder_facts *facts = &decoder->facts;
    // Some write null as a word.
    if (word.length == 0 || slice_equals(word, "null") || decoder->status != DECODER_MORE) return;
    text_printable(facts->finish_reason, sizeof(facts->finish_reason), word);
    for (size_t i = 0; i < sizeof(bad_finishes) / sizeof(*bad_finishes); i++) {
        if (!slice_equals_nocase(word, bad_finishes[i].word)) continue;
        decoder_fail_stream(decoder, bad_finishes[i].end, word);
        return;
    }
    facts->filtered = chat->is_refused || is_filtered(facts->finish_reason);
    decoder_complete(decoder, DECODER_FINISHING);
}

static bool replace_text(struct chat_decoder *chat, char **text, const json_t *json) {
    char *fresh = json_text(json);
    if (!fresh) {
        decoder_fail_memory(&chat->decoder);
        return false;
    }
    free(*text);
    *text = fresh;
    return true;
}

// Groq and Moonshot have places of their own for it.
static const json_t *find_usage(const json_t *root) {
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const json_t *usage = json_object_get(root, "usage");
    if (!json_is_object(usage)) usage = json_object_get(json_object_get(root, "x_groq"), "usage");
    return json_is_object(usage) ? usage : json_object_get(choice, "usage");
}

static bool take_usage(struct chat_decoder *chat, const json_t *root) {
    const json_t *usage = find_usage(root);
    if (!usage_read_openai(usage, &chat->decoder.facts.usage)) return false;
    return replace_text(chat, &chat->usage, usage);
}

// ---- events ----

// A completion that came whole although a stream was asked for is complete by being whole.
static void take_whole(struct chat_decoder *chat, const json_t *root, const json_t *choice) {
    struct decoder *decoder = &chat->decoder;
    if (decoder->channels[CHANNEL_TEXT].length == 0)
        give_content(chat, json_object_get(choice, "message"));
    finish_with(chat, json_slice(choice, "finish_reason"));
    if (decoder->status == DECODER_MORE) {
        decoder->facts.filtered = chat->is_refused;
        decoder_complete(decoder, DECODER_FINISHING);
    }
    if (decoder->status == DECODER_FINISHING && replace_text(chat, &chat->whole, root))
        decoder->status = DECODER_DONE;
}

static void take_choice(struct chat_decoder *chat, const json_t *root, const json_t *choice) {
    struct decoder *decoder = &chat->decoder;
    const json_t *delta = json_object_get(choice, "delta");
    if (decoder->status != DECODER_MORE || json_whole(choice, "index", 0) != 0) return;
    if (!json_is_object(delta) && json_is_object(json_object_get(choice, "message"))) {
        take_whole(chat, root, choice);
        return;
    }
    give_content(chat, delta);
    // The older completions have it; Together sends both.
    if (!json_is_something(json_object_get(delta, "content")))
        decoder_give(decoder, CHANNEL_TEXT, json_object_get(choice, "text"));
    finish_with(chat, json_slice(choice, "finish_reason"));
}

// OpenRouter names the failure of a choice inside it.
static bool has_failed_choice(const json_t *root) {
    const json_t *choices = json_object_get(root, "choices");
    for (size_t i = 0; i < json_array_size(choices); i++)
        if (json_is_something(json_object_get(json_array_get(choices, i), "error"))) return true;
    return false;
}

static bool is_ollama(const json_t *root) {
    return json_is_boolean(json_object_get(root, "done"));
}

static void take_ollama(struct chat_decoder *chat, const json_t *root) {
    const json_t *message = json_object_get(root, "message");
    struct decoder *decoder = &chat->decoder;
    if (decoder->status != DECODER_MORE) return;
    decoder_give(decoder, CHANNEL_REASONING, json_object_get(message, "thinking"));
    give_content(chat, message);
    decoder_give(decoder, CHANNEL_TEXT, json_object_get(root, "response"));
    if (!json_is_true(json_object_get(root, "done"))) return;
    struct slice reason = json_slice(root, "done_reason");
    usage_read_ollama(root, &decoder->facts.usage);
    finish_with(chat, reason.length ? reason : slice_of("stop"));
    if (decoder->status == DECODER_FINISHING) decoder->status = DECODER_DONE;
}

static void take_object(struct chat_decoder *chat, struct slice type, const json_t *root,
                        struct slice data) {
    struct decoder *decoder = &chat->decoder;
    struct decoder_facts *facts = &decoder->facts;
    size_t i;
    const json_t *choice;
    if (decoder_is_error(type, root) || has_failed_choice(root)) {
        decoder_fail_reply(decoder, data);
        return;
    }
    decoder_set_fact(facts->response_id, sizeof(facts->response_id), json_slice(root, "id"));
    decoder_set_fact(facts->model, sizeof(facts->model), json_slice(root, "model"));
    bool reported = take_usage(chat, root);
    json_array_foreach(json_object_get(root, "choices"), i, choice) take_choice(chat, root, choice);
    if (json_array_size(json_object_get(root, "choices"))) chat->unnamed_chunks++;
    if (is_ollama(root)) take_ollama(chat, root);
    if (reported && decoder->status == DECODER_FINISHING) decoder->status = DECODER_DONE;
}

static void take_event(struct decoder *decoder, struct slice type, const json_t *root,
                       struct slice data) {
    struct chat_decoder *chat = chat_of(decoder);
    size_t i;
    const json_t *element;
    if (json_is_object(root)) take_object(chat, type, root, data);
    json_array_foreach(root, i, element) { // Gemini
        bool open = decoder->status == DECODER_MORE || decoder->status == DECODER_FINISHING;
        if (open && json_is_object(element)) take_object(chat, type, element, data);
    }
}

static void take_end(struct decoder *decoder) {
    decoder_fail_stream(decoder, STREAM_TRUNCATED, (struct slice){ 0 });
}

// [DONE] alone proves nothing, but for servers that never say why they stop.
static void take_done(struct decoder *decoder) {
    bool accepted = !decoder->dialect.finish_required && decoder->facts.has_content;
    if (decoder->status == DECODER_MORE && !accepted) {
        enum stream_end end = decoder->facts.has_content ? STREAM_UNVERIFIED : STREAM_TRUNCATED;
        decoder_fail_stream(decoder, end, (struct slice){ 0 });
        return;
    }
    if (chat_of(decoder)->is_refused) decoder->facts.filtered = true;
    decoder_complete(decoder, DECODER_DONE);
}

// ---- the message ----

static json_t *text_or_null(struct slice text) {
    return text.length ? json_stringn(text.data, text.length) : json_null();
}

static struct slice part_of(struct slice text, size_t start, size_t end) {
    if (end > text.length) end = text.length;
    if (start >= end) return (struct slice){ 0 };
    return (struct slice){ text.data + start, end - start };
}

static json_t *content_json(const struct chat_decoder *chat, struct slice text) {
    if (!chat->is_refused) return text_or_null(text);
    struct slice before = part_of(text, 0, decoder_shifted(&chat->decoder, chat->refusal_start));
    struct slice after =
        part_of(text, decoder_shifted(&chat->decoder, chat->refusal_end), text.length);
    return text_or_null(before.length ? before : after);
}

static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static bool fill_message(const struct chat_decoder *chat, json_t *message, struct slice text,
                         struct slice reasoning) {
    bool good = set(message, "role", json_string("assistant")) &&
                set(message, "content", content_json(chat, text));
    if (reasoning.length)
        good = good &&
               set(message, "reasoning_content", json_stringn(reasoning.data, reasoning.length));
    struct slice refusal = part_of(text, decoder_shifted(&chat->decoder, chat->refusal_start),
                                   decoder_shifted(&chat->decoder, chat->refusal_end));
    if (chat->is_refused) good = good && set(message, "refusal", text_or_null(refusal));
    if (chat->tools.count) good = good && set(message, "tool_calls", tool_calls_json(&chat->tools));
    return good;
}

static json_t *build_message(const struct chat_decoder *chat, struct slice text,
                             struct slice reasoning) {
    const struct decoder_facts *facts = &chat->decoder.facts;
    json_t *message = json_object();
    if (!message || !fill_message(chat, message, text, reasoning)) goto drop_message;
    const char *finish = facts->finish_reason[0] ? facts->finish_reason : NULL;
    json_t *usage = chat->usage ? json_loads(chat->usage, JSON_ALLOW_NUL, NULL) : NULL;
    json_t *whole =
        json_pack("{s:s, s:s, s:s, s:[{s:i, s:o, s:s?}], s:o*}", "id", facts->response_id, "object",
                  "chat.completion", "model", facts->model, "choices", "index", 0, "message",
                  message, "finish_reason", finish, "usage", usage);
    return whole;

drop_message:
    json_decref(message);
    return NULL;
}

static json_t *message(const struct decoder *decoder, struct slice text, struct slice reasoning) {
    const struct chat_decoder *chat = (const struct chat_decoder *)decoder;
    if (chat->whole && !decoder->is_joined) return json_loads(chat->whole, JSON_ALLOW_NUL, NULL);
    if (!decoder->facts.has_content && decoder->status != DECODER_DONE &&
        !decoder->facts.finish_reason[0])
        return NULL;
    return build_message(chat, text, reasoning);
}

// ---- life ----

static void finish(struct decoder *decoder) {
    struct chat_decoder *chat = chat_of(decoder);
    tool_calls_finish(&chat->tools);
    free(chat->usage);
    free(chat->whole);
}

struct decoder *chat_decoder_create(const struct dialect *dialect, struct slice content_type) {
    static const struct decoder_kind kind = {
        .take_hot = take_hot,
        .take_event = take_event,
        .take_done = take_done,
        .take_end = take_end,
        .message = message,
        .finish = finish,
    };
    struct chat_decoder *chat = calloc(1, sizeof(*chat));
    if (!chat) return NULL;
    decoder_init(&chat->decoder, &kind, dialect, content_type);
    return &chat->decoder;
}
