#include "core/providers/request_body.h"

#include <string.h>

#include "core/providers/json.h"
#include "core/stream/json_text.h"

static void write_key(struct request_body *body, const char *key) {
    if (!body->good) return;
    body->good = bytes_append_text(body->out, body->has_fields ? "," : "") &&
                 json_append_string(body->out, slice_of(key)) && bytes_append_text(body->out, ":");
    body->has_fields = true;
}

static bool is_overridden(const struct request_body *body, const char *key) {
    return json_object_get(body->options, key) != NULL;
}

void request_body_string(struct request_body *body, const char *key, struct slice value) {
    if (is_overridden(body, key)) return;
    write_key(body, key);
    if (body->good) body->good = json_append_string(body->out, value);
}

void request_body_json(struct request_body *body, const char *key, const char *json) {
    if (is_overridden(body, key)) return;
    write_key(body, key);
    if (body->good) body->good = bytes_append_text(body->out, json);
}

void request_body_begin(struct request_body *body, struct bytes *out,
                        const struct question *question) {
    *body = (struct request_body){ .out = out, .options = question->options };
    body->good = bytes_append_text(out, "{");
    request_body_string(body, "model", slice_of(question->model));
    request_body_own(body, "stream");
    body->good = body->good && bytes_append_text(out, "true");
}

void request_body_own(struct request_body *body, const char *key) {
    write_key(body, key);
}

static void write_value(struct request_body *body, const char *key, const json_t *value) {
    write_key(body, key);
    if (body->good) body->good = json_append(body->out, value);
}

bool request_body_end(struct request_body *body, const char *own_key) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)body->options, key, value) {
        bool ours = strcmp(key, "stream") == 0 || strcmp(key, own_key) == 0;
        if (!ours && !json_is_null(value)) write_value(body, key, value);
    }
    return body->good && bytes_append_text(body->out, "}");
}

bool request_body_message(struct bytes *out, const char *role, struct slice content) {
    return bytes_append_text(out, "{\"role\":") && json_append_string(out, slice_of(role)) &&
           bytes_append_text(out, ",\"content\":") && json_append_string(out, content) &&
           bytes_append_text(out, "}");
}
