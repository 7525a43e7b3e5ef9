#include "core/providers/messages_decoder.h"
#include "core/providers/models_list.h"
#include "core/providers/request_body.h"
#include "core/providers/turns.h"
#include "core/providers/wire.h"

// The API insists on a limit. Enough for a long answer, and every current model allows it; more is
// asked for by the option max_tokens.
static const char *const max_tokens_default = "8192";

static const struct turns_style style = { .trims_prefill = true };

static bool write_request(const struct question *question, const struct dialect *dialect,
                          struct bytes *out) {
    struct request_body body;
    request_body_begin(&body, out, question);
    request_body_json(&body, "max_tokens", max_tokens_default);
    if (question->system.length) request_body_string(&body, "system", question->system);
    request_body_own(&body, "messages");
    body.good = body.good && turns_write(out, question, dialect, &style);
    return request_body_end(&body, "messages");
}

const struct wire wire_anthropic_messages = {
    .name = "anthropic-messages",
    .path = "/messages",
    .models_path = "/models",
    .trims_prefill = true,
    .write_request = write_request,
    .decoder_create = messages_decoder_create,
    .read_models = models_list_read,
};
