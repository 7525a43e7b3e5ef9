/* Who waits for a provider: the pacer says how many may ask, and how soon. */
#include "core/engine/state.h"

void queue_join(struct request *request, bool again) {
    struct provider *provider = request->leg->target;
    struct queue *queue = &provider->queue;
    request->in_queue = true;
    request->asks_again = again;
    request->queue_next = NULL;
    request->queue_previous = queue->last[again];
    if (queue->last[again])
        queue->last[again]->queue_next = request;
    else
        queue->first[again] = request;
    queue->last[again] = request;
    queue->count++;
}

void queue_leave(struct request *request) {
    struct queue *queue = &request->leg->target->queue;
    bool again = request->asks_again;
    if (request->queue_previous)
        request->queue_previous->queue_next = request->queue_next;
    else
        queue->first[again] = request->queue_next;
    if (request->queue_next)
        request->queue_next->queue_previous = request->queue_previous;
    else
        queue->last[again] = request->queue_previous;
    request->queue_next = request->queue_previous = NULL;
    request->in_queue = false;
    queue->count--;
}

static bool is_full(const struct engine *engine) {
    return engine->parts.in_flight_max && engine->in_flight >= engine->parts.in_flight_max;
}

bool queue_has_room(const struct provider *provider) {
    return provider->in_flight < (size_t)provider->config->max_in_flight &&
           !is_full(provider->engine);
}

void queue_enter_flight(struct provider *provider) {
    provider->in_flight++;
    provider->engine->in_flight++;
}

void queue_leave_flight(struct provider *provider) {
    struct engine *engine = provider->engine;
    bool was_full = is_full(engine);
    provider->in_flight--;
    engine->in_flight--;
    for (size_t i = 0; was_full && i < engine->provider_count; i++)
        if (engine->providers[i]->queue.count)
            timer_arm(engine->parts.timers, &engine->providers[i]->release_timer,
                      engine_now_ns(engine));
}

static struct request *first_of(const struct queue *queue) {
    return queue->first[1] ? queue->first[1] : queue->first[0];
}

void queue_release(struct provider *provider) {
    if (provider->releasing) return; // a refused request ends at once, and calls this again
    provider->releasing = true;
    int64_t now_ns = engine_now_ns(provider->engine);
    struct request *request;
    while ((request = first_of(&provider->queue)) && queue_has_room(provider)) {
        int64_t at_ns = pacer_next_ns(&provider->pacer, now_ns);
        if (at_ns > now_ns) {
            if (at_ns != TIME_NEVER)
                timer_arm(provider->engine->parts.timers, &provider->release_timer, at_ns);
            break;
        }
        queue_leave(request);
        admission_go_on(request);
    }
    provider->releasing = false;
}

void queue_release_timer(void *owner) {
    queue_release(owner);
}

void queue_disperse(struct provider *provider) {
    for (int again = 0; again < 2; again++) {
        struct request *next;
        for (struct request *each = provider->queue.first[again]; each; each = next) {
            next = each->queue_next;
            admission_wait_is_longer(each);
        }
    }
}
