/*
 * message_blocks: the content blocks of an Anthropic message as they grow. Text and thinking are
 * kept as spans of what was given to the reader; the rest as it came.
 */
#ifndef ASKFS_CORE_PROVIDERS_MESSAGE_BLOCKS_H
#define ASKFS_CORE_PROVIDERS_MESSAGE_BLOCKS_H

#include "core/providers/decoder.h"

struct message_block;

struct message_blocks {
    struct message_block *blocks;
    size_t count;
};

void message_blocks_finish(struct message_blocks *blocks);

/* A block begins; its own text, mostly empty, is given. */
void message_blocks_start(struct message_blocks *blocks, struct decoder *decoder, int64_t index,
                          const json_t *content_block);
/* A delta of any type. */
void message_blocks_add(struct message_blocks *blocks, struct decoder *decoder, int64_t index,
                        const json_t *delta);
/* The text of an ordinary delta, still escaped. False: no block of that index goes on with this
 * channel; nothing was done. */
bool message_blocks_add_inside(struct message_blocks *blocks, struct decoder *decoder,
                               int64_t index, enum channel_kind channel, struct slice inside);

/* NULL: no memory. */
json_t *message_blocks_json(const struct message_blocks *blocks, const struct decoder *decoder,
                            struct slice text, struct slice reasoning);

#endif
