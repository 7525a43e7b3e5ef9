/*
 * A configuration comes into force, the first one or a later one: directories are added, changed
 * where they stand, and taken away. All that needs memory is done before anything is changed.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"

/* What becomes of one directory. */
struct change {
    struct provider *provider;
    bool is_new;
    struct endpoint *endpoint; /* what it gets; NULL: a new one has it already */
    struct settings *settings; /* the same */
    struct provider **members; /* of a route */
    size_t member_count;
};

struct changes {
    struct engine *engine;
    struct change *all;
    size_t count;
};

// Whoever runs with another wire goes on under its old configuration; the name gets a new
// directory.
static struct provider *find_same(const struct engine *engine,
                                  const struct provider_config *config) {
    struct provider *same = NULL;
    for (size_t i = 0; i < engine->provider_count; i++) {
        struct provider *provider = engine->providers[i];
        bool fits = strcmp(provider->config->name, config->name) == 0 &&
                    provider->config->type == config->type &&
                    provider->config->wire == config->wire;
        if (fits && (!same || same->is_removed)) same = provider;
    }
    return same;
}

static const char *newer_text(const char *before, const char *after, const char *in_use) {
    return strcmp(before, after) == 0 ? in_use : after;
}

// What was written to a file of the directory stays, unless the configuration says something new.
static struct settings *combine_settings(const struct provider *provider,
                                         const struct provider_config *after) {
    const struct provider_config *before = provider->config;
    struct settings *in_use = provider->settings;
    bool same_options =
        before->options == after->options ||
        (before->options && after->options && json_equal(before->options, after->options));
    struct settings *fresh = settings_of_config(after);
    if (!fresh) return NULL;
    struct settings *combined =
        settings_create(slice_of(newer_text(before->model, after->model, in_use->model)),
                        slice_of(newer_text(before->system, after->system, in_use->system)),
                        same_options ? in_use->options : fresh->options,
                        slice_of(same_options ? in_use->options_text : fresh->options_text));
    settings_release(fresh);
    return combined;
}

static bool prepare(struct changes *changes, const struct provider_setup *setup) {
    struct endpoint *endpoint = endpoint_create(setup);
    if (!endpoint) return false;
    struct change *change = &changes->all[changes->count++];
    struct provider *same = find_same(changes->engine, setup->config);
    if (same) {
        *change = (struct change){ .provider = same, .endpoint = endpoint };
        change->settings = combine_settings(same, setup->config);
        return change->settings != NULL;
    }
    *change = (struct change){ .is_new = true };
    change->provider = provider_create(changes->engine, endpoint);
    return change->provider != NULL;
}

// ---- routes ----

static const struct provider_config *config_after(const struct change *change) {
    return change->endpoint ? change->endpoint->setup.config : change->provider->config;
}

static const struct change *find_change(const struct changes *changes, const char *name) {
    for (size_t i = 0; i < changes->count; i++)
        if (strcmp(config_after(&changes->all[i])->name, name) == 0) return &changes->all[i];
    return NULL;
}

static bool is_member(const struct change *route, const struct provider *provider) {
    for (size_t i = 0; i < route->member_count; i++)
        if (route->members[i] == provider) return true;
    return false;
}

// Routes within routes stand for their providers; the configuration has no circles.
static bool add_members(const struct changes *changes, struct change *route,
                        const struct provider_config *config) {
    for (size_t i = 0; config->route[i]; i++) {
        const struct change *member = find_change(changes, config->route[i]);
        if (config_is_route(config_after(member))) {
            if (!add_members(changes, route, config_after(member))) return false;
            continue;
        }
        if (is_member(route, member->provider)) continue;
        struct provider **grown =
            realloc(route->members, (route->member_count + 1) * sizeof(struct provider *));
        if (!grown) return false;
        route->members = grown;
        route->members[route->member_count++] = member->provider;
    }
    return true;
}

static bool prepare_routes(struct changes *changes) {
    for (size_t i = 0; i < changes->count; i++) {
        struct change *change = &changes->all[i];
        if (config_is_route(config_after(change)) &&
            !add_members(changes, change, config_after(change)))
            return false;
    }
    return true;
}

// A route lacks a key when all of its providers do.
static void note_route_key(struct provider *route) {
    route->key_problem = "none of the providers of this route has its key: see the status of each";
    for (size_t i = 0; i < route->member_count; i++)
        if (!route->members[i]->key_problem) route->key_problem = NULL;
}

// ---- into force ----

static bool reserve(struct engine *engine, struct changes *changes, size_t count) {
    size_t most = engine->provider_count + count;
    struct provider **providers = realloc(engine->providers, most * sizeof(struct provider *));
    if (providers) engine->providers = providers;
    changes->all = calloc(count, sizeof(*changes->all));
    return providers && changes->all;
}

static void apply(struct engine *engine, struct change *change) {
    struct provider *provider = change->provider;
    if (change->is_new)
        engine->providers[engine->provider_count++] = provider;
    else
        provider_change(provider, change->endpoint, change->settings);
    provider->is_removed = false;
    if (!change->members) return;
    free(provider->members);
    provider->members = change->members;
    provider->member_count = change->member_count;
}

static void undo(struct change *change) {
    free(change->members);
    settings_release(change->settings);
    endpoint_release(change->endpoint);
    if (change->is_new && change->provider) provider_destroy(change->provider);
}

bool engine_configure(struct engine *engine, const struct provider_setup *setups, size_t count) {
    struct changes changes = { .engine = engine };
    bool ready = reserve(engine, &changes, count);
    for (size_t i = 0; i < count; i++) {
        if (ready)
            ready = prepare(&changes, &setups[i]);
        else if (setups[i].release)
            setups[i].release(setups[i].owner);
    }
    ready = ready && prepare_routes(&changes);
    for (size_t i = 0; ready && i < engine->provider_count; i++)
        engine->providers[i]->is_removed = true;
    for (size_t i = 0; i < changes.count; i++) {
        if (ready)
            apply(engine, &changes.all[i]);
        else
            undo(&changes.all[i]);
    }
    free(changes.all);
    for (size_t i = 0; ready && i < engine->provider_count; i++) {
        struct provider *provider = engine->providers[i];
        if (provider->members) note_route_key(provider);
        queue_release(provider); // more may be in flight than before
    }
    return ready;
}
