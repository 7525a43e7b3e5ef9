/* What breakers say is passed on, and an open one is looked after by a probe that costs nothing. */
#include "core/engine/state.h"

static bool is_open(const struct model_state *model) {
    return model->breaker.state == BREAKER_OPEN && !model->breaker.forced;
}

static bool any_open(const struct provider *provider) {
    for (size_t i = 0; i < provider->models.count; i++)
        if (is_open(provider->models.states[i])) return true;
    return false;
}

// A quarter of the configured recovery: the list of models is free at every provider.
static void arm_probe(struct provider *provider) {
    int64_t wait_ns = provider->config->breaker.recovery_timeout_ns / 4;
    timer_arm(provider->engine->parts.timers, &provider->probe_timer,
              time_after(engine_now_ns(provider->engine), wait_ns > TIME_MS ? wait_ns : TIME_MS));
}

void health_note_breaker(struct provider *provider, struct model_state *model,
                         enum breaker_state from, const char *cause) {
    enum breaker_state now = model->breaker.state;
    if (now == from) return;
    provider->stats.breaker_transitions[now]++;
    if (now == BREAKER_OPEN) model->breaker_cause = cause ? cause : "";
    tell_breaker(provider, model, from, cause);
    if (now != BREAKER_OPEN) return;
    if (is_open(model) && !timer_is_armed(&provider->probe_timer)) arm_probe(provider);
}

void health_probe_timer(void *owner) {
    struct provider *provider = owner;
    if (!any_open(provider)) return;
    arm_probe(provider);
    if (provider->probe && !request_has_ended(provider->probe)) return;
    request_release(provider->probe);
    provider->probe = listing_probe(provider);
}

void health_note_answer(struct provider *provider) {
    int64_t now_ns = engine_now_ns(provider->engine);
    for (size_t i = 0; i < provider->models.count; i++) {
        struct model_state *model = provider->models.states[i];
        enum breaker_state before = model->breaker.state;
        if (is_open(model)) breaker_hint_recovered(&model->breaker, now_ns);
        health_note_breaker(provider, model, before, "probe");
    }
}

void health_command(struct provider *provider, enum breaker_command command) {
    int64_t now_ns = engine_now_ns(provider->engine);
    enum breaker_state before[MODEL_STATES_KEPT * 2];
    // Also before the first request there is a breaker whose change can be told.
    if (!provider->members) model_states_get(&provider->models, provider->settings->model, now_ns);
    size_t count = provider->models.count;
    for (size_t i = 0; i < count && i < sizeof(before) / sizeof(*before); i++)
        before[i] = provider->models.states[i]->breaker.state;
    model_states_command(&provider->models, command, now_ns);
    for (size_t i = 0; i < count && i < sizeof(before) / sizeof(*before); i++)
        health_note_breaker(provider, provider->models.states[i], before[i], "command");
    queue_release(provider);
}
