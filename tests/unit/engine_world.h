/*
 * engine_world: an engine with nothing real around it: time passes when the test says so, and what
 * it sends is answered by the test.
 */
#ifndef ASKFS_TESTS_UNIT_ENGINE_WORLD_H
#define ASKFS_TESTS_UNIT_ENGINE_WORLD_H

#include <stdlib.h>

#include "core/engine/provider.h"
#include "tests/unit/fake_spill.h"
#include "tests/unit/script_transport.h"

struct world {
    struct clock clock;
    struct timers timers;
    struct script_transport script;
    struct fake_spill disk;
    struct config *config;
    struct engine *engine;
};

static inline const char *world_no_environment(void *owner, const char *name) {
    (void)owner;
    (void)name;
    return NULL;
}

static inline void world_make_directories(struct engine *engine, const struct config *config) {
    struct provider_setup *setups = calloc(config->provider_count, sizeof(*setups));
    assert_non_null(setups);
    for (size_t i = 0; i < config->provider_count; i++)
        setups[i].config = &config->providers[i];
    assert_true(engine_configure(engine, setups, config->provider_count));
    free(setups);
}

/* config: the text of a configuration. memory_max: what is beyond goes to the disk; 0: there is no
 * disk. */
static inline struct world *world_of(const char *config, size_t memory_max) {
    struct world *world = calloc(1, sizeof(*world));
    struct config_error error = { "" };
    world->clock.now_ns = 1000 * TIME_S;
    world->clock.wall_ns = INT64_C(1795529403) * TIME_S;
    timers_init(&world->timers);
    script_transport_init(&world->script);
    fake_spill_init(&world->disk);
    world->config = config_parse(slice_of(config), "test.json", world_no_environment, NULL, &error);
    if (!world->config) fail_msg("%s", error.text);
    struct engine_parts parts = { .clock = &world->clock,
                                  .timers = &world->timers,
                                  .transport = &world->script.transport,
                                  .random_seed = 1,
                                  .spill = memory_max ? &world->disk.spill : NULL,
                                  .memory_max = memory_max };
    world->engine = engine_create(&parts);
    world_make_directories(world->engine, world->config);
    return world;
}

static inline void world_end(struct world *world) {
    engine_destroy(world->engine);
    assert_int_equal(world->disk.count, 0);
    config_destroy(world->config);
    timers_finish(&world->timers);
    script_transport_finish(&world->script);
    free(world);
}

/* Asks the directory that stands there in the configuration. */
static inline struct request *world_ask(struct world *world, size_t provider, const char *text) {
    struct bytes prompt;
    bytes_init(&prompt, 1 << 20);
    bytes_append_text(&prompt, text);
    struct request *request = request_submit(engine_provider(world->engine, provider), &prompt);
    bytes_finish(&prompt);
    assert_non_null(request);
    return request;
}

/* A stream of the chat wire: its head, and its end. */
static inline void world_stream_begins(struct world *world) {
    script_connect(&world->script);
    script_reply(&world->script, 200, "content-type: text/event-stream\n");
}
static inline void world_stream_stops(struct world *world) {
    script_body(&world->script,
                "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                "data: [DONE]\n\n");
}

#endif
