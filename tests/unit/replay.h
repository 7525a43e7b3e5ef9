/*
 * replay: feeds a recorded reply to a decoder in any cuts, and keeps what came out.
 */
#ifndef ASKFS_TESTS_UNIT_REPLAY_H
#define ASKFS_TESTS_UNIT_REPLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "core/providers/wire.h"

struct replay {
    struct decoder *decoder;
    struct gain gain;
    struct bytes text;
    struct bytes reasoning;
    enum decoder_status status;
};

enum { REPLAY_BYTES_MAX = 256 << 20 };

static const struct dialect replay_dialect = { .sends_stream_options = true,
                                               .finish_required = true };

static inline void replay_begin(struct replay *replay, const struct wire *wire,
                                const struct dialect *dialect, const char *content_type) {
    *replay = (struct replay){ .status = DECODER_MORE };
    replay->decoder = wire->decoder_create(dialect, slice_of(content_type));
    bytes_init(&replay->gain.text, REPLAY_BYTES_MAX);
    bytes_init(&replay->gain.reasoning, REPLAY_BYTES_MAX);
    bytes_init(&replay->text, REPLAY_BYTES_MAX);
    bytes_init(&replay->reasoning, REPLAY_BYTES_MAX);
}

static inline void replay_keep(struct replay *replay) {
    bytes_append_slice(&replay->text, bytes_slice(&replay->gain.text));
    bytes_append_slice(&replay->reasoning, bytes_slice(&replay->gain.reasoning));
    bytes_clear(&replay->gain.text);
    bytes_clear(&replay->gain.reasoning);
}

/* The bytes are copied, so that a sanitizer sees a decoder that looks at them later. */
static inline void replay_feed(struct replay *replay, struct slice bytes) {
    char *copy = malloc(bytes.length ? bytes.length : 1);
    if (bytes.length) memcpy(copy, bytes.data, bytes.length);
    replay->status =
        decoder_feed(replay->decoder, (struct slice){ copy, bytes.length }, &replay->gain);
    free(copy);
    replay_keep(replay);
}

static inline void replay_end(struct replay *replay) {
    if (replay->status == DECODER_MORE || replay->status == DECODER_FINISHING)
        replay->status = decoder_end(replay->decoder, &replay->gain);
    replay_keep(replay);
}

static inline void replay_finish(struct replay *replay) {
    decoder_destroy(replay->decoder);
    bytes_finish(&replay->gain.text);
    bytes_finish(&replay->gain.reasoning);
    bytes_finish(&replay->text);
    bytes_finish(&replay->reasoning);
}

/* In pieces of step bytes; 0: in one. */
static inline void replay_steps(struct replay *replay, struct slice bytes, size_t step) {
    if (step == 0) step = bytes.length ? bytes.length : 1;
    for (size_t at = 0; at < bytes.length; at += step) {
        size_t length = bytes.length - at < step ? bytes.length - at : step;
        replay_feed(replay, (struct slice){ bytes.data + at, length });
    }
    replay_end(replay);
}

static inline void replay_random(struct replay *replay, struct slice bytes, int64_t piece_max,
                                 struct random *random) {
    while (bytes.length) {
        size_t length = (size_t)random_between(random, 0, piece_max);
        if (length > bytes.length) length = bytes.length;
        replay_feed(replay, (struct slice){ bytes.data, length });
        bytes.data += length;
        bytes.length -= length;
    }
    replay_end(replay);
}

static inline bool replay_same_bytes(const struct bytes *left, const struct bytes *right) {
    return left->length == right->length &&
           (left->length == 0 || memcmp(left->data, right->data, left->length) == 0);
}

static inline bool replay_same(const struct replay *left, const struct replay *right) {
    const struct decoder_facts *a = decoder_facts(left->decoder);
    const struct decoder_facts *b = decoder_facts(right->decoder);
    return left->status == right->status && replay_same_bytes(&left->text, &right->text) &&
           replay_same_bytes(&left->reasoning, &right->reasoning) &&
           strcmp(a->response_id, b->response_id) == 0 && strcmp(a->model, b->model) == 0 &&
           strcmp(a->finish_reason, b->finish_reason) == 0 &&
           a->sequence_number == b->sequence_number && a->has_content == b->has_content &&
           a->has_tools == b->has_tools && a->filtered == b->filtered &&
           a->progress == b->progress && a->usage.input_tokens == b->usage.input_tokens &&
           a->usage.output_tokens == b->usage.output_tokens &&
           a->usage.reasoning_tokens == b->usage.reasoning_tokens &&
           a->usage.cached_tokens == b->usage.cached_tokens &&
           a->failure.class == b->failure.class &&
           strcmp(a->failure.message, b->failure.message) == 0;
}

/* A whole file; data NULL when there is none. To be freed. */
static inline struct slice replay_file(const char *path) {
    struct bytes bytes;
    char piece[65536];
    size_t count;
    FILE *file = fopen(path, "rb");
    bytes_init(&bytes, REPLAY_BYTES_MAX);
    if (!file) return (struct slice){ 0 };
    while ((count = fread(piece, 1, sizeof(piece), file)) > 0)
        bytes_append(&bytes, piece, count);
    fclose(file);
    size_t length = bytes.length;
    return (struct slice){ bytes_take(&bytes), length };
}

static inline const struct wire *replay_wire(const char *word) {
    if (strcmp(word, "chat") == 0) return &wire_openai_chat;
    if (strcmp(word, "responses") == 0) return &wire_openai_responses;
    if (strcmp(word, "messages") == 0) return &wire_anthropic_messages;
    return NULL;
}

#endif
