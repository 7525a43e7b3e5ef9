#include "core/engine/provider.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/engine/state.h"

static char *join(const char *a, const char *b) {
    size_t length = strlen(a);
    char *joined = malloc(length + strlen(b) + 1);
    if (!joined) return NULL;
    memcpy(joined, a, length);
    memcpy(joined + length, b, strlen(b) + 1);
    return joined;
}

static size_t count_lines(const char *const *lines) {
    size_t count = 0;
    while (lines && lines[count])
        count++;
    return count;
}

// What every request to this provider says, put together once. Borrowed texts.
static const char **constant_headers(const struct provider_config *config) {
    static const char *const always[] = { "Content-Type: application/json",
                                          "Accept: text/event-stream, application/json",
                                          "User-Agent: askfs" };
    size_t own = sizeof(always) / sizeof(*always);
    size_t of_type = count_lines(config->type->headers);
    size_t of_config = count_lines((const char *const *)config->headers);
    const char **headers = calloc(own + of_type + of_config + 1, sizeof(*headers));
    if (!headers) return NULL;
    size_t count = 0;
    for (size_t i = 0; i < own; i++)
        headers[count++] = always[i];
    for (size_t i = 0; i < of_type; i++)
        headers[count++] = config->type->headers[i];
    for (size_t i = 0; i < of_config; i++)
        headers[count++] = config->headers[i];
    return headers;
}

static struct settings *settings_of(const struct provider_config *config) {
    char *options = config->options ? json_dumps(config->options, JSON_INDENT(2)) : NULL;
    struct settings *settings = settings_create(slice_of(config->model), slice_of(config->system),
                                                config->options, slice_of(options));
    free(options);
    return settings;
}

static void release_timer_fired(void *owner) {
    struct provider *provider = owner;
    provider_release_queue(provider);
}

struct provider *provider_create(struct engine *engine, const struct provider_config *config,
                                 const char *base_url) {
    struct provider *provider = calloc(1, sizeof(*provider));
    if (!provider) return NULL;
    if (!timers_reserve(engine->parts.timers, 1)) goto free_provider;
    provider->engine = engine;
    provider->config = config;
    provider->base_url = strdup(base_url ? base_url : config->base_url);
    if (!provider->base_url) goto destroy_provider;
    provider->url = join(provider->base_url, config->wire->path);
    provider->headers = constant_headers(config);
    provider->settings = settings_of(config);
    if (!provider->url || !provider->headers || !provider->settings) goto destroy_provider;
    breaker_init(&provider->breaker, &config->breaker);
    stats_init(&provider->stats);
    timer_init(&provider->release_timer, release_timer_fired, provider);
    return provider;

destroy_provider:
    provider_destroy(provider);
    return NULL;
free_provider:
    free(provider);
    return NULL;
}

void provider_cancel_all(struct provider *provider) {
    for (struct request *request = provider->newest; request; request = request->older) {
        request_cancel(request);
        attempt_abandon(request);
    }
    if (provider->listing) request_cancel(provider->listing);
}

static void remove_request(struct provider *provider, struct request *request) {
    if (request->newer)
        request->newer->older = request->older;
    else
        provider->newest = request->older;
    if (request->older)
        request->older->newer = request->newer;
    else
        provider->oldest = request->newer;
    request->newer = request->older = NULL;
    request->in_list = false;
    provider->request_count--;
    request_release(request);
}

void provider_destroy(struct provider *provider) {
    timer_disarm(provider->engine->parts.timers, &provider->release_timer);
    timers_release(provider->engine->parts.timers, 1);
    request_release(provider->listing);
    request_release(provider->last_sent);
    while (provider->newest)
        remove_request(provider, provider->newest);
    settings_release(provider->settings);
    free(provider->last_error);
    free(provider->headers);
    free(provider->url);
    free(provider->base_url);
    free(provider);
}

const char *provider_name(const struct provider *provider) {
    return provider->config->name;
}

const struct provider_config *provider_config(const struct provider *provider) {
    return provider->config;
}

enum failure_class provider_admits(const struct provider *provider) {
    if (provider->key_problem) return FAILURE_AUTH;
    if (!breaker_would_allow(&provider->breaker, engine_now_ns(provider->engine)))
        return FAILURE_BREAKER_OPEN;
    if (provider->in_flight >= (size_t)provider->config->max_in_flight &&
        provider->queued >= (size_t)provider->config->max_queued)
        return FAILURE_RATE_LIMIT;
    return FAILURE_NONE;
}

bool provider_command_breaker(struct provider *provider, struct slice text) {
    static const struct {
        const char *word;
        enum breaker_command command;
    } commands[] = { { "open", BREAKER_FORCE_OPEN },
                     { "close", BREAKER_FORCE_CLOSE },
                     { "reset", BREAKER_RESET },
                     { "auto", BREAKER_AUTO } };
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (!slice_equals(slice_trim(text), commands[i].word)) continue;
        enum breaker_state before = provider->breaker.state;
        breaker_command(&provider->breaker, commands[i].command, engine_now_ns(provider->engine));
        if (provider->breaker.state != before)
            provider->stats.breaker_transitions[provider->breaker.state]++;
        if (provider->breaker.state == BREAKER_OPEN) provider->breaker_cause = "command";
        return true;
    }
    return false;
}

const char *provider_state_name(const struct provider *provider) {
    int64_t now_ns = engine_now_ns(provider->engine);
    if (provider->key_problem) return "no_key";
    enum breaker_state state = breaker_state_at(&provider->breaker, now_ns);
    if (state == BREAKER_OPEN) return "down";
    if (pause_left_ns(&provider->pause, now_ns) > 0) return "rate_limited";
    if (state == BREAKER_HALF_OPEN || breaker_failures(&provider->breaker, now_ns) > 0)
        return "degraded";
    return "ok";
}

void provider_note_error(struct provider *provider, const struct request *request) {
    if (!provider->last_error) provider->last_error = calloc(1, sizeof(*provider->last_error));
    if (!provider->last_error) return; // the request's own error file still tells
    provider->last_error->failure = *request->failure;
    provider->last_error->wall_ns = engine_wall_ns(provider->engine);
    provider->last_error->attempts = request->attempt_count;
    memcpy(provider->last_error->request_id, request->id, sizeof(request->id));
}

// ---- settings ----

struct slice provider_model(const struct provider *provider) {
    return slice_of(provider->settings->model);
}

struct slice provider_system(const struct provider *provider) {
    return slice_of(provider->settings->system);
}

struct slice provider_options(const struct provider *provider) {
    return slice_of(provider->settings->options_text);
}

static const char *set_settings(struct provider *provider, struct slice model, struct slice system,
                                json_t *options, struct slice options_text) {
    struct settings *settings = settings_create(model, system, options, options_text);
    if (!settings) return "out of memory";
    settings_release(provider->settings);
    provider->settings = settings;
    return NULL;
}

const char *provider_set_model(struct provider *provider, struct slice text) {
    struct slice model = slice_trim(text);
    if (model.length == 0) return "a model needs a name";
    char shown[2048];
    text_printable(shown, sizeof(shown), model);
    if (!slice_equals(model, shown)) return "a model's name is one line of printable text";
    return set_settings(provider, model, provider_system(provider), provider->settings->options,
                        provider_options(provider));
}

const char *provider_set_system(struct provider *provider, struct slice text) {
    struct slice system = text_without_newline(text);
    if (!text_is_valid(system)) return "the system text must be UTF-8 without NUL";
    return set_settings(provider, provider_model(provider), system, provider->settings->options,
                        provider_options(provider));
}

const char *provider_set_options(struct provider *provider, struct slice text) {
    struct slice shown = text_without_newline(text);
    json_t *options = NULL;
    if (slice_trim(text).length) {
        options = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(options)) {
            json_decref(options);
            return "options must be one JSON object";
        }
    }
    const char *problem = set_settings(provider, provider_model(provider),
                                       provider_system(provider), options, shown);
    json_decref(options);
    return problem;
}

// ---- requests ----

struct request *provider_newest_request(const struct provider *provider) {
    return provider->newest;
}

struct request *provider_next_request(const struct provider *provider,
                                      const struct request *request) {
    return request->in_list ? request->older : NULL;
}

struct request *provider_find_request(const struct provider *provider, const char *id) {
    for (struct request *request = provider->newest; request; request = request->older)
        if (strcmp(request->id, id) == 0) return request;
    return NULL;
}

size_t provider_request_count(const struct provider *provider) {
    return provider->request_count;
}

struct slice provider_last_prompt(const struct provider *provider) {
    return provider->last_sent ? request_prompt(provider->last_sent) : (struct slice){ 0 };
}

void provider_add_request(struct provider *provider, struct request *request) {
    request->in_list = true;
    request->older = provider->newest;
    if (provider->newest)
        provider->newest->newer = request;
    else
        provider->oldest = request;
    provider->newest = request_keep(request);
    provider->request_count++;
    request_release(provider->last_sent);
    provider->last_sent = request_keep(request);
}

void provider_note_ended(struct provider *provider, struct request *request) {
    if (provider->ended_last)
        provider->ended_last->ended_next = request;
    else
        provider->ended_first = request;
    provider->ended_last = request;
    provider->ended_count++;
    while (provider->ended_count > (size_t)provider->config->requests_kept) {
        struct request *first = provider->ended_first;
        provider->ended_first = first->ended_next;
        if (!provider->ended_first) provider->ended_last = NULL;
        provider->ended_count--;
        remove_request(provider, first);
    }
}

void provider_release_queue(struct provider *provider) {
    if (provider->releasing) return; // a refused request ends at once, and calls this again
    int64_t now_ns = engine_now_ns(provider->engine);
    int64_t pause_ns = pause_left_ns(&provider->pause, now_ns);
    if (pause_ns > 0 && provider->queue_first) {
        timer_arm(provider->engine->parts.timers, &provider->release_timer, now_ns + pause_ns);
        return;
    }
    provider->releasing = true;
    while (provider->queue_first &&
           provider->in_flight < (size_t)provider->config->max_in_flight)
        request_leave_queue(provider->queue_first);
    provider->releasing = false;
}
