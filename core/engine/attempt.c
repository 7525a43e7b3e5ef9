/*
 * One try at one provider: what is sent, and how it is closed. What comes back is in
 * attempt_reply.c, how long it may take in attempt_phase.c.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"
#include "core/transport/fault_target.h"

struct attempt *attempt_newest(const struct request *request) {
    return request->attempt_count ? &request->attempts[request->attempt_count - 1] : NULL;
}

// ---- start ----

static struct attempt *add_attempt(struct request *request) {
    size_t count = (size_t)request->attempt_count + 1;
    struct attempt *attempts = realloc(request->attempts, count * sizeof(*attempts));
    if (!attempts) return NULL;
    request->attempts = attempts;
    struct attempt *attempt = &attempts[request->attempt_count++];
    *attempt = (struct attempt){
        .number = (int)count,
        .target = request->leg->target,
        .settings = settings_keep(request->leg->settings),
        .method = request->method,
        .started_ns = request_now_ns(request),
        .started_wall_ns = engine_wall_ns(request->provider->engine),
        .connected_ns = -1,
        .connect_ns = -1,
        .first_content_ns = -1,
        .ended_ns = -1,
        .delay_ns = -1,
        .usage = { USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN },
    };
    request->leg->spent.made++;
    if (!request->is_listing) request->leg->target->stats.attempts_total++;
    if (!request->is_listing && request->method != RECOVERY_CURSOR) spending_note_sent(attempt);
    return attempt;
}

// Without a chance to go on by its cursor, nobody needs the response to outlive its connection.
static bool asks_in_background(const struct request *request, const struct leg *leg) {
    const struct provider_config *config = leg->target->config;
    return config->background && config->wire->write_resume_path &&
           request->provider->config->recovery != RECOVERY_POLICY_OFF &&
           !(leg->model && leg->model->refuses_background);
}

static bool write_question(const struct request *request, const struct leg *leg,
                           struct bytes *out) {
    enum recovery_method method = request->method;
    const struct provider_config *config = leg->target->config;
    struct question question = {
        .model = leg->settings->model,
        .prompt = bytes_slice(&request->prompt),
        .system = slice_of(leg->settings->system),
        .options = leg->settings->options,
        .background = asks_in_background(request, leg),
    };
    if (method == RECOVERY_PREFILL) question.continuation = CONTINUATION_PREFILL;
    if (method == RECOVERY_CONTINUE) question.continuation = CONTINUATION_INSTRUCTED;
    char *partial = NULL;
    if (question.continuation != CONTINUATION_NONE) {
        partial = store_copy(&request->response, &question.partial.length);
        if (!partial) return false;
        question.partial.data = partial;
    }
    bool written = config->wire->write_request(&question, &config->dialect, out);
    free(partial);
    return written;
}

bool attempt_write_body(const struct request *request, struct bytes *out) {
    const struct leg *leg = request->leg ? request->leg : &request->legs[0];
    return write_question(request, leg, out);
}

// Where the attempt goes, and with what; a GET has no body.
static bool write_exchange(struct request *request) {
    struct leg *leg = request->leg;
    bytes_clear(&request->body);
    if (request->is_listing) return true;
    free(request->url);
    request->url = NULL;
    if (request->method != RECOVERY_CURSOR) {
        request->in_background = asks_in_background(request, leg);
        return write_question(request, leg, &request->body);
    }
    request->url =
        endpoint_response_url(leg->target->endpoint, leg->target->config->wire->write_resume_path,
                              decoder_facts(request->decoder));
    return request->url != NULL;
}

static bool start_transfer(struct request *request) {
    struct leg *leg = request->leg;
    struct endpoint *endpoint = leg->target->endpoint;
    struct transport *transport = leg->target->engine->parts.transport;
    struct fault_target faults = {
        .rules = leg->target->faults,
        .model = request->is_listing ? NULL : leg->settings->model,
        .wire = leg->target->config->wire,
        .dialect = &leg->target->config->dialect,
    };
    struct transfer_request transfer = {
        .url = request->url ? request->url : endpoint->url,
        .body = request->body.length ? bytes_slice(&request->body) : (struct slice){ 0 }, // GET
        .headers = endpoint->headers,
        .secret_header = endpoint->setup.secret_header,
        .ca_file = leg->target->config->ca_file,
        .fresh_connection = leg->wants_fresh_connection,
        .faults = leg->target->faults ? &faults : NULL,
    };
    leg->wants_fresh_connection = false;
    request->transfer = transport->start(transport, &transfer, &attempt_reply_events, request);
    if (request->transfer) request->endpoint = endpoint_keep(endpoint);
    return request->transfer != NULL;
}

void attempt_start(struct request *request) {
    struct provider *target = request->leg->target;
    assert(!request->transfer);
    attempt_reply_begin(request);
    if (!add_attempt(request) || !write_exchange(request) || !answer_begin(request) ||
        !start_transfer(request)) {
        request_fail_with_us(request, FAILURE_INTERNAL, "out of memory");
        return;
    }
    request_keep(request); // until the transfer is over
    if (!request->is_listing) {
        request->in_flight = true;
        queue_enter_flight(target);
        pacer_note_sent(&target->pacer, &request->ticket, request_now_ns(request),
                        &target->engine->random);
    }
    request->state = REQUEST_CONNECTING;
    if (!request->is_listing) tell_attempt_started(request);
    request_changed(request);
    attempt_phase_begin(request, PHASE_CONNECT, request_now_ns(request),
                        leg_timeouts(request->leg)->connection_ns);
}

// ---- the end ----

// What we stopped ourselves the provider may still charge for.
static enum billed billed_of(const struct request *request, const struct failure *failure) {
    if (!failure) return BILLED_YES;
    bool is_ours = failure->class == FAILURE_CANCELLED || failure->class == FAILURE_INTERNAL;
    bool was_sent = attempt_newest(request)->connected_ns >= 0;
    if (!is_ours || !was_sent || failure->http_status) return failure->billed;
    return request->has_opened ? BILLED_YES : BILLED_MAYBE;
}

static void leave_flight(struct request *request) {
    if (!request->in_flight) return;
    request->in_flight = false;
    struct provider *target = request->leg->target;
    queue_leave_flight(target);
    pacer_note_ended(&target->pacer, &request->ticket);
}

void attempt_forget_transfer(struct request *request) {
    request->transfer = NULL;
    endpoint_release(request->endpoint);
    request->endpoint = NULL;
}

void attempt_abandon(struct request *request) {
    attempt_phase_stop(request);
    request->draining = false;
    if (!request->transfer) return;
    struct transport *transport = request->provider->engine->parts.transport;
    transport->cancel(transport, request->transfer);
    attempt_forget_transfer(request);
    request_release(request); // attempt_start's
}

static void file_failure(struct request *request, struct attempt *attempt,
                         const struct failure *failure) {
    attempt->failure = malloc(sizeof(*failure));
    if (attempt->failure) *attempt->failure = *failure;
    if (attempt->failure) attempt->failure->billed = billed_of(request, failure);
    if (failure->provider_request_id[0] && !attempt->provider_request_id)
        attempt->provider_request_id = strdup(failure->provider_request_id);
}

static void file_attempt(struct request *request, struct attempt *attempt,
                         const struct failure *failure) {
    if (request->has_opened) attempt->usage = decoder_facts(request->decoder)->usage;
    attempt->ended_ns = request_now_ns(request);
    attempt->http_status = request->reply_status;
    spending_note_ended(attempt, billed_of(request, failure));
    if (!request->is_listing)
        attempt->target->stats.attempts_by_class[failure ? failure->class : FAILURE_NONE]++;
    if (failure) file_failure(request, attempt, failure);
    if (!request->is_listing) tell_attempt_ended(request, failure);
}

void attempt_close(struct request *request, const struct failure *failure) {
    struct attempt *attempt = attempt_newest(request);
    if (request->leg) leave_flight(request);
    if (attempt && attempt->ended_ns < 0) file_attempt(request, attempt, failure);
    if (failure) attempt_abandon(request);
}
