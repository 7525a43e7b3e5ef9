#include "core/providers/models_list.h"
#include "core/providers/request_body.h"
#include "core/providers/responses_decoder.h"
#include "core/providers/wire.h"
#include "core/stream/json_text.h"

static bool write_request(const struct question *question, const struct dialect *dialect,
                          struct bytes *out) {
    struct request_body body;
    (void)dialect;
    if (question->body) return request_body_whole(question, out);
    request_body_begin(&body, out, question->options);
    request_body_string(&body, "model", slice_of(question->model));
    request_body_own(&body, "stream");
    body.good = body.good && bytes_append_text(out, "true");
    // Only a response in the background can be attached to again, and only when it is stored.
    if (question->background) request_body_json(&body, "background", "true");
    request_body_json(&body, "store", question->background ? "true" : "false");
    if (question->system.length) request_body_string(&body, "instructions", question->system);
    request_body_own(&body, "input");
    body.good = body.good && json_append_string(out, question->prompt);
    return request_body_end(&body, "input");
}

const struct wire wire_openai_responses = {
    .name = "openai-responses",
    .path = "/responses",
    .models_path = "/models",
    .write_request = write_request,
    .decoder_create = responses_decoder_create,
    .read_models = models_list_read,
};
