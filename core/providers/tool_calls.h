/*
 * tool_calls: the calls of an answer in OpenAI's chat shape, put together from their pieces: id and
 * name come once, arguments in any number of cuts.
 */
#ifndef ASKFS_CORE_PROVIDERS_TOOL_CALLS_H
#define ASKFS_CORE_PROVIDERS_TOOL_CALLS_H

#include "core/providers/decoder.h"

struct tool_call;

struct tool_calls {
    struct tool_call *calls;
    size_t count;
};

void tool_calls_finish(struct tool_calls *calls);
/* pieces: delta.tool_calls, or message.tool_calls. A piece without an index belongs to the call of
 * its id, or begins one, or goes on with the last. */
void tool_calls_add(struct tool_calls *calls, struct decoder *decoder, const json_t *pieces);
/* delta.function_call, the older form. */
void tool_calls_add_function(struct tool_calls *calls, struct decoder *decoder,
                             const json_t *function);
json_t *tool_calls_json(const struct tool_calls *calls); /* NULL: no memory */

#endif
