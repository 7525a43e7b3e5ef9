#include "core/policy/failure.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/base/time.h"
#include "core/policy/failure_body.h"
#include "core/policy/failure_hide.h"
#include "core/policy/failure_rules.h"
#include "core/policy/hint.h"

const char *failure_class_name(enum failure_class class) {
    static const char *const names[FAILURE_CLASS_COUNT] = {
        [FAILURE_NONE] = "ok",
        [FAILURE_AUTH] = "auth",
        [FAILURE_PERMISSION] = "permission",
        [FAILURE_BILLING] = "billing",
        [FAILURE_NOT_FOUND] = "not_found",
        [FAILURE_VALIDATION] = "validation",
        [FAILURE_CONTEXT_LENGTH] = "context_length",
        [FAILURE_REQUEST_TOO_LARGE] = "request_too_large",
        [FAILURE_CONTENT_FILTER] = "content_filter",
        [FAILURE_RATE_LIMIT] = "rate_limit",
        [FAILURE_CONFLICT] = "conflict",
        [FAILURE_OVERLOADED] = "overloaded",
        [FAILURE_SERVER] = "server",
        [FAILURE_NETWORK] = "network",
        [FAILURE_TIMEOUT] = "timeout",
        [FAILURE_STREAM_TRUNCATED] = "stream_truncated",
        [FAILURE_STREAM_STALLED] = "stream_stalled",
        [FAILURE_PROTOCOL] = "protocol",
        [FAILURE_BREAKER_OPEN] = "breaker_open",
        [FAILURE_BUDGET] = "budget",
        [FAILURE_SCHEMA] = "schema",
        [FAILURE_PENDING] = "pending",
        [FAILURE_CANCELLED] = "cancelled",
        [FAILURE_INTERNAL] = "internal",
    };
    return names[class];
}

const char *billed_name(enum billed billed) {
    static const char *const names[] = { "no", "maybe", "yes" };
    return names[billed];
}

static void set_message(struct failure *failure, const char *message) {
    text_printable(failure->message, sizeof(failure->message), slice_of(message));
    failure_hide_keys(failure->message);
}

void failure_hide_secret(struct failure *failure, struct slice secret) {
    failure_hide_text(failure->type, secret);
    failure_hide_text(failure->code, secret);
    failure_hide_text(failure->message, secret);
    failure_hide_text(failure->provider_request_id, secret);
}

// ---- replies ----

static void take_verdict(struct failure *failure, const struct verdict *verdict) {
    failure->class = verdict->class;
    failure->retryable = verdict->retryable;
    failure->retry_once = verdict->retry_once;
    failure->counts_for_breaker = verdict->counts;
}

static void take_request_id(const struct failed_reply *reply, const struct failure_body *body,
                            struct failure *failure) {
    static const char *const names[] = { "x-request-id", "request-id", "x-generation-id",
                                         "apim-request-id", "cf-ray" };
    struct slice id = slice_of(body->request_id);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && id.length == 0; i++)
        id = header_find(reply->headers, reply->header_count, names[i]);
    text_printable(failure->provider_request_id, sizeof(failure->provider_request_id), id);
}

// What a provider turned away costs nothing; what it began to work on may.
static enum billed billed_of(const struct failed_reply *reply, const struct failure *failure) {
    bool began = failure->class == FAILURE_SERVER || failure->class == FAILURE_TIMEOUT ||
                 failure->class == FAILURE_CONTENT_FILTER;
    return began || reply->in_stream ? BILLED_MAYBE : BILLED_NO;
}

static void take_words(struct failure *failure, const struct failure_body *body) {
    const char *code = body->detail_code_count ? body->detail_codes[0] : body->code;
    text_printable(failure->type, sizeof(failure->type), slice_of(body->type));
    text_printable(failure->code, sizeof(failure->code), slice_of(code));
    failure_hide_keys(failure->type);
    failure_hide_keys(failure->code);
    set_message(failure, body->message);
}

void failure_from_reply(const struct failed_reply *reply, struct failure *failure_out) {
    struct failure_body body;
    failure_body_read(reply->body, &body);
    *failure_out = (struct failure){ .http_status = reply->status, .retry_after_ns = -1 };
    bool by_status = false;
    struct verdict verdict = failure_rules_judge(reply, &body, &by_status);
    take_verdict(failure_out, &verdict);
    int should_retry = hint_should_retry(reply->headers, reply->header_count);
    if (by_status && should_retry >= 0) failure_out->retryable = should_retry;
    failure_out->retry_after_ns = hint_retry_after_ns(reply, &body, failure_out->class);
    failure_out->billed = billed_of(reply, failure_out);
    take_request_id(reply, &body, failure_out);
    take_words(failure_out, &body);
    if (!body.message[0] && reply->status >= 300 && reply->status < 400)
        set_message(failure_out, "the server answered with a redirect, which is not followed");
    failure_body_finish(&body);
}

// ---- transport ----

struct transport_rule {
    enum failure_class class;
    enum failure_cause cause;
    bool retryable;
    bool retry_once;
    bool counts;
    enum billed billed;
};

static const struct transport_rule transport_rules[] = {
    [TRANSPORT_OK] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE },
    [TRANSPORT_RESOLVE] = { FAILURE_NETWORK, CAUSE_RESOLVE, true, false, true, BILLED_NO },
    [TRANSPORT_RESOLVE_PROXY] = { FAILURE_NETWORK, CAUSE_PROXY, true, false, false, BILLED_NO },
    [TRANSPORT_REFUSED] = { FAILURE_NETWORK, CAUSE_REFUSED, true, false, true, BILLED_NO },
    [TRANSPORT_UNREACHABLE] = { FAILURE_NETWORK, CAUSE_UNREACHABLE, true, false, true, BILLED_NO },
    [TRANSPORT_CONNECT_TIMEOUT] = { FAILURE_TIMEOUT, CAUSE_NONE, true, false, true, BILLED_NO },
    [TRANSPORT_TLS_HANDSHAKE] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_NO },
    [TRANSPORT_CERTIFICATE] = { FAILURE_NETWORK, CAUSE_CERTIFICATE, false, false, false,
                                BILLED_NO },
    [TRANSPORT_CA_FILE] = { FAILURE_NETWORK, CAUSE_CERTIFICATE, false, false, false, BILLED_NO },
    [TRANSPORT_BAD_URL] = { FAILURE_VALIDATION, CAUSE_NONE, false, false, false, BILLED_NO },
    [TRANSPORT_EMPTY_REPLY] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE },
    [TRANSPORT_SEND] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE },
    [TRANSPORT_RECEIVE] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE },
    [TRANSPORT_PARTIAL] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE },
    [TRANSPORT_HTTP2_STREAM] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE },
    [TRANSPORT_HTTP2] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE },
    [TRANSPORT_NOT_HTTP] = { FAILURE_PROTOCOL, CAUSE_NONE, false, false, true, BILLED_NO },
    [TRANSPORT_BAD_ENCODING] = { FAILURE_PROTOCOL, CAUSE_NONE, true, true, true, BILLED_YES },
    [TRANSPORT_NO_MEMORY] = { FAILURE_INTERNAL, CAUSE_MEMORY, false, false, false, BILLED_MAYBE },
    [TRANSPORT_ABORTED] = { FAILURE_CANCELLED, CAUSE_NONE, false, false, false, BILLED_MAYBE },
    [TRANSPORT_OTHER] = { FAILURE_NETWORK, CAUSE_RESET, true, false, true, BILLED_MAYBE },
};

// The connection failed under a body that had begun: the stream was cut.
static bool is_cut(enum transport_end end) {
    return transport_rules[end].class == FAILURE_NETWORK &&
           transport_rules[end].cause == CAUSE_RESET;
}

void failure_from_transport(enum transport_end end, bool got_bytes, const char *detail,
                            struct failure *failure_out) {
    const struct transport_rule *rule = &transport_rules[end];
    *failure_out = (struct failure){ .class = rule->class,
                                     .cause = rule->cause,
                                     .retryable = rule->retryable,
                                     .retry_once = rule->retry_once,
                                     .counts_for_breaker = rule->counts,
                                     .billed = rule->billed,
                                     .retry_after_ns = -1 };
    if (got_bytes && is_cut(end)) {
        failure_out->class = FAILURE_STREAM_TRUNCATED;
        failure_out->billed = BILLED_YES;
    }
    set_message(failure_out, detail[0] ? detail : "the connection ended without a reply");
}

void failure_from_timer(enum timer_end timer, int64_t limit_ns, struct failure *failure_out) {
    static const struct {
        enum failure_class class;
        bool retryable;
        enum billed billed;
        const char *words;
    } rules[] = {
        [TIMER_CONNECT] = { FAILURE_TIMEOUT, true, BILLED_NO, "not connected" },
        [TIMER_HEADERS] = { FAILURE_TIMEOUT, true, BILLED_MAYBE, "no reply" },
        [TIMER_FIRST_TOKEN] = { FAILURE_STREAM_STALLED, true, BILLED_MAYBE,
                                "a reply, but no content" },
        [TIMER_READ] = { FAILURE_STREAM_STALLED, true, BILLED_YES, "no further content" },
        [TIMER_IDLE] = { FAILURE_STREAM_STALLED, true, BILLED_YES, "not a byte more" },
        [TIMER_TOTAL] = { FAILURE_TIMEOUT, false, BILLED_MAYBE, "not finished (timeouts.total)" },
    };
    *failure_out = (struct failure){ .class = rules[timer].class,
                                     .retryable = rules[timer].retryable,
                                     .counts_for_breaker = rules[timer].retryable,
                                     .billed = rules[timer].billed,
                                     .retry_after_ns = -1 };
    snprintf(failure_out->message, sizeof(failure_out->message), "%s within %g s",
             rules[timer].words, time_to_seconds(limit_ns));
}

// ---- streams ----

void failure_from_stream(enum stream_end end, struct slice said, struct failure *failure_out) {
    static const struct {
        enum failure_class class;
        bool retryable;
        bool retry_once;
        bool counts;
        const char *words;
    } rules[] = {
        [STREAM_TRUNCATED] = { FAILURE_STREAM_TRUNCATED, true, false, true,
                               "the stream ended without its terminal event" },
        [STREAM_UNVERIFIED] = { FAILURE_STREAM_TRUNCATED, true, false, false,
                                "the stream ended with [DONE], but never said why it stopped" },
        [STREAM_ABORTED] = { FAILURE_STREAM_TRUNCATED, true, false, true,
                             "the server gave the answer up" },
        [STREAM_OVERLOADED] = { FAILURE_OVERLOADED, true, false, true,
                                "the server ran out of resources in mid-answer" },
        [STREAM_FILTERED] = { FAILURE_CONTENT_FILTER, false, false, false,
                              "the answer was refused or cut by the provider's policy" },
        [STREAM_TOO_LONG] = { FAILURE_PROTOCOL, false, false, true,
                              "one event of the stream is longer than the limit" },
        [STREAM_RESTARTED] = { FAILURE_PROTOCOL, true, true, true,
                               "a second answer began inside the first" },
        [STREAM_GAP] = { FAILURE_PROTOCOL, true, true, false, "events of the stream are missing" },
        [STREAM_SEAM] = { FAILURE_STREAM_TRUNCATED, false, false, false,
                          "the continuation does not fit what was delivered" },
        [STREAM_NOT_STREAM] = { FAILURE_PROTOCOL, false, false, false,
                                "the reply is neither a stream nor JSON" },
    };
    *failure_out = (struct failure){ .class = rules[end].class,
                                     .retryable = rules[end].retryable,
                                     .retry_once = rules[end].retry_once,
                                     .counts_for_breaker = rules[end].counts,
                                     .billed = end == STREAM_NOT_STREAM ? BILLED_NO : BILLED_YES,
                                     .http_status = 200,
                                     .retry_after_ns = -1 };
    char shown[200];
    text_printable(shown, sizeof(shown), said);
    snprintf(failure_out->message, sizeof(failure_out->message), "%s%s%s", rules[end].words,
             shown[0] ? ": " : "", shown);
    failure_hide_keys(failure_out->message);
}

void failure_from_us(enum failure_class class, const char *message, struct failure *failure_out) {
    *failure_out = (struct failure){ .class = class, .retry_after_ns = -1 };
    set_message(failure_out, message);
}

// ---- advice ----

static const char *network_advice(enum failure_cause cause) {
    static const char *const advice[] = {
        [CAUSE_RESOLVE] = "check base_url and the network: its host name was not found",
        [CAUSE_REFUSED] = "start the server, or correct base_url: nobody listens there",
        [CAUSE_UNREACHABLE] = "check the network: there is no way to the provider's address",
        [CAUSE_CERTIFICATE] =
            "check who answers at base_url; a private authority goes into \"ca_file\"",
        [CAUSE_PROXY] = "check the proxy setting of the environment",
        [CAUSE_MEMORY] = NULL,
    };
    if (advice[cause]) return advice[cause];
    return "ask again; when it goes on, check the network and the provider's status page";
}

const char *failure_advice(const struct failure *failure) {
    static const char *const advice[FAILURE_CLASS_COUNT] = {
        [FAILURE_NONE] = "nothing",
        [FAILURE_AUTH] = "check the key: \"api_key\" of this provider in the configuration",
        [FAILURE_PERMISSION] = "use a key or a model that is allowed to do this",
        [FAILURE_BILLING] = "add credit or raise the limit at the provider; retrying cannot help",
        [FAILURE_NOT_FOUND] = "check the model's name against the file models, and base_url",
        [FAILURE_VALIDATION] = "correct the request: model, options.json or the prompt",
        [FAILURE_CONTEXT_LENGTH] = "shorten the prompt, or use a model with a larger window",
        [FAILURE_REQUEST_TOO_LARGE] = "send less: the provider never accepts this much at once",
        [FAILURE_CONTENT_FILTER] = "change the prompt: the provider's policy refuses it",
        [FAILURE_RATE_LIMIT] = "wait as long as told, ask less often, or raise the limit",
        [FAILURE_CONFLICT] = "ask again",
        [FAILURE_OVERLOADED] = "ask again later: the provider has no capacity now",
        [FAILURE_SERVER] = "ask again later: the fault is the provider's",
        [FAILURE_TIMEOUT] = "ask again, or raise the limit under \"timeouts\"",
        [FAILURE_STREAM_TRUNCATED] =
            "ask again: what arrived is kept in response, but is not whole",
        [FAILURE_STREAM_STALLED] = "ask again, or raise \"timeouts\"; what arrived is kept",
        [FAILURE_PROTOCOL] = "check base_url and type: the reply is not what this API sends",
        [FAILURE_BREAKER_OPEN] = "wait until the time in the file breaker, or write reset to it",
        [FAILURE_BUDGET] = "raise the budget in the configuration, or wait for its next period",
        [FAILURE_SCHEMA] = "ask again: the answer does not fit the schema",
        [FAILURE_PENDING] = "ask again: the answer is not ready yet",
        [FAILURE_CANCELLED] = "nothing: it was stopped on request",
        [FAILURE_INTERNAL] = "see the message; with too little memory, ask less at once",
    };
    if (failure->class == FAILURE_NETWORK) return network_advice(failure->cause);
    if (failure->http_status == 407) return network_advice(CAUSE_PROXY);
    return advice[failure->class];
}
