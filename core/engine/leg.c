/* A request at one provider: its permit of the breaker, and what is said when it leaves. */
#include <stdlib.h>

#include "core/engine/state.h"
#include "core/policy/route.h"

static bool leg_init(struct request *request, struct leg *leg, struct provider *target) {
    leg->target = target;
    leg->spent.deadline_ns = request->deadline_ns;
    leg->is_closed = target->key_problem != NULL;
    leg->settings = target == request->provider
                        ? settings_keep(request->settings)
                        : settings_combine(request->settings, target->settings);
    return leg->settings != NULL;
}

bool legs_create(struct request *request) {
    struct provider *provider = request->provider;
    size_t count = provider->members ? provider->member_count : 1;
    request->legs = calloc(count ? count : 1, sizeof(*request->legs));
    if (!request->legs) return false;
    for (size_t i = 0; i < count; i++) {
        struct provider *target = provider->members ? provider->members[i] : provider;
        if (!leg_init(request, &request->legs[i], target)) return false;
        request->leg_count++;
    }
    return true;
}

void legs_destroy(struct request *request) {
    for (size_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->legs[i];
        if (leg->model) leg->model->references--;
        settings_release(leg->settings);
        free(leg->failure);
    }
    free(request->legs);
    request->legs = request->leg = NULL;
    request->leg_count = 0;
}

static bool has_model(struct leg *leg, int64_t now_ns) {
    if (leg->model) return true;
    leg->model = model_states_get(&leg->target->models, leg->settings->model, now_ns);
    if (leg->model) leg->model->references++;
    return leg->model != NULL;
}

bool leg_is_admitted(struct request *request, struct leg *leg) {
    struct engine *engine = request->provider->engine;
    int64_t now_ns = engine_now_ns(engine);
    if (!has_model(leg, now_ns)) return true; // no memory for a breaker: go on without
    struct breaker *breaker = &leg->model->breaker;
    if (leg->has_permit && leg->permit.generation == breaker->generation) return true;
    enum breaker_state before = breaker->state;
    struct breaker_permit permit;
    if (!breaker_allows(breaker, now_ns, &permit)) return false;
    if (leg->has_permit)
        breaker_note(breaker, leg->permit, BREAKER_NEUTRAL, now_ns, &engine->random);
    leg->permit = permit;
    leg->has_permit = true;
    health_note_breaker(leg->target, leg->model, before, NULL);
    if (leg->is_active) return true;
    leg->is_active = true;
    if (leg->target != request->provider) {
        leg->target->active++;
        leg->target->stats.requests_total++;
    }
    return true;
}

// ---- what it could do ----

const struct retry_policy *leg_retry_policy(const struct leg *leg) {
    return &leg->target->config->retry;
}

const struct timeouts *leg_timeouts(const struct leg *leg) {
    return &leg->target->config->timeouts;
}

bool leg_has_room(const struct leg *leg) {
    const struct provider *target = leg->target;
    return target->queue.count < (size_t)target->config->max_queued || queue_has_room(target);
}

bool leg_would_be_admitted(const struct leg *leg, int64_t now_ns) {
    const struct model_state *model =
        leg->model ? leg->model : model_states_find(&leg->target->models, leg->settings->model);
    if (!model) return true;
    if (leg->has_permit && leg->permit.generation == model->breaker.generation) return true;
    return breaker_would_allow(&model->breaker, now_ns);
}

bool leg_has_window(const struct request *request, const struct leg *leg) {
    int64_t window = leg->target->config->context_window;
    return window == 0 || window > request->window_outgrown;
}

bool leg_is_paused_past_deadline(const struct request *request, const struct leg *leg) {
    int64_t now_ns = engine_now_ns(leg->target->engine);
    int64_t pause_ns = pacer_pause_left_ns(&leg->target->pacer, now_ns);
    return pause_ns > 0 && time_after(now_ns, pause_ns) >= request->deadline_ns;
}

bool leg_has_budget(const struct request *request, const struct leg *leg, int64_t delay_ns) {
    bool is_free = request_is_delivered(request) && method_at(request, leg) == RECOVERY_CURSOR;
    return request->is_listing || is_free || spending_allows(leg->target, delay_ns);
}

// ---- the end ----

static void give_permit_back(struct leg *leg, const struct failure *failure, bool is_neutral) {
    struct engine *engine = leg->target->engine;
    int64_t now_ns = engine_now_ns(engine);
    enum breaker_outcome outcome = BREAKER_SUCCESS;
    if (failure) outcome = failure->http_status ? BREAKER_ANSWERED : BREAKER_NEUTRAL;
    if (failure && failure->counts_for_breaker) outcome = BREAKER_FAILURE;
    if (is_neutral) outcome = BREAKER_NEUTRAL;
    if (!leg->has_permit) return;
    leg->has_permit = false;
    enum breaker_state before = leg->model->breaker.state;
    bool is_late = leg->permit.generation != leg->model->breaker.generation;
    breaker_note(&leg->model->breaker, leg->permit, outcome, now_ns, &engine->random);
    if (failure && failure->retry_after_ns > 0 && !is_late)
        breaker_hold_until(&leg->model->breaker, time_after(now_ns, failure->retry_after_ns));
    health_note_breaker(leg->target, leg->model, before,
                        failure ? failure_class_name(failure->class) : NULL);
}

static void count_end(struct request *request, struct leg *leg, const struct failure *failure,
                      bool is_neutral) {
    struct provider *target = leg->target;
    struct stats *stats = &target->stats;
    int64_t now_ns = engine_now_ns(target->engine);
    if (!failure) retry_budget_note_success(&target->retry_budget, now_ns);
    if (target == request->provider || !leg->is_active) return;
    target->active--;
    if (!failure)
        stats->requests_ok++;
    else if (is_neutral)
        stats->requests_cancelled++;
    else
        stats->requests_failed++;
    if (failure && !is_neutral) {
        stats->failed_by_class[failure->class]++;
        provider_note_error(target, request, failure);
    }
    if (!is_neutral) error_rate_note(&stats->error_rate, failure != NULL, now_ns);
}

void leg_leave(struct request *request, struct leg *leg, const struct failure *failure,
               bool is_neutral) {
    give_permit_back(leg, failure, is_neutral);
    count_end(request, leg, failure, is_neutral);
    leg->is_active = false;
}

void leg_note_failure(struct request *request, struct leg *leg, const struct failure *failure) {
    if (!leg->failure) leg->failure = malloc(sizeof(*failure));
    if (leg->failure) *leg->failure = *failure;
    leg->spent.once_used += failure->retry_once;
    leg->is_silent |= route_is_silence(failure);
}
