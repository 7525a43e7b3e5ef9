/*
 * engine: every provider of the mount and every request, from prompt to last byte. Knows no FUSE,
 * no HTTP library and no clock of its own: transport, timers, clock and random numbers are given.
 *
 * Whoever drives the loop calls timers_run, and engine_flush before it sleeps or more often.
 */
#ifndef ASKFS_CORE_ENGINE_ENGINE_H
#define ASKFS_CORE_ENGINE_ENGINE_H

#include <sys/types.h>

#include "core/base/time.h"
#include "core/base/timers.h"
#include "core/config/config.h"
#include "core/store/spill.h"
#include "core/transport/transport.h"

struct engine;
struct events;
struct provider;
struct request;

struct engine_parts {
    struct clock *clock;         /* borrowed; kept up to date by the loop */
    struct timers *timers;       /* borrowed */
    struct transport *transport; /* borrowed */
    uint64_t random_seed;
    struct spill *spill;  /* borrowed; NULL: answers are kept in memory */
    size_t memory_max;    /* for the text of all answers; 0: the default of store_pool.h */
    size_t in_flight_max; /* prompts at all providers at the same time; 0: no limit */
};

struct engine *engine_create(const struct engine_parts *parts);
/* Cancels every request, upstream too, and tells every watcher. What providers must be told may
 * still be on its way: engine_is_cancelling. */
void engine_stop(struct engine *engine);
bool engine_is_cancelling(const struct engine *engine);
/* engine_stop without waiting for anything, then frees all; accepts NULL. */
void engine_destroy(struct engine *engine);

/* What a directory is made of. All is borrowed until release(owner) is called, once: at the latest
 * by engine_destroy, and not while a transfer still needs it. */
struct provider_setup {
    const struct provider_config *config;
    const char *secret_header;    /* the header line with the key; NULL: none */
    const char *key_problem;      /* why there is no key where one is needed; NULL: all is well */
    const char *base_url;         /* in place of the configuration's (the simulator's); or NULL */
    void (*release)(void *owner); /* may be NULL */
    void *owner;
};

/* From now on these directories are there, in this order where they are new. One that was there
 * before, with the same type and wire, stays the same and keeps its requests and its health; one
 * that is not among them is removed: what runs there goes on as it was. False: no memory; nothing
 * has changed. */
bool engine_configure(struct engine *engine, const struct provider_setup *setups, size_t count);

/* Of every directory that ever was, those that were removed included: see provider_is_removed. An
 * index stays with its directory. */
size_t engine_provider_count(const struct engine *engine);
struct provider *engine_provider(const struct engine *engine, size_t index);
size_t engine_shown_count(const struct engine *engine); /* without those that were removed */
/* The first one from *index on that was not removed; *index is then behind it. NULL: none. */
struct provider *engine_next_shown(const struct engine *engine, size_t *index);

/* For the text of all answers, from now on; 0: the default of store_pool.h. */
void engine_set_memory_max(struct engine *engine, size_t memory_max);

/* What happens, and what of it needs somebody: the texts of the files events and alerts. */
struct events *engine_events(struct engine *engine);
struct events *engine_alerts(struct engine *engine);

/* Tells the watchers of every request, and of events and alerts, that changed since the last call.
 */
void engine_flush(struct engine *engine);

#endif
