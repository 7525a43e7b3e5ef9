#include "core/engine/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/engine/state.h"
#include "core/providers/wire.h"

const char *request_state_name(enum request_state state) {
    static const char *const names[] = { "queued",   "connecting", "waiting", "streaming",
                                         "retrying", "done",       "failed",  "cancelled" };
    return names[state];
}

// ---- life ----

// An end that says nothing about the provider.
static void stop(struct request *request, enum request_state state, const struct failure *failure) {
    attempt_close(request, failure);
    if (request->leg) leg_note_failure(request, request->leg, failure);
    if (request->leg) leg_leave(request, request->leg, failure, true);
    request_end(request, state, failure);
}

static void total_timer_fired(void *owner) {
    struct request *request = owner;
    struct failure failure;
    failure_from_timer(TIMER_TOTAL, request->provider->config->timeouts.total_ns, &failure);
    stop(request, REQUEST_FAILED, &failure);
}

// Sorts by time as text, and people can read it: 20261124-141003-000017.
static void name_request(struct request *request) {
    time_t seconds = (time_t)(request->started_wall_ns / TIME_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char day[24];
    strftime(day, sizeof(day), "%Y%m%d-%H%M%S", &tm);
    snprintf(request->id, sizeof(request->id), "%s-%06llu", day,
             (unsigned long long)request->serial);
}

struct request *request_create(struct provider *provider) {
    struct engine *engine = provider->engine;
    struct request *request = calloc(1, sizeof(*request));
    if (!request) return NULL;
    if (!timers_reserve(engine->parts.timers, 2)) {
        free(request);
        return NULL;
    }
    request->references = 1;
    request->provider = provider;
    request->serial = ++engine->serial_newest;
    request->settings = settings_keep(provider->settings);
    request->submitted_ns = engine_now_ns(engine);
    request->started_wall_ns = engine_wall_ns(engine);
    request->changed_wall_ns = request->started_wall_ns;
    request->ended_ns = -1;
    request->first_content_ns = -1;
    name_request(request);
    int64_t total_ns = provider->config->timeouts.total_ns;
    request->deadline_ns = total_ns ? time_after(request->submitted_ns, total_ns) : TIME_NEVER;
    bytes_init(&request->prompt, (size_t)provider->config->max_prompt_bytes + 2);
    bytes_init(&request->body, SIZE_MAX / 2);
    bytes_init(&request->reply_headers, 64 << 10);
    bytes_init(&request->reply_body, 8 << 20);
    size_t length_max = (size_t)provider->config->max_response_bytes;
    size_t memory_max = (size_t)provider->config->max_memory_per_response;
    store_init(&request->response, &engine->stores, length_max, memory_max);
    store_init(&request->reasoning, &engine->stores, length_max, memory_max);
    timer_init(&request->phase_timer, attempt_phase_timer, request);
    timer_init(&request->total_timer, total_timer_fired, request);
    if (legs_create(request)) return request;
    request_release(request);
    return NULL;
}

static void destroy(struct request *request) {
    assert(!request->transfer);
    assert(!request->watchers);
    timers_release(request->provider->engine->parts.timers, 2);
    legs_destroy(request);
    for (int i = 0; i < request->attempt_count; i++) {
        settings_release(request->attempts[i].settings);
        free(request->attempts[i].failure);
        free(request->attempts[i].provider_request_id);
    }
    free(request->attempts);
    bytes_finish(&request->prompt);
    bytes_finish(&request->body);
    bytes_finish(&request->reply_headers);
    bytes_finish(&request->reply_body);
    store_finish(&request->response);
    store_finish(&request->reasoning);
    decoder_destroy(request->decoder);
    settings_release(request->settings);
    free(request->seams);
    free(request->cause);
    free(request->failure);
    free(request->url);
    free(request);
}

struct request *request_keep(struct request *request) {
    request->references++;
    return request;
}

void request_release(struct request *request) {
    if (!request) return;
    assert(request->references > 0);
    if (--request->references == 0) destroy(request);
}

struct request *request_submit(struct provider *provider, struct bytes *prompt) {
    struct request *request = request_create(provider);
    if (!request) return NULL;
    if (!provider_add_request(provider, request)) {
        request_release(request);
        return NULL;
    }
    request->prompt = *prompt;
    bytes_init(prompt, prompt->length_max);
    provider->stats.requests_total++;
    request_begin(request);
    return request;
}

void request_begin(struct request *request) {
    struct provider *provider = request->provider;
    request_keep(request); // until its end
    if (!request->is_listing) provider->active++;
    if (request->deadline_ns != TIME_NEVER)
        timer_arm(provider->engine->parts.timers, &request->total_timer, request->deadline_ns);
    admission_begin(request);
}

// ---- the end ----

static void count_end(struct request *request) {
    struct provider *provider = request->provider;
    struct stats *stats = &provider->stats;
    int64_t now_ns = engine_now_ns(provider->engine);
    provider->active--;
    if (request->state == REQUEST_DONE) {
        stats->requests_ok++;
        error_rate_note(&stats->error_rate, false, now_ns);
    } else if (request->state == REQUEST_CANCELLED) {
        stats->requests_cancelled++;
    } else {
        stats->requests_failed++;
        if (request->failure) stats->failed_by_class[request->failure->class]++;
        error_rate_note(&stats->error_rate, true, now_ns);
        if (request->failure) provider_note_error(provider, request, request->failure);
    }
}

void request_end(struct request *request, enum request_state state, const struct failure *failure) {
    if (request_has_ended(request)) return;
    struct provider *provider = request->provider;
    struct provider *target = request->leg ? request->leg->target : NULL;
    struct timers *timers = provider->engine->parts.timers;
    if (request->in_queue) queue_leave(request);
    timer_disarm(timers, &request->total_timer);
    if (!request->draining) timer_disarm(timers, &request->phase_timer);
    if (failure) {
        request->failure = malloc(sizeof(*failure));
        if (request->failure) *request->failure = *failure;
    }
    request->state = state;
    request->ended_ns = engine_now_ns(provider->engine);
    request_changed(request);
    if (!request->is_listing) tell_request_ended(request);
    if (state != REQUEST_DONE) upstream_cancel_send(request);
    if (!request->draining) attempt_abandon(request);
    bytes_finish(&request->body);
    answer_note_text_ended(request);
    if (!request->is_listing) count_end(request);
    if (!request->is_listing) provider_note_ended(provider, request);
    if (target) queue_release(target);
    request_release(request); // request_begin's
}

void request_fail_with_us(struct request *request, enum failure_class class, const char *message) {
    struct failure failure;
    failure_from_us(class, message, &failure);
    stop(request, REQUEST_FAILED, &failure);
}

void request_cancel(struct request *request) {
    if (request_has_ended(request)) return;
    struct failure failure;
    failure_from_us(FAILURE_CANCELLED, "cancelled by the user", &failure);
    stop(request, REQUEST_CANCELLED, &failure);
}

// ---- watchers ----

void request_changed(struct request *request) {
    struct engine *engine = request->provider->engine;
    request->changed_wall_ns = engine_wall_ns(engine);
    if (request->in_news || !request->watchers) return;
    request->in_news = true;
    request->news_next = engine->news;
    engine->news = request_keep(request);
}

void request_watch(struct request *request, struct watcher *watcher) {
    watcher->previous = NULL;
    watcher->next = request->watchers;
    if (request->watchers) request->watchers->previous = watcher;
    request->watchers = watcher;
}

void request_unwatch(struct request *request, struct watcher *watcher) {
    if (request->telling == watcher) request->telling = watcher->next;
    if (watcher->previous)
        watcher->previous->next = watcher->next;
    else
        request->watchers = watcher->next;
    if (watcher->next) watcher->next->previous = watcher->previous;
    watcher->next = watcher->previous = NULL;
}

void request_tell_watchers(struct request *request) {
    // A watcher may go, and take others with it, while it is told: telling is the next one alive.
    request->telling = request->watchers;
    while (request->telling) {
        struct watcher *watcher = request->telling;
        request->telling = watcher->next;
        watcher->changed(watcher->owner);
    }
}

// ---- what it is ----

int64_t request_now_ns(const struct request *request) {
    return engine_now_ns(request->provider->engine);
}

uint64_t request_serial(const struct request *request) {
    return request->serial;
}

const char *request_id(const struct request *request) {
    return request->id;
}

enum request_state request_state(const struct request *request) {
    return request->state;
}

bool request_has_ended(const struct request *request) {
    return request->state >= REQUEST_DONE;
}

const struct failure *request_failure(const struct request *request) {
    static const struct failure none = { .class = FAILURE_NONE };
    static const struct failure lost = { .class = FAILURE_INTERNAL, .cause = CAUSE_MEMORY };
    if (request->failure) return request->failure;
    return request->state == REQUEST_FAILED || request->state == REQUEST_CANCELLED ? &lost : &none;
}

struct slice request_prompt(const struct request *request) {
    return bytes_slice(&request->prompt);
}

const struct store *request_response(const struct request *request) {
    return &request->response;
}

const struct store *request_reasoning(const struct request *request) {
    return &request->reasoning;
}

struct slice request_read(struct request *request, enum request_text text, size_t offset,
                          size_t size) {
    const struct store *store = text == REQUEST_RESPONSE ? &request->response : &request->reasoning;
    struct slice slice = store_read(store, offset, size);
    if (offset + slice.length > request->given[text]) request->given[text] = offset + slice.length;
    return slice;
}

static void add_tokens(int64_t *sum, int64_t tokens) {
    if (tokens >= 0) *sum = (*sum >= 0 ? *sum : 0) + tokens;
}

struct usage request_usage(const struct request *request) {
    struct usage usage = { USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN, USAGE_UNKNOWN };
    for (int i = 0; i < request->attempt_count; i++) {
        const struct attempt *attempt = &request->attempts[i];
        bool is_running = attempt->ended_ns < 0 && request->has_opened;
        const struct usage *told =
            is_running ? &decoder_facts(request->decoder)->usage : &attempt->usage;
        add_tokens(&usage.input_tokens, told->input_tokens);
        add_tokens(&usage.output_tokens, told->output_tokens);
    }
    return usage;
}

bool request_is_of_route(const struct request *request) {
    return request->provider->members != NULL;
}

bool request_is_delivered(const struct request *request) {
    return request->given[REQUEST_RESPONSE] > 0;
}

int64_t request_changed_wall_ns(const struct request *request) {
    return request->changed_wall_ns;
}
