#include "core/providers/types.h"

#include <string.h>

static const char *const openai_apis[] = { "responses", "chat", NULL };
static const char *const chat_first_apis[] = { "chat", "responses", NULL };
static const char *const all_apis[] = { "chat", "responses", "messages", NULL };
static const char *const anthropic_headers[] = { "anthropic-version: 2023-06-01", NULL };

static const struct provider_type openai = {
    .name = "openai",
    .wires = { &wire_openai_responses, &wire_openai_chat },
    .apis = openai_apis,
    .base_url = "https://api.openai.com/v1",
    .default_model = "gpt-5.2",
    .key_variable = "OPENAI_API_KEY",
    .background = true,
    .key_header = KEY_BEARER,
    .dialect = { .sends_stream_options = true, .finish_required = true },
};

static const struct provider_type anthropic = {
    .name = "anthropic",
    .wires = { &wire_anthropic_messages },
    .base_url = "https://api.anthropic.com/v1",
    .default_model = "claude-sonnet-5",
    .key_variable = "ANTHROPIC_API_KEY",
    .key_header = KEY_X_API_KEY,
    .headers = anthropic_headers,
    .dialect = { .prefill = PREFILL_PLAIN, .finish_required = true },
};

static const struct provider_type xai = {
    .name = "xai",
    .wires = { &wire_openai_chat, &wire_openai_responses },
    .apis = chat_first_apis,
    .base_url = "https://api.x.ai/v1",
    .default_model = "grok-4",
    .key_variable = "XAI_API_KEY",
    .key_header = KEY_BEARER,
    .dialect = { .sends_stream_options = true, .finish_required = true },
};

static const struct provider_type compatible = {
    .name = "openai-compatible",
    .wires = { &wire_openai_chat, &wire_openai_responses },
    .apis = chat_first_apis,
    .key_header = KEY_BEARER,
    .dialect = { .prefill = PREFILL_PLAIN, .sends_stream_options = true, .finish_required = true },
};

static const struct provider_type sim = {
    .name = "sim",
    .wires = { &wire_openai_chat, &wire_openai_responses, &wire_anthropic_messages },
    .apis = all_apis,
    .default_model = "sim",
    .background = true,
    .key_header = KEY_BEARER,
    .dialect = { .prefill = PREFILL_PLAIN, .sends_stream_options = true, .finish_required = true },
};

const struct provider_type *const provider_types[] = { &openai,     &anthropic, &xai,
                                                       &compatible, &sim,       NULL };

const struct provider_type *provider_type_find(const char *name) {
    for (size_t i = 0; provider_types[i]; i++)
        if (strcmp(provider_types[i]->name, name) == 0) return provider_types[i];
    return NULL;
}

const struct wire *provider_type_wire(const struct provider_type *type, const char *api) {
    if (!api) return type->wires[0];
    for (size_t i = 0; type->apis && type->apis[i]; i++)
        if (strcmp(type->apis[i], api) == 0) return type->wires[i];
    return NULL;
}
