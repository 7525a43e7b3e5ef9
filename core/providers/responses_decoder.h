/*
 * responses_decoder: streams of OpenAI's Responses, and whole response objects.
 */
#ifndef ASKFS_CORE_PROVIDERS_RESPONSES_DECODER_H
#define ASKFS_CORE_PROVIDERS_RESPONSES_DECODER_H

#include "core/providers/wire.h"

struct decoder *responses_decoder_create(const struct dialect *dialect, struct slice content_type);

#endif
