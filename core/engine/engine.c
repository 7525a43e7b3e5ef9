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
    farewells_end(engine);
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

struct provider *engine_add_provider(struct engine *engine, const struct provider_config *config,
                                     const char *secret_header, const char *key_problem,
                                     const char *base_url) {
    size_t count = engine->provider_count + 1;
    struct provider **providers = realloc(engine->providers, count * sizeof(struct provider *));
    if (!providers) return NULL;
    engine->providers = providers;
    struct provider *provider = provider_create(engine, config, base_url);
    if (!provider) return NULL;
    provider->secret_header = secret_header;
    provider->key_problem = key_problem;
    engine->providers[engine->provider_count++] = provider;
    return provider;
}

bool engine_link_routes(struct engine *engine) {
    for (size_t i = 0; i < engine->provider_count; i++)
        if (!provider_link(engine->providers[i])) return false;
    return true;
}

size_t engine_provider_count(const struct engine *engine) {
    return engine->provider_count;
}

struct provider *engine_provider(const struct engine *engine, size_t index) {
    return index < engine->provider_count ? engine->providers[index] : NULL;
}

struct provider *engine_find_provider(const struct engine *engine, const char *name) {
    for (size_t i = 0; i < engine->provider_count; i++)
        if (strcmp(provider_name(engine->providers[i]), name) == 0) return engine->providers[i];
    return NULL;
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

bool engine_has_news(const struct engine *engine) {
    return engine->news != NULL;
}
