#include "core/providers/message_blocks.h"

#include <stdlib.h>
#include <string.h>

#include "core/providers/json.h"

enum { BLOCKS_MAX = 10000 };

struct message_block {
    int64_t index;
    bool has_text; // of the channel; else only start and the pieces tell
    enum channel_kind channel;
    size_t from, to;    // in the channel
    char *start;        // content_block as it came, JSON
    struct bytes input; // partial_json put together
    struct bytes signature;
    struct bytes citations; // JSON values with commas between
    char *rest;             // the newest delta of another type, JSON
};

void message_blocks_finish(struct message_blocks *blocks) {
    for (size_t i = 0; i < blocks->count; i++) {
        struct message_block *block = &blocks->blocks[i];
        free(block->start);
        free(block->rest);
        bytes_finish(&block->input);
        bytes_finish(&block->signature);
        bytes_finish(&block->citations);
    }
    free(blocks->blocks);
    *blocks = (struct message_blocks){ 0 };
}

// ---- growing ----

static struct message_block *add_block(struct message_blocks *blocks, struct decoder *decoder,
                                       int64_t index) {
    if (blocks->count == BLOCKS_MAX) {
        decoder_fail_stream(decoder, STREAM_TOO_LONG, slice_of("content blocks"));
        return NULL;
    }
    struct message_block *grown =
        realloc(blocks->blocks, (blocks->count + 1) * sizeof(*blocks->blocks));
    if (!grown) {
        decoder_fail_memory(decoder);
        return NULL;
    }
    blocks->blocks = grown;
    struct message_block *block = &grown[blocks->count++];
    *block = (struct message_block){ .index = index };
    bytes_init(&block->input, DECODER_KEPT_MAX);
    bytes_init(&block->signature, DECODER_KEPT_MAX);
    bytes_init(&block->citations, DECODER_KEPT_MAX);
    return block;
}

static struct message_block *find_block(struct message_blocks *blocks, int64_t index) {
    for (size_t i = blocks->count; i-- > 0;)
        if (blocks->blocks[i].index == index) return &blocks->blocks[i];
    return NULL;
}

static bool goes_on(const struct message_block *block, const struct decoder *decoder,
                    enum channel_kind channel) {
    return block->has_text && block->channel == channel &&
           block->to == decoder->channels[channel].length;
}

static void begin_span(struct message_block *block, const struct decoder *decoder,
                       enum channel_kind channel) {
    block->has_text = true;
    block->channel = channel;
    block->from = block->to = decoder->channels[channel].length;
}

// The block whose span ends where the channel does: that of the index, or a fresh one when
// something else came between.
static struct message_block *block_for_text(struct message_blocks *blocks, struct decoder *decoder,
                                            int64_t index, enum channel_kind channel) {
    struct message_block *block = find_block(blocks, index);
    if (block && goes_on(block, decoder, channel)) return block;
    bool fits =
        block && (!block->has_text || (block->from == block->to && block->channel == channel));
    if (!fits) block = add_block(blocks, decoder, index);
    if (block) begin_span(block, decoder, channel);
    return block;
}

static void give(struct message_blocks *blocks, struct decoder *decoder, int64_t index,
                 enum channel_kind channel, const json_t *string) {
    if (json_slice_of(string).length == 0) return;
    struct message_block *block = block_for_text(blocks, decoder, index, channel);
    if (!block) return;
    decoder_give(decoder, channel, string);
    block->to = decoder->channels[channel].length;
}

bool message_blocks_add_inside(struct message_blocks *blocks, struct decoder *decoder,
                               int64_t index, enum channel_kind channel, struct slice inside) {
    struct message_block *block = find_block(blocks, index);
    if (!block || !goes_on(block, decoder, channel)) return false;
    decoder_give_inside(decoder, channel, inside);
    block->to = decoder->channels[channel].length;
    return true;
}

static void keep_json(struct decoder *decoder, char **kept, const json_t *value) {
    char *text = json_text(value);
    free(*kept);
    *kept = text;
    if (!text)
        decoder_fail_memory(decoder);
    else
        decoder_keeps(decoder, strlen(text));
}

static bool is_tool(struct slice type) {
    return slice_equals(type, "tool_use") || slice_equals(type, "server_tool_use") ||
           slice_equals(type, "mcp_tool_use");
}

void message_blocks_start(struct message_blocks *blocks, struct decoder *decoder, int64_t index,
                          const json_t *content_block) {
    struct slice type = json_slice(content_block, "type");
    struct message_block *block = add_block(blocks, decoder, index);
    if (!block) return;
    if (slice_equals(type, "text")) {
        begin_span(block, decoder, CHANNEL_TEXT);
        give(blocks, decoder, index, CHANNEL_TEXT, json_object_get(content_block, "text"));
    } else if (slice_equals(type, "thinking")) {
        begin_span(block, decoder, CHANNEL_REASONING);
        give(blocks, decoder, index, CHANNEL_REASONING, json_object_get(content_block, "thinking"));
    } else {
        decoder_note_content(decoder);
    }
    if (is_tool(type)) decoder->facts.has_tools = true;
    block = find_block(blocks, index);
    keep_json(decoder, &block->start, content_block);
}

// ---- deltas ----

static void keep_piece(struct decoder *decoder, struct bytes *out, struct slice piece) {
    decoder_note_content(decoder);
    if (!decoder_keeps(decoder, piece.length)) return;
    struct half half = { 0 };
    bool good = decoder->marked ? json_unmark(piece, &half, out) : bytes_append_slice(out, piece);
    if (!good) decoder_fail_memory(decoder);
}

static void keep_citation(struct decoder *decoder, struct bytes *out, const json_t *citation) {
    char *text = json_text(citation);
    if (!text) {
        decoder_fail_memory(decoder);
        return;
    }
    if (out->length) keep_piece(decoder, out, slice_of(","));
    keep_piece(decoder, out, slice_of(text));
    free(text);
}

void message_blocks_add(struct message_blocks *blocks, struct decoder *decoder, int64_t index,
                        const json_t *delta) {
    struct slice type = json_slice(delta, "type");
    if (slice_equals(type, "text_delta")) {
        give(blocks, decoder, index, CHANNEL_TEXT, json_object_get(delta, "text"));
        return;
    }
    if (slice_equals(type, "thinking_delta")) {
        // Hidden thinking comes as empty deltas: nothing to read, but a sign of work.
        if (json_slice(delta, "thinking").length == 0) decoder_note_content(decoder);
        give(blocks, decoder, index, CHANNEL_REASONING, json_object_get(delta, "thinking"));
        return;
    }
    struct message_block *block = find_block(blocks, index);
    if (!block) block = add_block(blocks, decoder, index);
    if (!block) return;
    if (slice_equals(type, "input_json_delta")) {
        decoder->facts.has_tools = true;
        keep_piece(decoder, &block->input, json_slice(delta, "partial_json"));
    } else if (slice_equals(type, "signature_delta")) {
        keep_piece(decoder, &block->signature, json_slice(delta, "signature"));
    } else if (slice_equals(type, "citations_delta")) {
        keep_citation(decoder, &block->citations, json_object_get(delta, "citation"));
    } else {
        decoder_note_content(decoder);
        keep_json(decoder, &block->rest, delta);
    }
}

// ---- the blocks as JSON ----

static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

struct span {
    size_t from, to;
};

// In the joined text, if it is one; the first block begins where the answer began.
static struct span span_of(const struct message_block *block, const struct decoder *decoder,
                           bool is_first_text) {
    struct span span = { block->from, block->to };
    if (block->channel != CHANNEL_TEXT || !decoder->is_joined) return span;
    span.from = is_first_text ? 0 : decoder_shifted(decoder, block->from);
    span.to = decoder_shifted(decoder, block->to);
    return span;
}

static bool set_span(json_t *json, const struct message_block *block, struct span span,
                     struct slice text) {
    size_t to = span.to < text.length ? span.to : text.length;
    size_t from = span.from < to ? span.from : to;
    bool thinking = block->channel == CHANNEL_REASONING;
    const char *word = thinking ? "thinking" : "text";
    if (!json_object_get(json, "type") && !set(json, "type", json_string(word))) return false;
    return set(json, word, from < to ? json_stringn(text.data + from, to - from) : json_string(""));
}

// Arguments that broke off are kept as the text they are.
static bool set_input(json_t *json, const struct bytes *input) {
    if (input->length == 0) return true;
    json_t *value = json_loadb(input->data, input->length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    return set(json, "input", value ? value : json_stringn(input->data, input->length));
}

static bool set_citations(json_t *json, const struct bytes *citations) {
    struct bytes list;
    if (citations->length == 0) return true;
    bytes_init(&list, citations->length + 2);
    bool good = bytes_append_text(&list, "[") &&
                bytes_append_slice(&list, bytes_slice(citations)) && bytes_append_text(&list, "]");
    json_t *value = good ? json_loadb(list.data, list.length, JSON_ALLOW_NUL, NULL) : NULL;
    bytes_finish(&list);
    return set(json, "citations", value);
}

// What a delta of an unknown type says replaces what the block began with.
static bool set_rest(json_t *json, const char *rest) {
    if (!rest) return true;
    json_t *delta = json_loads(rest, JSON_ALLOW_NUL, NULL);
    bool good = delta != NULL;
    if (delta) {
        json_object_del(delta, "type");
        good = json_object_update(json, delta) == 0;
    }
    json_decref(delta);
    return good;
}

static json_t *block_json(const struct message_block *block, struct span span, struct slice text,
                          struct slice reasoning) {
    json_t *json = block->start ? json_loads(block->start, JSON_ALLOW_NUL, NULL) : json_object();
    struct slice channel = block->channel == CHANNEL_TEXT ? text : reasoning;
    bool good = json && (!block->has_text || set_span(json, block, span, channel)) &&
                set_input(json, &block->input) && set_citations(json, &block->citations) &&
                set_rest(json, block->rest);
    if (good && block->signature.length)
        good = set(json, "signature", json_stringn(block->signature.data, block->signature.length));
    if (good) return json;
    json_decref(json);
    return NULL;
}

json_t *message_blocks_json(const struct message_blocks *blocks, const struct decoder *decoder,
                            struct slice text, struct slice reasoning) {
    json_t *list = json_array();
    bool is_first_text = true;
    for (size_t i = 0; list && i < blocks->count; i++) {
        const struct message_block *block = &blocks->blocks[i];
        bool is_text = block->has_text && block->channel == CHANNEL_TEXT;
        if (block->has_text && !is_text && decoder->without_reasoning) continue;
        struct span span = span_of(block, decoder, is_text && is_first_text);
        if (is_text) is_first_text = false;
        if (json_array_append_new(list, block_json(block, span, text, reasoning)) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}
