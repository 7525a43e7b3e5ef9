/* What comes back in an attempt: its headers, its bytes, and what is thought of it at its end. */
#include <string.h>

#include "core/base/text.h"
#include "core/engine/state.h"

enum { HEADERS_JUDGED_MAX = 128 };

static const int64_t refusal_ns = 10 * TIME_S; // its verdict is in its status, and needs no more

void attempt_reply_begin(struct request *request) {
    request->reply_status = 0;
    request->has_opened = false;
    request->has_content = false;
    bytes_finish(&request->reply_headers);
    bytes_finish(&request->reply_body);
}

static bool is_answer(const struct request *request) {
    return request->reply_status == 200 || request->reply_status == 201;
}

// ---- on its way ----

static void on_connected(void *owner) {
    struct request *request = owner;
    const struct timeouts *limits = leg_timeouts(request->leg);
    if (request->state != REQUEST_CONNECTING) return;
    struct attempt *attempt = attempt_newest(request);
    attempt->connected_ns = request_now_ns(request);
    attempt->connect_ns = attempt->connected_ns - attempt->started_ns;
    request->state = REQUEST_WAITING;
    request_changed(request);
    bool headers_first = limits->headers_ns > 0 && (limits->first_token_ns == 0 ||
                                                    limits->headers_ns < limits->first_token_ns);
    if (headers_first)
        attempt_phase_begin(request, PHASE_HEADERS, request_now_ns(request), limits->headers_ns);
    else
        attempt_phase_begin_stream(request, PHASE_FIRST_TOKEN);
}

static void note_request_id(struct request *request, const struct header *header) {
    static const char *const names[] = { "x-request-id", "request-id", "x-generation-id",
                                         "apim-request-id" };
    struct attempt *attempt = attempt_newest(request);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (attempt->provider_request_id || !slice_equals_nocase(header->name, names[i])) continue;
        char shown[96];
        text_printable(shown, sizeof(shown), header->value);
        endpoint_hide_in_text(request->endpoint, shown);
        attempt->provider_request_id = strdup(shown);
    }
}

// A header past the limit is left out: the verdict needs few of them.
static void keep_header(struct request *request, const struct header *header) {
    struct bytes *kept = &request->reply_headers;
    if (!bytes_reserve(kept, header->name.length + header->value.length + 2)) return;
    bytes_append_slice(kept, header->name);
    bytes_append(kept, "", 1);
    bytes_append_slice(kept, header->value);
    bytes_append(kept, "", 1);
}

static void watch_refusal(struct request *request) {
    int64_t limit_ns = leg_timeouts(request->leg)->first_token_ns;
    bool shorter = limit_ns > 0 && limit_ns < refusal_ns;
    attempt_phase_begin(request, PHASE_REFUSAL, request_now_ns(request),
                        shorter ? limit_ns : refusal_ns);
}

static void on_headers(void *owner, int status, const struct header *headers, size_t count) {
    struct request *request = owner;
    if (request_has_ended(request)) return;
    on_connected(request);
    request->reply_status = status;
    attempt_newest(request)->http_status = status;
    struct slice content_type = { 0 };
    for (size_t i = 0; i < count; i++) {
        note_request_id(request, &headers[i]);
        if (slice_equals_nocase(headers[i].name, "content-type")) content_type = headers[i].value;
        if (!is_answer(request)) keep_header(request, &headers[i]);
    }
    if (request->is_listing) return;
    struct provider *target = request->leg->target;
    if (is_answer(request))
        pacer_note_accepted(&target->pacer, &request->ticket, request_now_ns(request));
    pacer_note_headers(&target->pacer, headers, count, request_now_ns(request),
                       engine_wall_ns(target->engine));
    if (!is_answer(request)) {
        watch_refusal(request);
        return;
    }
    request->byte_ns = request_now_ns(request);
    attempt_phase_begin_stream(request, PHASE_FIRST_TOKEN);
    if (!answer_open(request, content_type))
        request_fail_with_us(request, FAILURE_INTERNAL, "out of memory");
    else
        queue_release(target);
}

static void on_body(void *owner, struct slice bytes) {
    struct request *request = owner;
    if (request_has_ended(request)) return;
    if (is_answer(request) && !request->is_listing) {
        request->byte_ns = request_now_ns(request);
        answer_feed(request, bytes);
        return;
    }
    size_t room = request->reply_body.length_max - request->reply_body.length;
    bytes_append(&request->reply_body, bytes.data, bytes.length < room ? bytes.length : room);
}

// ---- its end ----

void attempt_reply_judge(struct request *request) {
    struct header headers[HEADERS_JUDGED_MAX];
    size_t count = 0;
    const char *at = request->reply_headers.data;
    const char *end = at ? at + request->reply_headers.length : NULL;
    while (at < end && count < HEADERS_JUDGED_MAX) {
        headers[count].name = slice_of(at);
        at += headers[count].name.length + 1;
        headers[count].value = slice_of(at);
        at += headers[count].value.length + 1;
        count++;
    }
    struct failed_reply reply = { .status = request->reply_status,
                                  .headers = headers,
                                  .header_count = count,
                                  .body = bytes_slice(&request->reply_body),
                                  .wall_ns = engine_wall_ns(request->provider->engine) };
    struct failure failure;
    failure_from_reply(&reply, &failure);
    course_attempt_failed(request, &failure);
}

static void judge_end(struct request *request, const struct transfer_result *result) {
    if (result->connect_ns >= 0) attempt_newest(request)->connect_ns = result->connect_ns;
    bool was_complete = request->phase == PHASE_GRACE;
    if (was_complete) {
        course_complete(request);
    } else if (result->end == TRANSPORT_OK && request->is_listing && is_answer(request)) {
        listing_ended(request);
    } else if (request->reply_status && !is_answer(request)) {
        attempt_reply_judge(request); // its verdict is in even when its body broke off
    } else if (result->end == TRANSPORT_OK && is_answer(request)) {
        answer_end(request);
    } else {
        struct failure failure;
        failure_from_transport(result->end == TRANSPORT_OK ? TRANSPORT_EMPTY_REPLY : result->end,
                               is_answer(request), result->detail, &failure);
        request->leg->spent.reused_connection =
            result->reused_connection && request->reply_status == 0;
        course_attempt_failed(request, &failure);
    }
}

static void on_done(void *owner, const struct transfer_result *result) {
    struct request *request = owner;
    attempt_forget_transfer(request);
    request->draining = false;
    attempt_phase_stop(request);
    if (!request_has_ended(request)) judge_end(request, result);
    request_release(request); // attempt_start's
}

const struct transfer_events attempt_reply_events = {
    .connected = on_connected, .headers = on_headers, .body = on_body, .done = on_done
};
