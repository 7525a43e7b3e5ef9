/* One try at one provider: the body goes out, the reply comes in, and its end is judged. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/engine/state.h"
#include "core/transport/fault_target.h"

enum { HEADERS_JUDGED_MAX = 128 };

static const int64_t refusal_ns = 10 * TIME_S; // its verdict is in its status, and needs no more

static struct timers *timers_of(struct request *request) {
    return request->provider->engine->parts.timers;
}

static const struct provider_config *config_of(const struct request *request) {
    return request->leg->target->config;
}

static const struct timeouts *limits_of(const struct request *request) {
    return &config_of(request)->timeouts;
}

struct attempt *attempt_newest(const struct request *request) {
    return request->attempt_count ? &request->attempts[request->attempt_count - 1] : NULL;
}

// A limit of 0 means none.
void attempt_watch(struct request *request, enum phase phase, int64_t from_ns, int64_t limit_ns) {
    request->phase = phase;
    if (limit_ns > 0)
        timer_arm(timers_of(request), &request->phase_timer, time_after(from_ns, limit_ns));
    else
        timer_disarm(timers_of(request), &request->phase_timer);
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

static void forget_transfer(struct request *request) {
    request->transfer = NULL;
    endpoint_release(request->endpoint);
    request->endpoint = NULL;
}

void attempt_abandon(struct request *request) {
    timer_disarm(timers_of(request), &request->phase_timer);
    request->draining = false;
    if (!request->transfer) return;
    struct transport *transport = request->provider->engine->parts.transport;
    transport->cancel(transport, request->transfer);
    forget_transfer(request);
    request_release(request); // attempt_start's
}

void attempt_close(struct request *request, const struct failure *failure) {
    struct attempt *attempt = attempt_newest(request);
    if (request->leg) leave_flight(request);
    if (attempt && attempt->ended_ns < 0) {
        if (request->has_opened) attempt->usage = decoder_facts(request->decoder)->usage;
        attempt->ended_ns = request_now_ns(request);
        attempt->http_status = request->reply_status;
        spending_note_ended(attempt, billed_of(request, failure));
        if (!request->is_listing)
            attempt->target->stats.attempts_by_class[failure ? failure->class : FAILURE_NONE]++;
        if (failure) {
            attempt->failure = malloc(sizeof(*failure));
            if (attempt->failure) *attempt->failure = *failure;
            if (attempt->failure) attempt->failure->billed = billed_of(request, failure);
            if (failure->provider_request_id[0] && !attempt->provider_request_id)
                attempt->provider_request_id = strdup(failure->provider_request_id);
        }
        if (!request->is_listing) tell_attempt_ended(request, failure);
    }
    if (failure) attempt_abandon(request);
}

// ---- events of the transfer ----

static void on_connected(void *owner) {
    struct request *request = owner;
    const struct timeouts *limits = limits_of(request);
    if (request->state != REQUEST_CONNECTING) return;
    struct attempt *attempt = attempt_newest(request);
    attempt->connected_ns = request_now_ns(request);
    attempt->connect_ns = attempt->connected_ns - attempt->started_ns;
    request->state = REQUEST_WAITING;
    request_changed(request);
    bool headers_first = limits->headers_ns > 0 && (limits->first_token_ns == 0 ||
                                                    limits->headers_ns < limits->first_token_ns);
    if (headers_first)
        attempt_watch(request, PHASE_HEADERS, request_now_ns(request), limits->headers_ns);
    else
        attempt_watch_stream(request, PHASE_FIRST_TOKEN);
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

static bool is_answer(const struct request *request) {
    return request->reply_status == 200 || request->reply_status == 201;
}

static void watch_refusal(struct request *request) {
    int64_t limit_ns = limits_of(request)->first_token_ns;
    bool shorter = limit_ns > 0 && limit_ns < refusal_ns;
    attempt_watch(request, PHASE_REFUSAL, request_now_ns(request), shorter ? limit_ns : refusal_ns);
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
    attempt_watch_stream(request, PHASE_FIRST_TOKEN);
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

static void judge_failing_reply(struct request *request) {
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
        judge_failing_reply(request); // its verdict is in even when its body broke off
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
    forget_transfer(request);
    request->draining = false;
    timer_disarm(timers_of(request), &request->phase_timer);
    if (!request_has_ended(request)) judge_end(request, result);
    request_release(request); // attempt_start's
}

// ---- time is up ----

static void time_is_up(struct request *request, enum timer_end timer, int64_t limit_ns) {
    struct failure failure;
    failure_from_timer(timer, limit_ns, &failure);
    course_attempt_failed(request, &failure);
}

// Content and bytes move their limits without moving the timer, which would cost more with each
// token than looking now does.
static void look_at_stream(struct request *request, enum timer_end timer, int64_t from_ns,
                           int64_t limit_ns) {
    int64_t idle_ns = request->reply_status ? limits_of(request)->idle_ns : 0;
    int64_t due_ns = limit_ns ? time_after(from_ns, limit_ns) : TIME_NEVER;
    int64_t idle_due_ns = idle_ns ? time_after(request->byte_ns, idle_ns) : TIME_NEVER;
    int64_t next_ns = due_ns < idle_due_ns ? due_ns : idle_due_ns;
    if (request_now_ns(request) >= due_ns)
        time_is_up(request, timer, limit_ns);
    else if (request_now_ns(request) >= idle_due_ns)
        time_is_up(request, TIMER_IDLE, idle_ns);
    else if (next_ns != TIME_NEVER)
        timer_arm(timers_of(request), &request->phase_timer, next_ns);
}

void attempt_watch_stream(struct request *request, enum phase phase) {
    request->phase = phase;
    timer_disarm(timers_of(request), &request->phase_timer);
    attempt_phase_timer(request);
}

void attempt_phase_timer(void *owner) {
    struct request *request = owner;
    const struct timeouts *limits = limits_of(request);
    switch (request->phase) {
    case PHASE_CONNECT:
        time_is_up(request, TIMER_CONNECT, limits->connection_ns);
        break;
    case PHASE_HEADERS:
        time_is_up(request, TIMER_HEADERS, limits->headers_ns);
        break;
    case PHASE_REFUSAL:
        judge_failing_reply(request);
        break;
    case PHASE_FIRST_TOKEN:
        look_at_stream(request, request->reply_status ? TIMER_FIRST_TOKEN : TIMER_HEADERS,
                       attempt_newest(request)->connected_ns, limits->first_token_ns);
        break;
    case PHASE_READ:
        look_at_stream(request, TIMER_READ, request->progress_ns, limits->read_ns);
        break;
    case PHASE_GRACE:
        course_complete(request);
        break;
    case PHASE_DRAIN:
        attempt_abandon(request);
        break;
    case PHASE_RETRY:
        course_retry_is_due(request);
        break;
    }
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
    struct bytes url;
    bytes_init(&url, 4096);
    if (bytes_append_text(&url, leg->target->endpoint->base_url) &&
        leg->target->config->wire->write_resume_path(decoder_facts(request->decoder), &url))
        request->url = bytes_take(&url);
    bytes_finish(&url);
    return request->url != NULL;
}

static void forget_reply(struct request *request) {
    request->reply_status = 0;
    request->has_opened = false;
    request->has_content = false;
    bytes_finish(&request->reply_headers);
    bytes_finish(&request->reply_body);
}

static bool start_transfer(struct request *request) {
    static const struct transfer_events events = {
        .connected = on_connected, .headers = on_headers, .body = on_body, .done = on_done
    };
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
    request->transfer = transport->start(transport, &transfer, &events, request);
    if (request->transfer) request->endpoint = endpoint_keep(endpoint);
    return request->transfer != NULL;
}

void attempt_start(struct request *request) {
    struct provider *target = request->leg->target;
    assert(!request->transfer);
    forget_reply(request);
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
    attempt_watch(request, PHASE_CONNECT, request_now_ns(request),
                  limits_of(request)->connection_ns);
}
