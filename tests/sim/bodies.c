#include "tests/sim/bodies.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- read ----

static const char *text_of(const json_t *content) {
    if (json_is_string(content)) return json_string_value(content);
    const json_t *part = json_array_get(content, 0);
    const char *text = json_string_value(json_object_get(part, "text"));
    return text ? text : "";
}

static const char *role_of(const json_t *turn) {
    const char *role = json_string_value(json_object_get(turn, "role"));
    return role ? role : "";
}

static void read_turns(const json_t *turns, struct asked *asked) {
    size_t count = json_array_size(turns);
    size_t first = 0;
    while (first < count && strcmp(role_of(json_array_get(turns, first)), "user") != 0)
        first++;
    const char *prompt = text_of(json_object_get(json_array_get(turns, first), "content"));
    asked->good =
        sscanf(prompt, "prompt %zu", &asked->prompt) == 1 && asked->prompt < UPSTREAM_PROMPTS;
    const json_t *second = json_array_get(turns, first + 1);
    if (!second || strcmp(role_of(second), "assistant") != 0) return;
    asked->prefills = first + 2 == count;
    asked->continues = first + 3 == count;
    snprintf(asked->partial, sizeof(asked->partial), "%s",
             text_of(json_object_get(second, "content")));
}

struct asked bodies_read(struct slice body) {
    struct asked asked = { .good = false };
    json_t *root = json_loadb(body.data, body.length, 0, NULL);
    const json_t *input = json_object_get(root, "input");
    if (json_is_string(input))
        asked.good = sscanf(json_string_value(input), "prompt %zu", &asked.prompt) == 1 &&
                     asked.prompt < UPSTREAM_PROMPTS;
    else
        read_turns(input ? input : json_object_get(root, "messages"), &asked);
    json_decref(root);
    return asked;
}

// ---- write ----

struct writer {
    struct bytes *out;
    struct random *random;
    size_t sequence;      /* of the next event */
    size_t from_sequence; /* earlier ones are left out */
};

// printf is most of a simulation's time when it writes every token.
static void put(struct writer *writer, const char *before, struct slice token, const char *after) {
    bytes_append_text(writer->out, before);
    bytes_append_slice(writer->out, token);
    bytes_append_text(writer->out, after);
}

static void event(struct writer *writer, const char *type, const char *before, struct slice token,
                  const char *after) {
    char number[32];
    size_t sequence = writer->sequence++;
    if (sequence < writer->from_sequence) return;
    put(writer, "event: ", slice_of(type), "\ndata: {\"type\":\"");
    put(writer, type, slice_of("\",\"sequence_number\":"), "");
    snprintf(number, sizeof(number), "%zu", sequence);
    put(writer, number, slice_of(before), "");
    put(writer, "", token, after);
    bytes_append_text(writer->out, "}\n\n");
}

static void write_responses(struct writer *writer, const char *id, const struct slice *tokens,
                            size_t count) {
    static const char begun[] = ",\"response\":{\"id\":\"";
    static const char in_progress[] = "\",\"status\":\"in_progress\"}";
    struct slice none = slice_of("");
    event(writer, "response.created", begun, slice_of(id), in_progress);
    event(writer, "response.in_progress", begun, slice_of(id), in_progress);
    event(writer, "response.output_item.added",
          ",\"output_index\":0,\"item\":{\"id\":\"m\",\"type\":\"message\",\"content\":[]}", none,
          "");
    for (size_t i = 0; i < count; i++)
        event(writer, "response.output_text.delta",
              ",\"item_id\":\"m\",\"output_index\":0,\"content_index\":0,\"delta\":\"", tokens[i],
              "\"");
    event(writer, "response.completed", begun, slice_of(id),
          "\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":3,"
          "\"output_tokens\":9}}");
}

static void write_chat(struct writer *writer, const struct slice *tokens, size_t count) {
    bytes_append_text(writer->out, ": hello\n\n");
    for (size_t i = 0; i < count; i++)
        put(writer, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", tokens[i],
            "\"}}]}\n\n");
    bytes_append_text(writer->out,
                      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"
                      "\n\ndata: [DONE]\n\n");
}

static void write_messages(struct writer *writer, const struct slice *tokens, size_t count) {
    bytes_append_text(writer->out,
                      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"
                      "\"m\",\"content\":[],\"usage\":{\"input_tokens\":3}}}\n\n"
                      "event: content_block_start\ndata: {\"type\":\"content_block_start\","
                      "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
    for (size_t i = 0; i < count; i++)
        put(writer,
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
            "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"",
            tokens[i], "\"}}\n\n");
    bytes_append_text(writer->out,
                      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
                      "\"index\":0}\n\n"
                      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"
                      "{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n"
                      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

enum { TOKENS_MAX = 512 };

// A response that is stored is cut into the same tokens whenever it is asked for.
static size_t cut(struct slice text, struct random *random, bool is_stored, struct slice *tokens) {
    size_t count = 0;
    size_t at = 0;
    while (at < text.length && count < TOKENS_MAX) {
        size_t length = is_stored ? 5 : (size_t)random_between(random, 1, 12);
        if (length > text.length - at || count == TOKENS_MAX - 1) length = text.length - at;
        tokens[count++] = (struct slice){ text.data + at, length };
        at += length;
    }
    return count;
}

void bodies_write(struct bytes *out, enum wire_kind wire, const char *response_id,
                  struct slice text, size_t from_sequence, struct random *random) {
    struct writer writer = { out, random, 0, from_sequence };
    struct slice tokens[TOKENS_MAX];
    size_t count = cut(text, random, wire == WIRE_RESPONSES, tokens);
    switch (wire) {
    case WIRE_CHAT:
        write_chat(&writer, tokens, count);
        break;
    case WIRE_RESPONSES:
        write_responses(&writer, response_id, tokens, count);
        break;
    case WIRE_MESSAGES:
        write_messages(&writer, tokens, count);
        break;
    case WIRE_KINDS:
        abort();
    }
}
