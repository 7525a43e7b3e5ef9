/* The files that tell about one request: status, error, attempts, wait and its JSON. */
#include <stdlib.h>

#include "core/engine/report.h"
#include "core/engine/report_text.h"
#include "core/engine/state.h"
#include "core/providers/json.h"
#include "core/providers/wire.h"

static double ms_between(int64_t from_ns, int64_t to_ns) {
    return to_ns < 0 ? -1 : (double)(to_ns - from_ns) / 1e6;
}

static const char *finish_reason(const struct request *request) {
    return request->decoder ? decoder_facts(request->decoder)->finish_reason : "";
}

static const char *error_word(const struct request *request) {
    enum failure_class class = request_failure(request)->class;
    return class == FAILURE_NONE ? "" : failure_class_name(class);
}

// Who answers, or was asked last; before that, whose directory it is.
static const struct provider *provider_of(const struct request *request) {
    const struct attempt *attempt = attempt_newest(request);
    return attempt ? attempt->target : request->provider;
}

static const char *model_of(const struct request *request) {
    const struct attempt *attempt = attempt_newest(request);
    return attempt ? attempt->settings->model : request->settings->model;
}

static int64_t wait_left_ns(const struct request *request) {
    int64_t now_ns = request_now_ns(request);
    if (request->in_queue) return pacer_hold_left_ns(&request->leg->target->pacer, now_ns);
    bool waits = request->state == REQUEST_RETRYING && request->retry_at_ns > now_ns;
    return waits ? request->retry_at_ns - now_ns : 0;
}

// Of a request that was never sent, why its provider lets nobody through.
static const char *retry_reason(const struct request *request, int64_t left_ns) {
    const struct attempt *attempt = attempt_newest(request);
    if (request->state == REQUEST_RETRYING && attempt && attempt->failure)
        return failure_class_name(attempt->failure->class);
    return request->in_queue && left_ns > 0 ? failure_class_name(FAILURE_RATE_LIMIT) : "";
}

static bool lines_of_retry(const struct request *request, struct bytes *out) {
    int64_t left_ns = wait_left_ns(request);
    return report_count(out, "attempt", request->attempt_count) &&
           report_count(out, "max_attempts", provider_of(request)->config->retry.max_attempts) &&
           report_seconds(out, "retry_in_s", left_ns) &&
           report_text(out, "retry_reason", retry_reason(request, left_ns)) &&
           report_text(out, "recovery", recovery_method_name(request->recovered_by)) &&
           report_count(out, "reconnects", request->reconnects);
}

bool report_request_status(const struct request *request, struct bytes *out) {
    const struct attempt *attempt = attempt_newest(request);
    struct usage usage = request_usage(request);
    int64_t end_ns = request->ended_ns >= 0 ? request->ended_ns : request_now_ns(request);
    return report_text(out, "id", request->id) &&
           report_text(out, "state", request_state_name(request->state)) &&
           report_text(out, "provider", provider_name(provider_of(request))) &&
           report_text(out, "model", model_of(request)) && lines_of_retry(request, out) &&
           report_count(out, "bytes", (int64_t)store_length(&request->response)) &&
           report_count(out, "tokens_in", usage.input_tokens) &&
           report_count(out, "tokens_out", usage.output_tokens) &&
           report_text(out, "finish_reason", finish_reason(request)) &&
           report_text(out, "error", error_word(request)) &&
           report_count(out, "http_status",
                        attempt && attempt->http_status ? attempt->http_status : -1) &&
           report_text(out, "provider_request_id",
                       attempt && attempt->provider_request_id ? attempt->provider_request_id
                                                               : "") &&
           report_time(out, "started_at", request->started_wall_ns) &&
           report_ms(out, "ttft_ms",
                     ms_between(request->submitted_ns, request->first_content_ns)) &&
           report_ms(out, "elapsed_ms", ms_between(request->submitted_ns, end_ns));
}

bool report_request_recovery(const struct request *request, struct bytes *out) {
    if (!bytes_append_text(out, recovery_method_name(request->recovered_by))) return false;
    for (size_t i = 0; i < request->seam_count; i++) {
        const struct seam_record *seam = &request->seams[i];
        if (!bytes_printf(out, " %s@%zu", recovery_method_name(seam->method), seam->offset))
            return false;
    }
    return true;
}

// Each provider that failed, beneath the first cause.
static bool lines_of_legs(const struct request *request, struct bytes *out) {
    for (size_t i = 0; request->provider->members && i < request->leg_count; i++) {
        const struct leg *leg = &request->legs[i];
        const char *name = provider_name(leg->target);
        bool appended =
            leg->failure
                ? bytes_printf(out, "%s: %s: %s\n", name, failure_class_name(leg->failure->class),
                               leg->failure->message)
                : bytes_printf(out, "%s: not asked%s%s\n", name,
                               leg->target->key_problem ? ": " : "",
                               leg->target->key_problem ? leg->target->key_problem : "");
        if (!appended) return false;
    }
    return true;
}

bool report_request_error(const struct request *request, struct bytes *out) {
    const struct failure *failure = request_failure(request);
    if (failure->class == FAILURE_NONE) return true;
    return report_failure(out, failure, request->id, request->attempt_count,
                          request->changed_wall_ns, &provider_of(request)->config->retry) &&
           lines_of_legs(request, out);
}

static json_t *json_ms(double ms) {
    return ms < 0 ? json_null() : json_real(ms);
}

static json_t *json_usage(const struct usage *usage) {
    if (usage->input_tokens < 0 && usage->output_tokens < 0) return json_null();
    json_t *object = json_object();
    if (usage->input_tokens >= 0)
        json_object_set_new(object, "input_tokens", json_integer(usage->input_tokens));
    if (usage->output_tokens >= 0)
        json_object_set_new(object, "output_tokens", json_integer(usage->output_tokens));
    if (usage->reasoning_tokens >= 0)
        json_object_set_new(object, "reasoning_tokens", json_integer(usage->reasoning_tokens));
    if (usage->cached_tokens >= 0)
        json_object_set_new(object, "cached_tokens", json_integer(usage->cached_tokens));
    return object;
}

static json_t *json_class(const struct attempt *attempt) {
    if (attempt->ended_ns < 0) return json_null();
    return json_string(
        failure_class_name(attempt->failure ? attempt->failure->class : FAILURE_NONE));
}

static json_t *json_billed(const struct attempt *attempt) {
    if (attempt->ended_ns < 0) return json_string("maybe");
    return json_string(billed_name(attempt->failure ? attempt->failure->billed : BILLED_YES));
}

static json_t *json_attempt(const struct attempt *attempt) {
    char started[TIME_TEXT_SIZE];
    time_text(attempt->started_wall_ns, started);
    bool waited = attempt->delay_ns >= 0;
    bool ended = attempt->ended_ns >= 0;
    const char *reason =
        ended && attempt->failure ? retry_reason_name(attempt->delay_reason) : NULL;
    return json_pack(
        "{s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:o, s:I, s:o, s:s?, s:s?, s:o, s:s, s:o}",
        "number", attempt->number, "provider", provider_name(attempt->target), "model",
        attempt->settings->model, "started_at", started, "connect_ms",
        json_ms(attempt->connected_ns < 0 || attempt->connect_ns < 0
                    ? -1
                    : (double)attempt->connect_ns / 1e6),
        "ttft_ms", json_ms(ms_between(attempt->started_ns, attempt->first_content_ns)), "total_ms",
        json_ms(ms_between(attempt->started_ns, attempt->ended_ns)), "http_status",
        attempt->http_status, "class", json_class(attempt), "bytes", (json_int_t)attempt->bytes,
        "delay_s", waited ? json_real(time_to_seconds(attempt->delay_ns)) : json_null(),
        "delay_reason", reason, "provider_request_id", attempt->provider_request_id, "usage",
        json_usage(&attempt->usage), "recovery", recovery_method_name(attempt->method), "billed",
        json_billed(attempt));
}

static bool append_json(struct bytes *out, json_t *json, size_t flags) {
    char *text = json ? json_dumps(json, flags) : NULL;
    bool appended = text && bytes_append_text(out, text) && bytes_append_text(out, "\n");
    free(text);
    json_decref(json);
    return appended;
}

bool report_request_attempts(const struct request *request, struct bytes *out) {
    for (int i = 0; i < request->attempt_count; i++)
        if (!append_json(out, json_attempt(&request->attempts[i]),
                         JSON_COMPACT | JSON_REAL_PRECISION(10)))
            return false;
    return true;
}

bool report_request_body(const struct request *request, struct bytes *out) {
    return attempt_write_body(request, out) && bytes_append_text(out, "\n");
}

bool report_request_message(const struct request *request, struct bytes *out) {
    if (!request_has_ended(request) || !request->decoder) return true;
    struct slice text;
    struct slice reasoning;
    char *text_copy = store_copy(&request->response, &text.length);
    char *reasoning_copy = store_copy(&request->reasoning, &reasoning.length);
    text.data = text_copy;
    reasoning.data = reasoning_copy;
    json_t *message = NULL;
    bool made = text_copy && reasoning_copy;
    if (made) message = decoder_message(request->decoder, text, reasoning);
    free(text_copy);
    free(reasoning_copy);
    return made && (!message || append_json(out, message, JSON_INDENT(2) | json_exact(message)));
}

bool report_request_wait(const struct request *request, struct bytes *out) {
    if (!request_has_ended(request)) return true;
    const char *how = request->state == REQUEST_DONE ? finish_reason(request) : error_word(request);
    return bytes_printf(out, "%s %s%s%s\n", request->id, request_state_name(request->state),
                        how[0] ? " " : "", how);
}
