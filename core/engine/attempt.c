/* One try at the provider: the body goes out, the reply comes in, and its end is judged. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/engine/state.h"
#include "core/providers/wire.h"

enum { DRAIN_NS = TIME_S, GRACE_NS = 3 * TIME_S / 2 };

static void attempt_failed(struct request *request, const struct failure *failure);

static struct timers *timers_of(struct request *request) {
    return request->provider->engine->parts.timers;
}

static int64_t now_of(const struct request *request) {
    return engine_now_ns(request->provider->engine);
}

static const struct timeouts *limits_of(const struct request *request) {
    return &request->provider->config->timeouts;
}

struct attempt *attempt_newest(const struct request *request) {
    return request->attempt_count ? &request->attempts[request->attempt_count - 1] : NULL;
}

// A limit of 0 means none.
static void watch_phase(struct request *request, enum phase phase, int64_t from_ns,
                        int64_t limit_ns) {
    request->phase = phase;
    if (limit_ns > 0)
        timer_arm(timers_of(request), &request->phase_timer, time_after(from_ns, limit_ns));
    else
        timer_disarm(timers_of(request), &request->phase_timer);
}

static void fail_with_us(struct request *request, enum failure_class class, const char *message) {
    struct failure failure;
    failure_from_us(class, message, &failure);
    attempt_failed(request, &failure);
}

// ---- what was learnt from the decoder ----

static void take_facts(struct request *request) {
    struct attempt *attempt = attempt_newest(request);
    if (request->decoder && attempt) attempt->usage = decoder_facts(request->decoder)->usage;
}

static void count_tokens(struct request *request) {
    const struct usage *usage = &attempt_newest(request)->usage;
    struct stats *stats = &request->provider->stats;
    if (usage->input_tokens > 0) stats->input_tokens += (uint64_t)usage->input_tokens;
    if (usage->output_tokens > 0) stats->output_tokens += (uint64_t)usage->output_tokens;
}

static void close_record(struct request *request, const struct failure *failure) {
    struct attempt *attempt = attempt_newest(request);
    if (!attempt || attempt->ended_ns >= 0) return;
    take_facts(request);
    attempt->ended_ns = now_of(request);
    attempt->http_status = request->reply_status;
    attempt->bytes = store_length(&request->response);
    enum failure_class class = failure ? failure->class : FAILURE_NONE;
    if (!request->is_listing) request->provider->stats.attempts_by_class[class]++;
    count_tokens(request);
    if (!failure) return;
    attempt->failure = malloc(sizeof(*failure));
    if (attempt->failure) *attempt->failure = *failure;
    if (failure->provider_request_id[0] && !attempt->provider_request_id)
        attempt->provider_request_id = strdup(failure->provider_request_id);
}

void attempt_abandon(struct request *request) {
    timer_disarm(timers_of(request), &request->phase_timer);
    request->draining = false;
    if (!request->transfer) return;
    struct transport *transport = request->provider->engine->parts.transport;
    transport->cancel(transport, request->transfer);
    request->transfer = NULL;
    request_release(request); // attempt_start's
}

void attempt_end_failed(struct request *request, const struct failure *failure) {
    close_record(request, failure);
    attempt_abandon(request);
}

// ---- again, or not ----

static void forget_text(struct request *request) {
    store_clear(&request->response);
    store_clear(&request->reasoning);
    decoder_destroy(request->decoder);
    request->decoder = NULL;
}

static void wait_for_retry(struct request *request, const struct failure *failure,
                           const struct retry_decision *decision) {
    struct stats *stats = &request->provider->stats;
    struct attempt *attempt = attempt_newest(request);
    int shown = attempt->number < RETRY_ATTEMPTS_SHOWN ? attempt->number : RETRY_ATTEMPTS_SHOWN;
    stats->retries_total++;
    stats->retries[failure->class][shown]++;
    if (store_length(&request->response) || store_length(&request->reasoning)) {
        stats->reconnects_total++;
        request->reconnects++;
        request->recovery = "restart";
        attempt->restarted = true;
    }
    forget_text(request);
    attempt->delay_ns = decision->delay_ns;
    attempt->delay_reason = decision->reason;
    request->retry_reason = decision->reason;
    request->retry_at_ns = time_after(now_of(request), decision->delay_ns);
    request->state = REQUEST_RETRYING;
    request_changed(request);
    watch_phase(request, PHASE_RETRY, request->retry_at_ns, 1);
}

static void note_pause(struct request *request, const struct failure *failure,
                       const struct retry_decision *decision) {
    if (failure->class != FAILURE_RATE_LIMIT) return;
    int64_t delay_ns = failure->retry_after_ns;
    if (delay_ns < 0) delay_ns = decision->verdict == RETRY_AGAIN ? decision->delay_ns : 0;
    pause_note(&request->provider->pause, now_of(request), delay_ns);
}

// Nothing given to a reader can be taken back; text that nobody saw may be asked for again.
static void attempt_failed(struct request *request, const struct failure *failure) {
    struct provider *provider = request->provider;
    attempt_end_failed(request, failure);
    request->spent.once_used += failure->retry_once;
    struct retry_decision decision = retry_decide(&provider->config->retry, failure,
                                                  &request->spent, now_of(request),
                                                  &provider->engine->random);
    note_pause(request, failure, &decision);
    if (request->text_given || decision.verdict == RETRY_GIVE_UP) {
        attempt_newest(request)->delay_reason = decision.reason;
        request->retry_reason = decision.reason;
        request_end(request, REQUEST_FAILED, failure);
        return;
    }
    if (decision.reason == RETRY_FRESH) {
        request->spent.free_retry_used = true;
        request->spent.made--;
    }
    wait_for_retry(request, failure, &decision);
}

// The breaker may have opened, or closed, while the request waited.
static bool may_ask_again(struct request *request) {
    struct provider *provider = request->provider;
    if (request->is_listing) return true;
    int64_t now_ns = now_of(request);
    if (request->permit.generation == provider->breaker.generation) return true;
    struct breaker_permit permit;
    if (!breaker_allows(&provider->breaker, now_ns, &permit)) return false;
    breaker_note(&provider->breaker, request->permit, BREAKER_NEUTRAL, now_ns,
                 &provider->engine->random);
    request->permit = permit;
    return true;
}

static void retry_is_due(struct request *request) {
    int64_t pause_ns = pause_left_ns(&request->provider->pause, now_of(request));
    if (pause_ns > 0) {
        request->retry_at_ns = time_after(now_of(request), pause_ns);
        watch_phase(request, PHASE_RETRY, request->retry_at_ns, 1);
        return;
    }
    if (may_ask_again(request)) {
        attempt_start(request);
        return;
    }
    const struct attempt *attempt = attempt_newest(request);
    struct failure failure;
    if (attempt->failure)
        failure = *attempt->failure;
    else
        failure_from_us(FAILURE_INTERNAL, "out of memory", &failure);
    request_end(request, REQUEST_FAILED, &failure);
}

// ---- the answer ----

static void complete(struct request *request) {
    const struct decoder_facts *facts = decoder_facts(request->decoder);
    if (facts->filtered) {
        struct failure failure;
        failure_from_stream(STREAM_FILTERED, slice_of(facts->finish_reason), &failure);
        attempt_end_failed(request, &failure);
        request_end(request, REQUEST_FAILED, &failure);
        return;
    }
    close_record(request, NULL);
    // The last bytes of the reply let the connection be used again; the reader need not wait.
    request->draining = request->transfer != NULL;
    if (request->draining) watch_phase(request, PHASE_DRAIN, now_of(request), DRAIN_NS);
    request_end(request, REQUEST_DONE, NULL);
}

static void note_progress(struct request *request, uint64_t progress) {
    struct attempt *attempt = attempt_newest(request);
    struct stats *stats = &request->provider->stats;
    int64_t now_ns = now_of(request);
    if (request->progress == 0) {
        attempt->first_content_ns = now_ns;
        histogram_note(&stats->ttft, now_ns - attempt->started_ns);
        recent_note(&stats->ttft_recent, now_ns - attempt->started_ns);
        request->state = REQUEST_STREAMING;
        if (request->first_content_ns < 0) request->first_content_ns = now_ns;
        watch_phase(request, PHASE_READ, now_ns, limits_of(request)->read_ns);
    } else {
        histogram_note(&stats->inter_token, now_ns - request->progress_ns);
    }
    request->progress = progress;
    request->progress_ns = now_ns;
}

static bool keep_gain(struct request *request, struct gain *gain) {
    bool kept = store_append(&request->response, bytes_slice(&gain->text)) &&
                store_append(&request->reasoning, bytes_slice(&gain->reasoning));
    return kept;
}

static void judge(struct request *request, enum decoder_status status, struct gain *gain) {
    const struct decoder_facts *facts = decoder_facts(request->decoder);
    bool kept = keep_gain(request, gain);
    bytes_clear(&gain->text);
    bytes_clear(&gain->reasoning);
    if (facts->progress != request->progress) {
        note_progress(request, facts->progress);
        request_changed(request);
    }
    if (!kept) {
        fail_with_us(request, FAILURE_INTERNAL,
                     "the answer passed max_response_bytes, or memory is short");
        return;
    }
    switch (status) {
    case DECODER_MORE:
        break;
    case DECODER_FINISHING:
        if (request->phase != PHASE_GRACE)
            watch_phase(request, PHASE_GRACE, now_of(request), GRACE_NS);
        break;
    case DECODER_DONE:
        complete(request);
        break;
    case DECODER_FAILED: {
        struct failure failure = facts->failure;
        attempt_failed(request, &failure);
        break;
    }
    }
}

// ---- events of the transfer ----

static void on_connected(void *owner) {
    struct request *request = owner;
    if (request->state != REQUEST_CONNECTING) return;
    attempt_newest(request)->connected_ns = now_of(request);
    request->state = REQUEST_WAITING;
    request_changed(request);
    watch_phase(request, PHASE_FIRST_TOKEN, now_of(request), limits_of(request)->first_token_ns);
}

static void note_request_id(struct request *request, const struct header *header) {
    static const char *const names[] = { "x-request-id", "request-id", "x-generation-id",
                                         "apim-request-id" };
    struct attempt *attempt = attempt_newest(request);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (attempt->provider_request_id || !slice_equals_nocase(header->name, names[i])) continue;
        char shown[96];
        text_printable(shown, sizeof(shown), header->value);
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
    if (!is_answer(request) || request->is_listing) return;
    const struct provider_config *config = request->provider->config;
    request->decoder = config->wire->decoder_create(&config->type->dialect, content_type);
    if (!request->decoder) fail_with_us(request, FAILURE_INTERNAL, "out of memory");
}

static void on_body(void *owner, struct slice bytes) {
    struct request *request = owner;
    if (request_has_ended(request)) return;
    if (!is_answer(request) || request->is_listing) {
        size_t room = request->reply_body.length_max - request->reply_body.length;
        bytes_append(&request->reply_body, bytes.data, bytes.length < room ? bytes.length : room);
        return;
    }
    struct gain *gain = &request->provider->engine->gain;
    judge(request, decoder_feed(request->decoder, bytes, gain), gain);
}

enum { HEADERS_JUDGED_MAX = 128 };

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
                                  .body = bytes_slice(&request->reply_body) };
    struct failure failure;
    failure_from_reply(&reply, &failure);
    attempt_failed(request, &failure);
}

static void judge_end(struct request *request, const struct transfer_result *result) {
    struct attempt *attempt = attempt_newest(request);
    attempt->connect_ns = result->connect_ns;
    bool got_bytes = request->decoder != NULL;
    if (request->phase == PHASE_GRACE) {
        complete(request);
    } else if (result->end == TRANSPORT_OK && request->is_listing && is_answer(request)) {
        listing_ended(request);
    } else if (request->reply_status && !is_answer(request)) {
        judge_failing_reply(request); // its verdict is in even when its body broke off
    } else if (result->end == TRANSPORT_OK && request->decoder) {
        struct gain *gain = &request->provider->engine->gain;
        judge(request, decoder_end(request->decoder, gain), gain);
    } else {
        struct failure failure;
        failure_from_transport(result->end == TRANSPORT_OK ? TRANSPORT_EMPTY_REPLY : result->end,
                               got_bytes, result->detail, &failure);
        request->spent.reused_connection =
            result->reused_connection && request->reply_status == 0;
        attempt_failed(request, &failure);
    }
}

static void on_done(void *owner, const struct transfer_result *result) {
    struct request *request = owner;
    request->transfer = NULL;
    request->draining = false;
    timer_disarm(timers_of(request), &request->phase_timer);
    if (!request_has_ended(request)) judge_end(request, result);
    request_release(request); // attempt_start's
}

void attempt_phase_timer(void *owner) {
    struct request *request = owner;
    const struct timeouts *limits = limits_of(request);
    struct failure failure;
    switch (request->phase) {
    case PHASE_CONNECT:
        failure_from_timer(TIMER_CONNECT, limits->connection_ns, &failure);
        break;
    case PHASE_FIRST_TOKEN:
        failure_from_timer(request->reply_status ? TIMER_FIRST_TOKEN : TIMER_HEADERS,
                           limits->first_token_ns, &failure);
        break;
    case PHASE_READ:
        if (now_of(request) - request->progress_ns < limits->read_ns) {
            watch_phase(request, PHASE_READ, request->progress_ns, limits->read_ns);
            return;
        }
        failure_from_timer(TIMER_READ, limits->read_ns, &failure);
        break;
    case PHASE_GRACE:
        complete(request);
        return;
    case PHASE_DRAIN:
        attempt_abandon(request);
        return;
    case PHASE_RETRY:
        retry_is_due(request);
        return;
    }
    attempt_failed(request, &failure);
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
        .started_ns = now_of(request),
        .started_wall_ns = engine_wall_ns(request->provider->engine),
        .connected_ns = -1,
        .connect_ns = -1,
        .first_content_ns = -1,
        .ended_ns = -1,
        .delay_ns = -1,
        .usage = { USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN },
    };
    request->spent.made++;
    if (!request->is_listing) request->provider->stats.attempts_total++;
    return attempt;
}

bool attempt_write_body(const struct request *request, struct bytes *out) {
    const struct provider_config *config = request->provider->config;
    struct question question = {
        .model = request->settings->model,
        .prompt = bytes_slice(&request->prompt),
        .system = slice_of(request->settings->system),
        .options = request->settings->options,
    };
    return config->wire->write_request(&question, &config->type->dialect, out);
}

static bool write_body(struct request *request) {
    bytes_clear(&request->body);
    return request->is_listing || attempt_write_body(request, &request->body);
}

static void forget_reply(struct request *request) {
    request->reply_status = 0;
    request->progress = 0;
    bytes_finish(&request->reply_headers);
    bytes_finish(&request->reply_body);
}

void attempt_start(struct request *request) {
    static const struct transfer_events events = {
        .connected = on_connected, .headers = on_headers, .body = on_body, .done = on_done
    };
    struct provider *provider = request->provider;
    struct transport *transport = provider->engine->parts.transport;
    struct failure failure;
    assert(!request->transfer);
    forget_reply(request);
    if (!add_attempt(request) || !write_body(request)) goto no_memory;
    struct transfer_request transfer = {
        .url = request->url ? request->url : provider->url,
        .body = request->is_listing ? (struct slice){ 0 } : bytes_slice(&request->body),
        .headers = provider->headers,
        .secret_header = provider->secret_header,
        .ca_file = provider->config->ca_file,
        .fresh_connection = request->retry_reason == RETRY_FRESH && request->attempt_count > 1,
    };
    request->transfer = transport->start(transport, &transfer, &events, request);
    if (!request->transfer) goto no_memory;
    request_keep(request); // until the transfer is over
    request->state = REQUEST_CONNECTING;
    request_changed(request);
    watch_phase(request, PHASE_CONNECT, now_of(request), limits_of(request)->connection_ns);
    return;

no_memory:
    failure_from_us(FAILURE_INTERNAL, "out of memory", &failure);
    request_end(request, REQUEST_FAILED, &failure);
}
