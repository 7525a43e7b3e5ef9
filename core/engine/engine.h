/*
 * engine: every provider of the mount and every request, from prompt to last byte. Knows no FUSE,
 * no HTTP library and no clock of its own: transport, timers, clock and random numbers are given.
 *
 * Whoever drives the loop calls timers_run, then engine_flush once a turn.
 */
#ifndef ASKFS_CORE_ENGINE_ENGINE_H
#define ASKFS_CORE_ENGINE_ENGINE_H

#include <sys/types.h>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/base/timers.h"
#include "core/config/config.h"
#include "core/engine/spill.h"
#include "core/engine/transport.h"

struct engine;
struct events;
struct provider;
struct request;

struct engine_parts {
    struct clock *clock;         /* borrowed; kept up to date by the loop */
    struct timers *timers;       /* borrowed */
    struct transport *transport; /* borrowed */
    uint64_t random_seed;
    struct spill *spill; /* borrowed; NULL: answers are kept in memory */
    size_t memory_max;   /* for the text of all answers; 0: the default of store_pool.h */
};

struct engine *engine_create(const struct engine_parts *parts);
/* Cancels every request, upstream too, and tells every watcher. What providers must be told may
 * still be on its way: engine_says_farewell. */
void engine_stop(struct engine *engine);
bool engine_says_farewell(const struct engine *engine);
/* engine_stop without waiting for anything, then frees all; accepts NULL. */
void engine_destroy(struct engine *engine);

/* Adds a directory. config is borrowed for the engine's life; secret_header is the header line with
 * the key, or NULL; key_problem says why there is none where one is needed, else NULL (both
 * borrowed). base_url overrides the configuration's when not NULL (the simulator's address). */
struct provider *engine_add_provider(struct engine *engine, const struct provider_config *config,
                                     const char *secret_header, const char *key_problem,
                                     const char *base_url);

/* After the last provider was added: routes find theirs. False: no memory. */
bool engine_link_routes(struct engine *engine);

size_t engine_provider_count(const struct engine *engine);
struct provider *engine_provider(const struct engine *engine, size_t index);
struct provider *engine_find_provider(const struct engine *engine, const char *name);

/* What happens, and what of it needs somebody: the texts of the files events and alerts. */
struct events *engine_events(struct engine *engine);
struct events *engine_alerts(struct engine *engine);

/* Tells the watchers of every request, and of events and alerts, that changed since the last call.
 */
void engine_flush(struct engine *engine);
/* Called when something changed that engine_flush will tell; the loop uses it to come back. */
bool engine_has_news(const struct engine *engine);

#endif
