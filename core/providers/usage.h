/*
 * usage: token counts in the words of each API. The last report wins, nothing is added up.
 */
#ifndef ASKFS_CORE_PROVIDERS_USAGE_H
#define ASKFS_CORE_PROVIDERS_USAGE_H

#include <jansson.h>

#include "core/providers/wire.h"

/* OpenAI's chat and Responses, and what compatible servers add. xAI leaves reasoning out of its
 * completion_tokens: output_tokens has it. False: json is no report. */
bool usage_read_openai(const json_t *json, struct usage *usage);
/* Ollama's own API: on the last object itself. */
bool usage_read_ollama(const json_t *json, struct usage *usage);
/* Anthropic: the input is what was read, plus what the cache wrote and gave. */
bool usage_read_anthropic(const json_t *json, struct usage *usage);

#endif
