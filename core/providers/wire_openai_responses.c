#include <string.h>

#include "core/providers/models_list.h"
#include "core/providers/request_body.h"
#include "core/providers/responses_decoder.h"
#include "core/providers/turns.h"
#include "core/providers/wire.h"
#include "core/stream/json_text.h"

static bool write_input(const struct question *question, const struct dialect *dialect,
                        struct bytes *out) {
    static const struct turns_style style = { .has_system = false };
    if (question->continuation == CONTINUATION_NONE)
        return json_append_string(out, question->prompt);
    return turns_write(out, question, dialect, &style);
}

static bool write_request(const struct question *question, const struct dialect *dialect,
                          struct bytes *out) {
    struct request_body body;
    request_body_begin(&body, out, question);
    // Only a response in the background can be attached to again, and only when it is stored.
    if (question->background) request_body_json(&body, "background", "true");
    request_body_json(&body, "store", question->background ? "true" : "false");
    if (question->system.length) request_body_string(&body, "instructions", question->system);
    request_body_own(&body, "input");
    body.good = body.good && write_input(question, dialect, out);
    return request_body_end(&body, "input");
}

// Ids come from outside: nothing in one may change the meaning of the URL.
static bool is_plain_id(const char *id) {
    return id[0] &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
               strlen(id);
}

static bool write_resume_path(const struct decoder_facts *facts, struct bytes *out) {
    return is_plain_id(facts->response_id) &&
           bytes_printf(out, "/responses/%s?stream=true&starting_after=%lld", facts->response_id,
                        (long long)facts->sequence_number);
}

static bool write_cancel_path(const struct decoder_facts *facts, struct bytes *out) {
    return is_plain_id(facts->response_id) &&
           bytes_printf(out, "/responses/%s/cancel", facts->response_id);
}

const struct wire wire_openai_responses = {
    .name = "openai-responses",
    .path = "/responses",
    .models_path = "/models",
    .write_resume_path = write_resume_path,
    .write_cancel_path = write_cancel_path,
    .write_request = write_request,
    .decoder_create = responses_decoder_create,
    .read_models = models_list_read,
};
