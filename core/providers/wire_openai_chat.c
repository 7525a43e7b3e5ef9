#include "core/providers/chat_decoder.h"
#include "core/providers/models_list.h"
#include "core/providers/request_body.h"
#include "core/providers/wire.h"

static bool write_messages(const struct question *question, struct bytes *out) {
    bool good = bytes_append_text(out, "[");
    if (question->system.length)
        good = good && request_body_message(out, "system", question->system) &&
               bytes_append_text(out, ",");
    return good && request_body_message(out, "user", question->prompt) &&
           bytes_append_text(out, "]");
}

static bool write_request(const struct question *question, const struct dialect *dialect,
                          struct bytes *out) {
    struct request_body body;
    if (question->body) return request_body_whole(question, out);
    request_body_begin(&body, out, question->options);
    request_body_string(&body, "model", slice_of(question->model));
    request_body_own(&body, "stream");
    body.good = body.good && bytes_append_text(out, "true");
    if (dialect->sends_stream_options)
        request_body_json(&body, "stream_options", "{\"include_usage\":true}");
    request_body_own(&body, "messages");
    body.good = body.good && write_messages(question, out);
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
