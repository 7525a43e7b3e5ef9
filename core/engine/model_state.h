/*
 * model_state: what is known of one model at one provider: its breaker, and what it refused. Kept
 * for the models that were asked last.
 */
#ifndef ASKFS_CORE_ENGINE_MODEL_STATE_H
#define ASKFS_CORE_ENGINE_MODEL_STATE_H

#include <stddef.h>

#include "core/policy/breaker.h"

struct model_state {
    char *model;
    struct breaker breaker;
    const char *breaker_cause; /* why it opened last; NULL: never did */
    bool refuses_prefill;      /* learnt from its replies */
    bool refuses_background;
    size_t references; /* requests that use it now */
    int64_t used_ns;
};

struct model_states {
    const struct breaker_policy *policy; /* borrowed */
    struct model_state **states;
    size_t count;
    bool commanded; /* breakers made from now on get this command first */
    enum breaker_command command;
};

enum { MODEL_STATES_KEPT = 64 };

void model_states_init(struct model_states *states, const struct breaker_policy *policy);
void model_states_set_policy(struct model_states *states, const struct breaker_policy *policy);
void model_states_finish(struct model_states *states); /* accepts zeroed storage */

/* The state of a model, made when it is asked for first. NULL: no memory. Valid until others are
 * asked for, or while it has references. */
struct model_state *model_states_get(struct model_states *states, const char *model,
                                     int64_t now_ns);
/* The same without making one; NULL: nothing is known of this model. */
const struct model_state *model_states_find(const struct model_states *states, const char *model);

/* For every model, those to come included. */
void model_states_command(struct model_states *states, enum breaker_command command,
                          int64_t now_ns);

#endif
