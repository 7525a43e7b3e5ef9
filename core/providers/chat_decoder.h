/*
 * chat_decoder: streams of OpenAI's Chat Completions, as its many imitators send them; whole
 * completions; and the lines of Ollama's own API.
 */
#ifndef ASKFS_CORE_PROVIDERS_CHAT_DECODER_H
#define ASKFS_CORE_PROVIDERS_CHAT_DECODER_H

#include "core/providers/wire.h"

struct decoder *chat_decoder_create(const struct dialect *dialect, struct slice content_type);

#endif
