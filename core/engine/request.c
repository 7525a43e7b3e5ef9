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

static void total_timer_fired(void *owner) {
    struct request *request = owner;
    struct failure failure;
    failure_from_timer(TIMER_TOTAL, request->provider->config->timeouts.total_ns, &failure);
    attempt_end_failed(request, &failure);
    request_end(request, REQUEST_FAILED, &failure);
}

// Sorts by time as text, and people can read it: 20261124-141003-17.
static void name_request(struct request *request) {
    time_t seconds = (time_t)(request->started_wall_ns / TIME_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char day[24];
    strftime(day, sizeof(day), "%Y%m%d-%H%M%S", &tm);
    snprintf(request->id, sizeof(request->id), "%s-%llu", day,
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
    request->spent.deadline_ns =
        total_ns ? time_after(request->submitted_ns, total_ns) : TIME_NEVER;
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
    return request;
}

static void destroy(struct request *request) {
    assert(!request->transfer);
    assert(!request->watchers);
    timers_release(request->provider->engine->parts.timers, 2);
    for (int i = 0; i < request->attempt_count; i++) {
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
    request->prompt = *prompt;
    bytes_init(prompt, prompt->length_max);
    provider->stats.requests_total++;
    provider_add_request(provider, request);
    request_begin(request);
    return request;
}

// ---- admission ----

static void enqueue(struct request *request) {
    struct provider *provider = request->provider;
    request->state = REQUEST_QUEUED;
    request->in_queue = true;
    request->queue_next = NULL;
    if (provider->queue_last)
        provider->queue_last->queue_next = request;
    else
        provider->queue_first = request;
    provider->queue_last = request;
    provider->queued++;
}

static void dequeue(struct request *request) {
    struct provider *provider = request->provider;
    struct request *before = NULL;
    for (struct request *each = provider->queue_first; each != request; each = each->queue_next)
        before = each;
    if (before)
        before->queue_next = request->queue_next;
    else
        provider->queue_first = request->queue_next;
    if (provider->queue_last == request) provider->queue_last = before;
    request->queue_next = NULL;
    request->in_queue = false;
    provider->queued--;
}

static void refuse(struct request *request, enum failure_class class, const char *message) {
    struct failure failure;
    failure_from_us(class, message, &failure);
    request_end(request, REQUEST_FAILED, &failure);
}

void request_begin(struct request *request) {
    struct provider *provider = request->provider;
    request_keep(request); // until its end
    if (!request->is_listing) provider->active++;
    if (request->spent.deadline_ns != TIME_NEVER)
        timer_arm(provider->engine->parts.timers, &request->total_timer,
                  request->spent.deadline_ns);
    if (provider->key_problem) {
        refuse(request, FAILURE_AUTH, provider->key_problem);
        return;
    }
    if (provider->queued >= (size_t)provider->config->max_queued) {
        refuse(request, FAILURE_RATE_LIMIT, "too many requests wait here already");
        return;
    }
    enqueue(request);
    provider_release_queue(provider);
}

void request_leave_queue(struct request *request) {
    struct provider *provider = request->provider;
    dequeue(request);
    if (!request->is_listing) {
        enum breaker_state before = provider->breaker.state;
        if (!breaker_allows(&provider->breaker, engine_now_ns(provider->engine),
                            &request->permit)) {
            refuse(request, FAILURE_BREAKER_OPEN,
                   "the breaker of this provider is open; nothing was sent");
            return;
        }
        if (provider->breaker.state != before)
            provider->stats.breaker_transitions[provider->breaker.state]++;
        request->has_permit = true;
    }
    request->in_flight = true;
    provider->in_flight++;
    attempt_start(request);
}

// ---- the end ----

// What this end says about the provider, told once.
static void give_permit_back(struct request *request) {
    if (!request->has_permit) return;
    request->has_permit = false;
    struct provider *provider = request->provider;
    enum breaker_outcome outcome = BREAKER_NEUTRAL;
    if (request->state == REQUEST_DONE) outcome = BREAKER_SUCCESS;
    if (request->state == REQUEST_FAILED && request->failure &&
        request->failure->counts_for_breaker)
        outcome = BREAKER_FAILURE;
    if (!breaker_note(&provider->breaker, request->permit, outcome,
                      engine_now_ns(provider->engine), &provider->engine->random))
        return;
    provider->stats.breaker_transitions[provider->breaker.state]++;
    if (provider->breaker.state == BREAKER_OPEN)
        provider->breaker_cause = failure_class_name(request->failure->class);
}

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
        if (request->failure) provider_note_error(provider, request);
    }
}

void request_end(struct request *request, enum request_state state,
                 const struct failure *failure) {
    if (request_has_ended(request)) return;
    struct provider *provider = request->provider;
    struct engine *engine = provider->engine;
    if (request->in_queue) dequeue(request);
    timer_disarm(engine->parts.timers, &request->total_timer);
    if (!request->draining) timer_disarm(engine->parts.timers, &request->phase_timer);
    if (failure) {
        request->failure = malloc(sizeof(*failure));
        if (request->failure) *request->failure = *failure;
    }
    request->state = state;
    request->ended_ns = engine_now_ns(engine);
    request_changed(request);
    if (!request->draining) attempt_abandon(request);
    bytes_finish(&request->body);
    store_shrink(&request->response);
    store_shrink(&request->reasoning);
    give_permit_back(request);
    if (!request->is_listing) count_end(request);
    if (request->in_flight) provider->in_flight--;
    request->in_flight = false;
    if (request->in_list) provider_note_ended(provider, request);
    provider_release_queue(provider);
    request_release(request); // request_begin's
}

void request_cancel(struct request *request) {
    if (request_has_ended(request)) return;
    struct failure failure;
    failure_from_us(FAILURE_CANCELLED, "cancelled by the user", &failure);
    attempt_end_failed(request, &failure);
    request_end(request, REQUEST_CANCELLED, &failure);
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

uint64_t request_serial(const struct request *request) {
    return request->serial;
}

const char *request_id(const struct request *request) {
    return request->id;
}

struct provider *request_provider(const struct request *request) {
    return request->provider;
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
    const struct store *store =
        text == REQUEST_RESPONSE ? &request->response : &request->reasoning;
    struct slice slice = store_read(store, offset, size);
    if (slice.length) request->text_given = true;
    return slice;
}

int64_t request_started_wall_ns(const struct request *request) {
    return request->started_wall_ns;
}

int64_t request_changed_wall_ns(const struct request *request) {
    return request->changed_wall_ns;
}
