#include "mount/setup.h"

#include <stdlib.h>
#include <string.h>

// Whether a key is there is all that the configuration asks of a variable that was wiped since.
const char *setup_environment(void *owner, const char *name) {
    const struct setup *earlier = owner;
    const char *value = getenv(name);
    if (value || !earlier) return value;
    return keys_have_variable(earlier->keys, name) ? "wiped" : NULL;
}

struct setup *setup_load(const char *config_file, const struct setup *earlier,
                         struct config_error *error_out) {
    struct setup *setup = calloc(1, sizeof(*setup));
    if (!setup) {
        snprintf(error_out->text, sizeof(error_out->text), "out of memory");
        return NULL;
    }
    setup->references = 1;
    setup->config = config_load(config_file, setup_environment, (void *)earlier, error_out);
    if (setup->config)
        setup->keys = keys_load(setup->config, earlier ? earlier->keys : NULL, error_out);
    if (setup->keys) return setup;
    setup_release(setup);
    return NULL;
}

static struct setup *keep(struct setup *setup) {
    setup->references++;
    return setup;
}

void setup_release(struct setup *setup) {
    if (!setup || --setup->references) return;
    keys_destroy(setup->keys);
    config_destroy(setup->config);
    free(setup);
}

static void release(void *owner) {
    setup_release(owner);
}

bool setup_needs_simulator(const struct setup *setup) {
    for (size_t i = 0; i < setup->config->provider_count; i++) {
        const struct provider_config *provider = &setup->config->providers[i];
        if (!provider->base_url && !config_is_route(provider)) return true;
    }
    return false;
}

bool setup_apply(struct setup *setup, struct engine *engine, const char *simulator_url) {
    const struct config *config = setup->config;
    struct provider_setup *providers = calloc(config->provider_count + 1, sizeof(*providers));
    if (!providers) return false;
    for (size_t i = 0; i < config->provider_count; i++)
        providers[i] = (struct provider_setup){
            .config = &config->providers[i],
            .secret_header = keys_header(setup->keys, i),
            .key_problem = keys_problem(setup->keys, i),
            .base_url = config->providers[i].base_url ? NULL : simulator_url,
            .release = release,
            .owner = keep(setup),
        };
    bool done = engine_configure(engine, providers, config->provider_count);
    free(providers);
    if (done) engine_set_memory_max(engine, (size_t)config->max_memory);
    return done;
}
