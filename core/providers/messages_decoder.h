/*
 * messages_decoder: streams of Anthropic's Messages, and whole messages.
 */
#ifndef ASKFS_CORE_PROVIDERS_MESSAGES_DECODER_H
#define ASKFS_CORE_PROVIDERS_MESSAGES_DECODER_H

#include "core/providers/wire.h"

struct decoder *messages_decoder_create(const struct dialect *dialect, struct slice content_type);

#endif
