#include "core/providers/chat_decoder.h"
#include "core/providers/models_list.h"
#include "core/providers/request_body.h"
#include "core/providers/turns.h"
#include "core/providers/wire.h"

static const struct turns_style style = { .has_system = true };

static bool write_request(const struct question *question, const struct dialect *dialect,
                          struct bytes *out) {
    struct request_body body;
    request_body_begin(&body, out, question);
    if (dialect->sends_stream_options)
        request_body_json(&body, "stream_options", "{\"include_usage\":true}");
    bool goes_on = question->continuation == CONTINUATION_PREFILL &&
                   dialect->prefill == PREFILL_CONTINUE_FINAL;
    if (goes_on) {
        request_body_json(&body, "continue_final_message", "true");
        request_body_json(&body, "add_generation_prompt", "false");
    }
    request_body_own(&body, "messages");
    body.good = body.good && turns_write(out, question, dialect, &style);
    return request_body_end(&body, "messages");
}

const struct wire wire_openai_chat = {
    .name = "openai-chat",
    .path = "/chat/completions",
    .models_path = "/models",
    .write_request = write_request,
    .decoder_create = chat_decoder_create,
    .read_models = models_list_read,
};
