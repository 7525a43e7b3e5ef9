#include "core/config/shown.h"

#include "core/config/root.h"
#include "core/config/schema.h"

static json_t *shown_provider(const struct provider_config *config) {
    bool is_route = config_is_route(config);
    json_t *shown = json_object();
    if (!shown) return NULL;
    for (const struct schema_key *key = schema; key->name; key++) {
        if (!key->kind->show || !(key->owner & (is_route ? FOR_ROUTES : FOR_PROVIDERS))) continue;
        json_t *value = key->kind->show(key, config);
        if (!value) continue;
        json_t *into = key->group[0] ? json_object_get(shown, key->group) : shown;
        if (!into) {
            into = json_object();
            json_object_set_new(shown, key->group, into);
        }
        json_object_set_new(into, key->name, value);
    }
    return shown;
}

json_t *shown_config(const struct config *config) {
    json_t *providers = json_object();
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct provider_config *provider = &config->providers[i];
        if (json_object_set_new(providers, provider->name, shown_provider(provider)) == 0) continue;
        json_decref(providers);
        return NULL;
    }
    json_t *shown = json_object();
    if (shown && root_show(config, shown) && json_object_set(shown, "providers", providers) == 0) {
        json_decref(providers);
        return shown;
    }
    json_decref(providers);
    json_decref(shown);
    return NULL;
}
