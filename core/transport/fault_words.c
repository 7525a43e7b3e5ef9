#include "core/transport/fault_words.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/time.h"

static const struct {
    int status;
    const char *openai;
    const char *anthropic;
} types[] = {
    { 401, "invalid_request_error", "authentication_error" },
    { 402, "insufficient_quota", "billing_error" },
    { 403, "invalid_request_error", "permission_error" },
    { 404, "invalid_request_error", "not_found_error" },
    { 413, "invalid_request_error", "request_too_large" },
    { 429, "rate_limit_error", "rate_limit_error" },
    { 503, "service_unavailable_error", "api_error" },
    { 504, "server_error", "timeout_error" },
    { 529, "service_unavailable_error", "overloaded_error" },
};

/* What is said, whatever the wire. */
struct words {
    int status;
    const char *code; /* of OpenAI's shape; NULL: none */
    const char *text;
};

static const struct words of_events[] = {
    [FAULT_ERROR_OVERLOADED] = { 529, "server_is_overloaded", "Overloaded (rehearsed)" },
    [FAULT_ERROR_SERVER] = { 500, "server_error", "The server had an error (rehearsed)" },
    [FAULT_ERROR_RATE_LIMIT] = { 429, "rate_limit_exceeded", "Rate limit reached (rehearsed)" },
};

static bool speaks_messages(const struct wire *wire) {
    return wire == &wire_anthropic_messages;
}

static const char *type_of(int status, const struct wire *wire) {
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].status == status)
            return speaks_messages(wire) ? types[i].anthropic : types[i].openai;
    if (status < 500) return "invalid_request_error";
    return speaks_messages(wire) ? "api_error" : "server_error";
}

// All texts are our own, without a character that JSON would escape.
static bool write_error(const struct words *words, const struct wire *wire, struct bytes *out) {
    const char *type = type_of(words->status, wire);
    if (speaks_messages(wire))
        return bytes_printf(out,
                            "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}",
                            type, words->text);
    const char *quote = words->code ? "\"" : "";
    return bytes_printf(out,
                        "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,"
                        "\"code\":%s%s%s}}",
                        words->text, type, quote, words->code ? words->code : "null", quote);
}

int fault_reply_status(const struct fault *fault, const struct wire *wire) {
    if (fault->status) return fault->status;
    return speaks_messages(wire) ? 529 : 503;
}

static void add_header(struct fault_headers *headers, const char *name, const char *value) {
    headers->headers[headers->count++] = (struct header){ slice_of(name), slice_of(value) };
}

void fault_write_headers(const struct fault *fault, struct fault_headers *headers_out) {
    int64_t wait_ns = fault->retry_after_ns;
    headers_out->count = 0;
    add_header(headers_out, "content-type", "application/json");
    if (wait_ns < 0) return;
    snprintf(headers_out->seconds, sizeof(headers_out->seconds), "%lld",
             (long long)((wait_ns + TIME_S - 1) / TIME_S));
    add_header(headers_out, "retry-after", headers_out->seconds);
    if (wait_ns % TIME_S == 0) return;
    snprintf(headers_out->milliseconds, sizeof(headers_out->milliseconds), "%lld",
             (long long)((wait_ns + TIME_MS - 1) / TIME_MS));
    add_header(headers_out, "retry-after-ms", headers_out->milliseconds);
}

bool fault_write_reply(const struct fault *fault, const struct wire *wire, struct bytes *out) {
    struct words words = { fault_reply_status(fault, wire), NULL,
                           "The server had an error (rehearsed)" };
    assert(fault->kind == FAULT_RATE_LIMIT || fault->kind == FAULT_SERVER ||
           fault->kind == FAULT_OVERLOADED);
    if (fault->kind == FAULT_RATE_LIMIT) {
        words.code = "rate_limit_exceeded";
        words.text = "Rate limit reached (rehearsed)";
    } else if (fault->kind == FAULT_OVERLOADED) {
        words.code = "server_is_overloaded";
        words.text = "Overloaded (rehearsed)";
    }
    return write_error(&words, wire, out);
}

bool fault_write_event(enum fault_error error, const struct wire *wire, struct bytes *out) {
    const struct words *words = &of_events[error];
    if (wire == &wire_openai_responses)
        return bytes_printf(out,
                            "event: error\ndata: {\"type\":\"error\",\"code\":\"%s\","
                            "\"message\":\"%s\",\"param\":null}\n\n",
                            words->code, words->text);
    const char *begin = speaks_messages(wire) ? "event: error\ndata: " : "data: ";
    return bytes_append_text(out, begin) && write_error(words, wire, out) &&
           bytes_append_text(out, "\n\n");
}
