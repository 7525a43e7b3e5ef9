/* A configuration's directories in an engine, without keys. */
#include <stdlib.h>

#include "core/engine/engine.h"

static inline void make_directories(struct engine *engine, const struct config *config) {
    struct provider_setup *setups = calloc(config->provider_count, sizeof(*setups));
    assert_non_null(setups);
    for (size_t i = 0; i < config->provider_count; i++)
        setups[i].config = &config->providers[i];
    assert_true(engine_configure(engine, setups, config->provider_count));
    free(setups);
}
