#include "core/policy/failure_body.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"

enum { BODY_READ_MAX = 256 << 10, MESSAGE_FROM_TEXT = 512 };

static void copy_printable(char *out, size_t size, const json_t *value) {
    if (!json_is_string(value)) return;
    text_printable(out, size,
                   (struct slice){ json_string_value(value), json_string_length(value) });
}

// Servers write the word None for nothing.
static void copy_word(char *out, size_t size, const json_t *value) {
    if (json_is_integer(value))
        snprintf(out, size, "%lld", (long long)json_integer_value(value));
    else if (json_is_string(value) && strcmp(json_string_value(value), "None") != 0)
        copy_printable(out, size, value);
}

// ---- JSON that jansson would refuse: bad UTF-8 and lone surrogates ----

static bool is_lone_surrogate(struct slice left) {
    unsigned value = (unsigned)strtoul((char[]){ left.data[2], left.data[3], left.data[4],
                                                 left.data[5], '\0' },
                                       NULL, 16);
    if (value >= 0xdc00 && value <= 0xdfff) return true;
    if (value < 0xd800 || value > 0xdbff) return false;
    return !(left.length >= 12 && left.data[6] == '\\' && left.data[7] == 'u' &&
             tolower((unsigned char)left.data[8]) == 'd' &&
             strchr("cdefCDEF", left.data[9]) != NULL);
}

// A copy in which what is no character became a question mark.
static bool clean(struct slice body, struct bytes *out) {
    for (size_t i = 0; i < body.length;) {
        struct slice left = { body.data + i, body.length - i };
        bool escape = left.length >= 6 && left.data[0] == '\\' && left.data[1] == 'u';
        if (escape && is_lone_surrogate(left)) {
            if (!bytes_append_text(out, "?")) return false;
            i += 6;
            continue;
        }
        size_t step = left.data[0] == '\\' && left.length > 1 ? (escape ? 6 : 2) : 1;
        if (escape && strncasecmp(left.data + 2, "d8", 1) == 0 && left.length >= 12 &&
            left.data[6] == '\\' && strchr("89abAB", left.data[3]))
            step = 12; // a pair
        struct text_check check = { 0 };
        while (step == 1 && i + step < body.length &&
               text_check_feed(&check, (struct slice){ left.data + step - 1, 1 }) &&
               !text_check_ended(&check))
            step++;
        bool good = text_is_valid((struct slice){ left.data, step });
        if (!good) step = 1;
        if (!bytes_append(out, good ? left.data : "?", step)) return false;
        i += step;
    }
    return true;
}

static json_t *load_tolerantly(struct slice body) {
    json_t *root = json_loadb(body.data, body.length, JSON_ALLOW_NUL, NULL);
    if (root) return root;
    struct bytes copy;
    bytes_init(&copy, 2 * (size_t)BODY_READ_MAX);
    if (clean(body, &copy)) root = json_loadb(copy.data, copy.length, JSON_ALLOW_NUL, NULL);
    bytes_finish(&copy);
    return root;
}

// ---- the shapes ----

static void note_status(struct failure_body *out, const json_t *value) {
    long long status = 0;
    if (json_is_integer(value)) status = json_integer_value(value);
    if (json_is_string(value)) status = atoll(json_string_value(value));
    if (status >= 400 && status <= 599 && !out->inner_status) out->inner_status = (int)status;
}

// FastAPI: "text", {"msg": …} or a list of such.
static void read_detail(const json_t *detail, struct failure_body *out) {
    if (json_is_array(detail)) detail = json_array_get(detail, 0);
    if (json_is_object(detail)) {
        const json_t *message = json_object_get(detail, "msg");
        if (!message) message = json_object_get(detail, "message");
        if (!message) message = json_object_get(json_object_get(detail, "error"), "message");
        detail = message;
    }
    copy_printable(out->message, sizeof(out->message), detail);
}

static void read_google_details(const json_t *details, struct failure_body *out) {
    size_t i;
    const json_t *detail;
    json_array_foreach(details, i, detail) {
        if (!out->detail_code[0])
            copy_word(out->detail_code, sizeof(out->detail_code),
                      json_object_get(detail, "reason"));
        size_t j;
        const json_t *violation;
        json_array_foreach(json_object_get(detail, "violations"), j, violation) {
            const char *id = json_string_value(json_object_get(violation, "quotaId"));
            if (id && strstr(id, "PerDay")) out->is_daily_quota = true;
        }
    }
}

static void read_inner(const json_t *error, struct failure_body *out) {
    const json_t *details = json_object_get(error, "details");
    if (json_is_array(details)) read_google_details(details, out);
    if (json_is_object(details))
        copy_word(out->detail_code, sizeof(out->detail_code),
                  json_object_get(details, "error_code"));
    const json_t *reasons = json_object_get(json_object_get(error, "metadata"), "reasons");
    out->has_flag_reasons = json_array_size(reasons) > 0;
}

static void read_object(const json_t *error, struct failure_body *out) {
    out->error = error;
    const json_t *message = json_object_get(error, "message");
    if (json_is_object(message))
        read_detail(json_object_get(message, "detail"), out);
    else
        copy_printable(out->message, sizeof(out->message), message);
    if (!out->message[0]) read_detail(json_object_get(error, "detail"), out);
    if (!out->message[0]) // Cloudflare's problem document
        copy_printable(out->message, sizeof(out->message), json_object_get(error, "title"));
    copy_word(out->code, sizeof(out->code), json_object_get(error, "code"));
    if (!out->code[0])
        copy_word(out->code, sizeof(out->code), json_object_get(error, "error_name"));
    copy_word(out->type, sizeof(out->type), json_object_get(error, "type"));
    note_status(out, json_object_get(error, "code"));
    note_status(out, json_object_get(error, "status"));
    note_status(out, json_object_get(error, "status_code"));
    note_status(out, json_object_get(error, "raw_status_code"));
    read_inner(error, out);
}

static void read_root(const json_t *root, struct failure_body *out) {
    const json_t *error = json_object_get(root, "error");
    const json_t *failed = json_object_get(json_object_get(root, "response"), "error");
    if (!json_is_object(error) && json_is_object(failed)) error = failed;
    copy_printable(out->request_id, sizeof(out->request_id), json_object_get(root, "request_id"));
    if (json_is_object(error)) {
        read_object(error, out);
    } else if (json_is_string(error)) {
        out->error = root;
        copy_printable(out->message, sizeof(out->message), error);
        copy_word(out->code, sizeof(out->code), json_object_get(root, "code"));
        copy_word(out->type, sizeof(out->type), json_object_get(root, "type"));
        note_status(out, json_object_get(root, "code"));
    } else {
        read_object(root, out);
    }
    if (!out->code[0]) // xAI's deferred jobs
        copy_word(out->code, sizeof(out->code), json_object_get(root, "status"));
}

// ---- text ----

static struct slice html_title(struct slice body) {
    for (size_t i = 0; i + 7 < body.length; i++) {
        if (strncasecmp(body.data + i, "<title>", 7) != 0) continue;
        const char *start = body.data + i + 7;
        const char *end = memchr(start, '<', body.length - i - 7);
        if (end) return slice_trim((struct slice){ start, (size_t)(end - start) });
    }
    return body;
}

static void read_text(struct slice body, struct failure_body *out) {
    out->is_html = body.length && body.data[0] == '<';
    struct slice shown = out->is_html ? html_title(body) : body;
    if (shown.length > MESSAGE_FROM_TEXT) shown.length = MESSAGE_FROM_TEXT;
    text_printable(out->message, sizeof(out->message), shown);
}

void failure_body_read(struct slice body, struct failure_body *body_out) {
    *body_out = (struct failure_body){ 0 };
    body = slice_trim(body);
    if (body.length == 0) return;
    bool looks_like_json = body.data[0] == '{' || body.data[0] == '[';
    if (looks_like_json && body.length <= BODY_READ_MAX) body_out->root = load_tolerantly(body);
    const json_t *root = body_out->root;
    if (json_is_array(root)) root = json_array_get(root, 0);
    if (json_is_object(root))
        read_root(root, body_out);
    if (!body_out->message[0] && !body_out->code[0] && !body_out->type[0])
        read_text(body, body_out);
}

void failure_body_finish(struct failure_body *body) {
    json_decref(body->root);
    body->root = NULL;
}
