#include "core/engine/model_state.h"

#include <stdlib.h>
#include <string.h>

void model_states_init(struct model_states *states, const struct breaker_policy *policy) {
    *states = (struct model_states){ .policy = policy };
}

void model_states_set_policy(struct model_states *states, const struct breaker_policy *policy) {
    states->policy = policy;
    for (size_t i = 0; i < states->count; i++)
        breaker_set_policy(&states->states[i]->breaker, policy);
}

static void destroy(struct model_state *state) {
    free(state->model);
    free(state);
}

void model_states_finish(struct model_states *states) {
    for (size_t i = 0; i < states->count; i++)
        destroy(states->states[i]);
    free(states->states);
    *states = (struct model_states){ 0 };
}

const struct model_state *model_states_find(const struct model_states *states, const char *model) {
    for (size_t i = 0; i < states->count; i++)
        if (strcmp(states->states[i]->model, model) == 0) return states->states[i];
    return NULL;
}

// A closed breaker that nobody uses and that was idle longest has the least to tell.
static void forget_one(struct model_states *states) {
    size_t oldest = states->count;
    for (size_t i = 0; i < states->count; i++) {
        const struct model_state *state = states->states[i];
        if (state->references || state->breaker.state != BREAKER_CLOSED) continue;
        if (oldest == states->count || state->used_ns < states->states[oldest]->used_ns) oldest = i;
    }
    if (oldest == states->count) return;
    destroy(states->states[oldest]);
    states->states[oldest] = states->states[--states->count];
}

static struct model_state *create(const struct model_states *states, const char *model,
                                  int64_t now_ns) {
    struct model_state *state = calloc(1, sizeof(*state));
    if (!state) return NULL;
    state->model = strdup(model);
    if (!state->model) {
        free(state);
        return NULL;
    }
    breaker_init(&state->breaker, states->policy);
    if (!states->commanded) return state;
    breaker_command(&state->breaker, states->command, now_ns);
    if (states->command == BREAKER_FORCE_OPEN) state->breaker_cause = "command";
    return state;
}

struct model_state *model_states_get(struct model_states *states, const char *model,
                                     int64_t now_ns) {
    struct model_state *known = (struct model_state *)model_states_find(states, model);
    if (known) {
        known->used_ns = now_ns;
        return known;
    }
    if (states->count >= MODEL_STATES_KEPT) forget_one(states);
    struct model_state **grown =
        realloc(states->states, (states->count + 1) * sizeof(struct model_state *));
    if (!grown) return NULL;
    states->states = grown;
    struct model_state *state = create(states, model, now_ns);
    if (!state) return NULL;
    state->used_ns = now_ns;
    return states->states[states->count++] = state;
}

void model_states_command(struct model_states *states, enum breaker_command command,
                          int64_t now_ns) {
    states->commanded = command == BREAKER_FORCE_OPEN || command == BREAKER_FORCE_CLOSE;
    states->command = command;
    for (size_t i = 0; i < states->count; i++) {
        breaker_command(&states->states[i]->breaker, command, now_ns);
        if (command == BREAKER_FORCE_OPEN) states->states[i]->breaker_cause = "command";
    }
}
