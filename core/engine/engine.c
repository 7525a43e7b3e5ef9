#include "core/engine/engine.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"

enum { GAIN_BYTES_MAX = 256 << 20 };

int64_t engine_now_ns(const struct engine *engine) {
    return engine->parts.clock->now_ns;
}

int64_t engine_wall_ns(const struct engine *engine) {
    return engine->parts.clock->wall_ns;
}

struct engine *engine_create(const struct engine_parts *parts) {
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine) return NULL;
    engine->parts = *parts;
    engine->random.state = parts->random_seed;
    engine->started_wall_ns = parts->clock->wall_ns;
    store_pool_init(&engine->stores, parts->spill, parts->memory_max);
    bytes_init(&engine->gain.text, GAIN_BYTES_MAX);
    bytes_init(&engine->gain.reasoning, GAIN_BYTES_MAX);
    bytes_init(&engine->joined, GAIN_BYTES_MAX);
    // Without memory for them lines are lost, and nothing else.
    engine->events = events_create(EVENTS_LINES_KEPT, EVENTS_BYTES_KEPT);
    engine->alerts = events_create(EVENTS_LINES_KEPT, EVENTS_BYTES_KEPT);
    return engine;
}

void engine_stop(struct engine *engine) {
    for (size_t i = 0; i < engine->provider_count; i++)
        provider_cancel_all(engine->providers[i]);
    engine_flush(engine);
}

void engine_destroy(struct engine *engine) {
    if (!engine) return;
    engine_stop(engine);
    upstream_cancels_end(engine);
    // A route's requests hold on to what belongs to its providers.
    for (size_t i = 0; i < engine->provider_count; i++)
        provider_forget_requests(engine->providers[i]);
    for (size_t i = 0; i < engine->provider_count; i++)
        provider_destroy(engine->providers[i]);
    free(engine->providers);
    bytes_finish(&engine->gain.text);
    bytes_finish(&engine->gain.reasoning);
    bytes_finish(&engine->joined);
    events_destroy(engine->events);
    events_destroy(engine->alerts);
    store_pool_finish(&engine->stores);
    free(engine);
}

size_t engine_provider_count(const struct engine *engine) {
    return engine->provider_count;
}

struct provider *engine_provider(const struct engine *engine, size_t index) {
    return index < engine->provider_count ? engine->providers[index] : NULL;
}

struct provider *engine_next_shown(const struct engine *engine, size_t *index) {
    while (*index < engine->provider_count) {
        struct provider *provider = engine->providers[(*index)++];
        if (!provider->is_removed) return provider;
    }
    return NULL;
}

size_t engine_shown_count(const struct engine *engine) {
    size_t count = 0;
    for (size_t i = 0; engine_next_shown(engine, &i);)
        count++;
    return count;
}

void engine_set_memory_max(struct engine *engine, size_t memory_max) {
    engine->stores.memory_max = memory_max ? memory_max : STORE_MEMORY_DEFAULT;
}

void engine_flush(struct engine *engine) {
    while (engine->news) {
        struct request *request = engine->news;
        engine->news = request->news_next;
        request->in_news = false;
        request_tell_watchers(request);
        request_release(request);
    }
    events_flush(engine->events);
    events_flush(engine->alerts);
}

struct events *engine_events(struct engine *engine) {
    return engine->events;
}

struct events *engine_alerts(struct engine *engine) {
    return engine->alerts;
}
