#include "core/engine/provider.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/engine/state.h"
#include "core/policy/fault_rules.h"
#include "core/providers/json.h"

struct settings *settings_of_config(const struct provider_config *config) {
    json_t *given = config->options;
    char *options = given ? json_dumps(given, JSON_INDENT(2) | json_exact(given)) : NULL;
    struct settings *settings = settings_create(slice_of(config->model), slice_of(config->system),
                                                config->options, slice_of(options));
    free(options);
    return settings;
}

enum { TIMERS = 3 };

struct provider *provider_create(struct engine *engine, struct endpoint *endpoint) {
    const struct provider_config *config = endpoint->setup.config;
    struct provider *provider = calloc(1, sizeof(*provider));
    if (!provider) goto release_endpoint;
    if (!timers_reserve(engine->parts.timers, TIMERS)) goto free_provider;
    provider->engine = engine;
    provider->endpoint = endpoint;
    provider->config = config;
    provider->key_problem = endpoint->setup.key_problem;
    model_states_init(&provider->models, &config->breaker);
    pacer_init(&provider->pacer, &pacer_default);
    retry_budget_init(&provider->retry_budget, &config->retry_budget, engine_now_ns(engine));
    quota_init(&provider->quota, &config->quota, engine_wall_ns(engine));
    stats_init(&provider->stats);
    timer_init(&provider->release_timer, queue_release_timer, provider);
    alerts_init(&provider->alerts, &alert_limits_default);
    timer_init(&provider->alert_timer, tell_alert_timer, provider);
    timer_init(&provider->probe_timer, health_probe_timer, provider);
    provider->settings = settings_of_config(config);
    if (provider->settings) return provider;
    provider_destroy(provider);
    return NULL;

free_provider:
    free(provider);
release_endpoint:
    endpoint_release(endpoint);
    return NULL;
}

void provider_change(struct provider *provider, struct endpoint *endpoint,
                     struct settings *settings) {
    const struct provider_config *config = endpoint->setup.config;
    bool has_moved = strcmp(provider->endpoint->base_url, endpoint->base_url) != 0;
    model_states_set_policy(&provider->models, &config->breaker);
    provider->retry_budget.policy = &config->retry_budget;
    quota_set_policy(&provider->quota, &config->quota, engine_wall_ns(provider->engine));
    provider->config = config;
    provider->key_problem = endpoint->setup.key_problem;
    settings_release(provider->settings);
    provider->settings = settings;
    endpoint_release(provider->endpoint);
    provider->endpoint = endpoint;
    tell_spending(provider);
    if (!has_moved) return;
    request_release(provider->listing);
    provider->listing = NULL;
}

void provider_cancel_all(struct provider *provider) {
    struct request *request;
    for (uint64_t serial = UINT64_MAX; (request = records_before(&provider->records, serial));) {
        serial = request_serial(request);
        request_keep(request); // ended ones may be forgotten
        request_cancel(request);
        attempt_abandon(request);
        request_release(request);
    }
    if (provider->listing) request_cancel(provider->listing);
    if (provider->probe) request_cancel(provider->probe);
}

void provider_forget_requests(struct provider *provider) {
    request_release(provider->listing);
    request_release(provider->probe);
    request_release(provider->last_sent);
    provider->listing = provider->probe = provider->last_sent = NULL;
    records_finish(&provider->records);
}

void provider_destroy(struct provider *provider) {
    struct timers *timers = provider->engine->parts.timers;
    timer_disarm(timers, &provider->release_timer);
    timer_disarm(timers, &provider->probe_timer);
    timer_disarm(timers, &provider->alert_timer);
    provider_forget_requests(provider);
    timers_release(timers, TIMERS);
    model_states_finish(&provider->models);
    settings_release(provider->settings);
    free(provider->members);
    free(provider->last_error);
    free(provider->faults);
    endpoint_release(provider->endpoint);
    free(provider);
}

bool provider_is_removed(const struct provider *provider) {
    return provider->is_removed;
}

const char *provider_name(const struct provider *provider) {
    return provider->config->name;
}

const struct provider_config *provider_config(const struct provider *provider) {
    return provider->config;
}

const struct model_state *provider_model_state(const struct provider *provider) {
    return model_states_find(&provider->models, provider->settings->model);
}

static bool breaker_admits(const struct provider *provider) {
    const struct model_state *model = provider_model_state(provider);
    if (model) return breaker_would_allow(&model->breaker, engine_now_ns(provider->engine));
    return !provider->models.commanded || provider->models.command != BREAKER_FORCE_OPEN;
}

static bool has_room(const struct provider *provider) {
    int64_t now_ns = engine_now_ns(provider->engine);
    bool goes_on = queue_has_room(provider) && pacer_would_allow(&provider->pacer, now_ns);
    return goes_on || provider->queue.count < (size_t)provider->config->max_queued;
}

// A route refuses only what each of its providers refuses; the first one's reason is told.
static enum failure_class route_admits(const struct provider *route) {
    enum failure_class first = FAILURE_NONE;
    for (size_t i = 0; i < route->member_count; i++) {
        enum failure_class class = provider_admits(route->members[i]);
        if (class == FAILURE_NONE) return FAILURE_NONE;
        if (first == FAILURE_NONE || first == FAILURE_AUTH) first = class;
    }
    return first;
}

enum failure_class provider_admits(const struct provider *provider) {
    if (provider->key_problem) return FAILURE_AUTH;
    if (provider->members) return route_admits(provider);
    if (!breaker_admits(provider)) return FAILURE_BREAKER_OPEN;
    if (!spending_allows(provider, 0)) return FAILURE_BUDGET;
    return has_room(provider) ? FAILURE_NONE : FAILURE_RATE_LIMIT;
}

static void command_breakers(struct provider *provider, enum breaker_command command) {
    for (size_t i = 0; i < provider->member_count; i++)
        command_breakers(provider->members[i], command);
    health_command(provider, command);
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
        command_breakers(provider, commands[i].command);
        return true;
    }
    return false;
}

struct fault_rules *provider_faults(struct provider *provider) {
    if (!provider->faults) provider->faults = calloc(1, sizeof(*provider->faults));
    return provider->faults;
}

static const char *route_state_name(const struct provider *route) {
    bool all_well = true;
    bool any_well = false;
    for (size_t i = 0; i < route->member_count; i++) {
        bool is_well = strcmp(provider_state_name(route->members[i]), "ok") == 0;
        all_well &= is_well;
        any_well |= is_well;
    }
    if (all_well) return "ok";
    return any_well || provider_admits(route) == FAILURE_NONE ? "degraded" : "down";
}

const char *provider_state_name(const struct provider *provider) {
    int64_t now_ns = engine_now_ns(provider->engine);
    if (provider->key_problem) return "no_key";
    if (provider->members) return route_state_name(provider);
    if (!breaker_admits(provider)) return "down";
    if (pacer_hold_left_ns(&provider->pacer, now_ns) > 0) return "rate_limited";
    if (!spending_allows(provider, 0)) return "rate_limited"; // by the user's own limit
    if (alerts_is_raised(&provider->alerts, ALERT_KEY_REFUSED)) return "degraded"; // for all models
    const struct model_state *model = provider_model_state(provider);
    if (!model) return "ok";
    bool is_closed = breaker_state_at(&model->breaker, now_ns) == BREAKER_CLOSED;
    return is_closed && breaker_failures(&model->breaker, now_ns) == 0 ? "ok" : "degraded";
}

void provider_note_error(struct provider *provider, const struct request *request,
                         const struct failure *failure) {
    if (!provider->last_error) provider->last_error = calloc(1, sizeof(*provider->last_error));
    if (!provider->last_error) return; // the request's own error file still tells
    provider->last_error->failure = *failure;
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
    if (model.length == 0 && !provider->members) return "a model needs a name";
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
    const char *problem =
        set_settings(provider, provider_model(provider), provider_system(provider), options, shown);
    json_decref(options);
    return problem;
}

// ---- requests ----

struct request *provider_newest_request(const struct provider *provider) {
    return records_before(&provider->records, UINT64_MAX);
}

struct request *provider_request_before(const struct provider *provider, uint64_t serial) {
    return records_before(&provider->records, serial);
}

struct request *provider_request(const struct provider *provider, uint64_t serial) {
    return records_find(&provider->records, serial);
}

// An id ends with its serial.
struct request *provider_find_request(const struct provider *provider, const char *id) {
    const char *digits = strrchr(id, '-');
    if (!digits) return NULL;
    struct request *request = records_find(&provider->records, strtoull(digits + 1, NULL, 10));
    return request && strcmp(request->id, id) == 0 ? request : NULL;
}

size_t provider_request_count(const struct provider *provider) {
    return provider->records.count;
}

struct slice provider_last_prompt(const struct provider *provider) {
    return provider->last_sent ? request_prompt(provider->last_sent) : (struct slice){ 0 };
}

bool provider_add_request(struct provider *provider, struct request *request) {
    if (!records_reserve(&provider->records)) return false;
    records_add(&provider->records, request);
    request_release(provider->last_sent);
    provider->last_sent = request_keep(request);
    return true;
}

void provider_note_ended(struct provider *provider, struct request *request) {
    records_note_ended(&provider->records, request, (size_t)provider->config->requests_kept);
}
