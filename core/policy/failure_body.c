#include "core/policy/failure_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"

enum { BODY_READ_MAX = 256 << 10, BODY_CLEANED_MAX = 16 << 10, MESSAGE_FROM_TEXT = 512 };

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// ---- JSON that jansson would refuse: bad UTF-8 and lone surrogates ----

// The character that a \u escape at the front names; -1: no such escape.
static long escaped_character(struct slice left) {
    if (left.length < 6 || left.data[0] != '\\' || left.data[1] != 'u') return -1;
    char digits[5] = { left.data[2], left.data[3], left.data[4], left.data[5] };
    return strtol(digits, NULL, 16);
}

static bool is_surrogate(long character, long low) {
    return character >= low && character < low + 0x400;
}

// How many bytes at the front may stay as they are; 0: the escape there names half a character.
static size_t good_escape(struct slice left) {
    long character = escaped_character(left);
    if (character < 0) return left.length > 1 ? 2 : 1;
    if (is_surrogate(character, 0xdc00)) return 0;
    if (!is_surrogate(character, 0xd800)) return 6;
    struct slice next = { left.data + 6, left.length - 6 };
    return is_surrogate(escaped_character(next), 0xdc00) ? 12 : 0;
}

static size_t good_character(struct slice left) {
    for (size_t length = 1; length <= 4 && length <= left.length; length++)
        if (text_is_valid((struct slice){ left.data, length })) return length;
    return 0;
}

// A copy in which what is no character became a question mark; never longer than body.
static struct slice clean(struct slice body, char *copy) {
    size_t length = 0;
    for (size_t i = 0; i < body.length;) {
        struct slice left = { body.data + i, body.length - i };
        bool escape = left.data[0] == '\\';
        size_t good = escape ? good_escape(left) : good_character(left);
        if (good) {
            memcpy(copy + length, left.data, good);
            length += good;
            i += good;
        } else {
            copy[length++] = '?';
            i += escape ? 6 : 1;
        }
    }
    return (struct slice){ copy, length };
}

static json_t *load(struct slice body) {
    return json_loadb(body.data, body.length, JSON_ALLOW_NUL, NULL);
}

static json_t *load_tolerantly(struct slice body) {
    char copy[BODY_CLEANED_MAX];
    json_t *root = load(body);
    if (root || body.length > sizeof(copy)) return root;
    return load(clean(body, copy));
}

// ---- values ----

static struct slice text_of(const json_t *value) {
    return (struct slice){ json_string_value(value), json_string_length(value) };
}

// NULL stands for what is absent, null or an empty text.
static const json_t *get(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    bool says_nothing = json_is_null(value) || (json_is_string(value) && !text_of(value).length);
    return says_nothing ? NULL : value;
}

static const json_t *first_of(const json_t *value) {
    return json_is_array(value) ? json_array_get(value, 0) : value;
}

// Servers write the word None for nothing. What was found before stays.
static void copy_word(char *out, size_t size, const json_t *value) {
    if (out[0]) return;
    if (json_is_number(value))
        snprintf(out, size, "%.15g", json_number_value(value));
    else if (!slice_equals(text_of(value), "None"))
        text_printable(out, size, text_of(value));
}

static const json_t *get_text(const json_t *object) {
    static const char *const names[] = {
        "message", "msg", "detail", "title", "error", "status_msg"
    };
    const json_t *found = NULL;
    for (size_t i = 0; i < LENGTH(names) && !found; i++)
        found = get(object, names[i]);
    return found;
}

// The text at the bottom: FastAPI and those behind it nest it in lists and objects.
static struct slice text_within(const json_t *value) {
    while (json_is_array(value) || json_is_object(value)) {
        const json_t *first = json_array_get(value, 0);
        value = first ? first : get_text(value);
    }
    return text_of(value);
}

static void add_text(struct failure_body *out, struct slice text) {
    size_t used = strlen(out->message);
    if (text.length == 0) return;
    if (used) used += (size_t)snprintf(out->message + used, sizeof(out->message) - used, ": ");
    if (used < sizeof(out->message))
        text_printable(out->message + used, sizeof(out->message) - used, text);
}

// ---- the parts of an error object ----

static void note_status(const json_t *object, struct failure_body *out) {
    static const char *const names[] = { "code",       "status",      "status_code",
                                         "statusCode", "http_status", "raw_status_code" };
    for (size_t i = 0; i < LENGTH(names) && !out->inner_status; i++) {
        char word[16] = "";
        char *end;
        copy_word(word, sizeof(word), json_object_get(object, names[i]));
        long status = strtol(word, &end, 10);
        if (!*end && status >= 400 && status <= 599) out->inner_status = (int)status;
    }
}

// MiniMax answers 200, and numbers its errors in its own way.
static void note_base_resp(const json_t *base, struct failure_body *out) {
    static const struct {
        int code, status;
    } codes[] = { { 1001, 504 }, { 1002, 429 }, { 1004, 401 }, { 1008, 402 } };
    json_int_t code = json_integer_value(json_object_get(base, "status_code"));
    for (size_t i = 0; i < LENGTH(codes); i++)
        if (code == codes[i].code) out->inner_status = codes[i].status;
}

static void add_detail_code(struct failure_body *out, const json_t *value) {
    if (!json_is_string(value) || out->detail_code_count == FAILURE_DETAIL_CODES_MAX) return;
    char *code = out->detail_codes[out->detail_code_count++];
    text_printable(code, sizeof(out->detail_codes[0]), text_of(value));
}

static void read_violations(const json_t *violations, struct failure_body *out) {
    for (size_t i = 0; i < json_array_size(violations); i++) {
        const json_t *id = json_object_get(json_array_get(violations, i), "quotaId");
        if (json_is_string(id) && strstr(json_string_value(id), "PerDay"))
            out->is_daily_quota = true;
    }
}

static void read_google_details(const json_t *details, struct failure_body *out) {
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *detail = json_array_get(details, i);
        add_detail_code(out, json_object_get(detail, "reason"));
        read_violations(json_object_get(detail, "violations"), out);
    }
}

static void read_details(const json_t *error, struct failure_body *out) {
    const json_t *details = json_object_get(error, "details");
    const json_t *metadata = json_object_get(error, "metadata");
    add_detail_code(out, json_object_get(details, "error_code"));
    read_google_details(details, out);
    add_detail_code(out, json_object_get(json_object_get(error, "innererror"), "code"));
    out->has_flag_reasons = json_array_size(json_object_get(metadata, "reasons")) > 0;
    add_text(out, text_of(json_object_get(metadata, "raw"))); // OpenRouter: what is behind it said
}

static void read_object(const json_t *error, struct failure_body *out) {
    out->error = error;
    add_text(out, text_within(error));
    copy_word(out->code, sizeof(out->code), get(error, "code"));
    copy_word(out->code, sizeof(out->code), get(error, "error_name")); // Cloudflare
    copy_word(out->type, sizeof(out->type), get(error, "type"));
    note_status(error, out);
    read_details(error, out);
}

// {"error": "text"}: a sentence, or a code with the sentence beside it.
static void read_string(const json_t *root, struct slice error, struct failure_body *out) {
    static const char *const names[] = { "message", "error_description", "detail" };
    out->error = root;
    add_text(out, error);
    for (size_t i = 0; i < LENGTH(names); i++)
        add_text(out, text_within(json_object_get(root, names[i])));
    copy_word(out->code, sizeof(out->code), get(root, "code"));
    copy_word(out->type, sizeof(out->type), get(root, "type"));
    copy_word(out->type, sizeof(out->type), get(root, "error_type")); // TGI
    if (!out->code[0] && !memchr(error.data, ' ', error.length))
        text_printable(out->code, sizeof(out->code), error);
}

// ---- where the error object is ----

static const json_t *find_object(const json_t *root) {
    static const char *const paths[][2] = {
        { "error", "error" },    // a gateway around a gateway
        { "error", NULL },       // nearly everybody
        { "response", "error" }, // response.failed
        { "detail", "error" },   // FastAPI around an error
        { "choices", "error" },  // OpenRouter
        { "base_resp", NULL },   // MiniMax
        { "errors", NULL },
    };
    for (size_t i = 0; i < LENGTH(paths); i++) {
        const json_t *found = first_of(json_object_get(root, paths[i][0]));
        if (paths[i][1]) found = first_of(json_object_get(found, paths[i][1]));
        if (json_is_object(found)) return found;
    }
    return root;
}

static void read_root(const json_t *root, struct failure_body *out) {
    const json_t *error = find_object(root);
    struct slice text = text_of(json_object_get(root, "error"));
    text_printable(out->request_id, sizeof(out->request_id),
                   text_of(json_object_get(root, "request_id")));
    if (text.length && error == root)
        read_string(root, text, out);
    else
        read_object(error, out);
    if (error != root) // Gemini's word beside the number
        copy_word(out->type, sizeof(out->type), get(error, "status"));
    copy_word(out->code, sizeof(out->code), get(root, "code"));
    copy_word(out->code, sizeof(out->code), get(root, "status")); // xAI's deferred jobs
    note_status(root, out);
    note_base_resp(json_object_get(root, "base_resp"), out);
}

// ---- text ----

static struct slice html_title(struct slice body) {
    static const char tag[] = "<title>";
    const size_t tag_length = sizeof(tag) - 1;
    for (size_t i = 0; i + tag_length < body.length; i++) {
        if (strncasecmp(body.data + i, tag, tag_length) != 0) continue;
        const char *start = body.data + i + tag_length;
        const char *end = memchr(start, '<', body.length - i - tag_length);
        if (end) return slice_trim((struct slice){ start, (size_t)(end - start) });
    }
    return body;
}

static void read_text(struct slice body, struct failure_body *out) {
    out->is_html = body.data[0] == '<';
    struct slice shown = out->is_html ? html_title(body) : body;
    if (shown.length > MESSAGE_FROM_TEXT) shown.length = MESSAGE_FROM_TEXT;
    text_printable(out->message, sizeof(out->message), shown);
}

static struct slice begin_of(struct slice body) {
    static const char mark[] = "\xef\xbb\xbf";
    if (slice_starts_with(body, mark)) {
        body.data += sizeof(mark) - 1;
        body.length -= sizeof(mark) - 1;
    }
    return slice_trim(body);
}

void failure_body_read(struct slice body, struct failure_body *body_out) {
    *body_out = (struct failure_body){ 0 };
    body = begin_of(body);
    body_out->is_empty = body.length == 0;
    if (body_out->is_empty) return;
    bool looks_like_json = body.data[0] == '{' || body.data[0] == '[';
    if (looks_like_json && body.length <= BODY_READ_MAX) body_out->root = load_tolerantly(body);
    const json_t *root = first_of(body_out->root);
    if (json_is_object(root)) read_root(root, body_out);
    if (!body_out->message[0] && !body_out->code[0] && !body_out->type[0])
        read_text(body, body_out);
}

void failure_body_finish(struct failure_body *body) {
    json_decref(body->root);
    body->root = NULL;
}
