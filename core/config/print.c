#include <string.h>

#include "core/config/config.h"

enum { CELL_SIZE = 512 };

static void write_key_source(char cell[CELL_SIZE], const struct key_config *key) {
    switch (key->source) {
    case KEY_NONE:
        snprintf(cell, CELL_SIZE, "no key");
        break;
    case KEY_ENV:
        snprintf(cell, CELL_SIZE, "key from environment variable %s", key->name);
        break;
    case KEY_FILE:
        snprintf(cell, CELL_SIZE, "key from file %s", key->name);
        break;
    case KEY_COMMAND:
        snprintf(cell, CELL_SIZE, "key from command %s", key->command[0]);
        break;
    case KEY_CREDENTIAL:
        snprintf(cell, CELL_SIZE, "key from credential %s", key->name);
        break;
    }
}

static void write_route(char cell[CELL_SIZE], char *const *route) {
    size_t length = (size_t)snprintf(cell, CELL_SIZE, "asks");
    for (size_t i = 0; route[i] && length < CELL_SIZE; i++)
        length +=
            (size_t)snprintf(cell + length, CELL_SIZE - length, "%s %s", i ? "," : "", route[i]);
}

static int widest(const struct config *config,
                  const char *(*text)(const struct provider_config *)) {
    size_t width = 1;
    for (size_t i = 0; i < config->provider_count; i++) {
        size_t length = strlen(text(&config->providers[i]));
        if (length > width) width = length;
    }
    return (int)width;
}

static const char *name_of(const struct provider_config *provider) {
    return provider->name;
}

static const char *type_of(const struct provider_config *provider) {
    return provider->type->name;
}

static const char *model_of(const struct provider_config *provider) {
    return provider->model[0] ? provider->model : "-";
}

static const char *endpoint_of(const struct provider_config *provider) {
    if (config_is_route(provider)) return "-";
    return provider->base_url ? provider->base_url : "(started with the mount)";
}

void config_print(const struct config *config, FILE *out) {
    int name_width = widest(config, name_of);
    int type_width = widest(config, type_of);
    int model_width = widest(config, model_of);
    int endpoint_width = widest(config, endpoint_of);
    fprintf(out, "configuration: %s\n", config->file ? config->file : "none; built-in defaults");
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct provider_config *provider = &config->providers[i];
        char last[CELL_SIZE];
        if (config_is_route(provider))
            write_route(last, provider->route);
        else
            write_key_source(last, &provider->key);
        fprintf(out, "%-*s  %-*s  %-*s  %-*s  %s\n", name_width, name_of(provider), type_width,
                type_of(provider), model_width, model_of(provider), endpoint_width,
                endpoint_of(provider), last);
    }
}
