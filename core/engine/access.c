#include "core/engine/access.h"

#include <stdlib.h>
#include <string.h>

static char *join(const char *a, const char *b) {
    size_t length = strlen(a);
    char *joined = malloc(length + strlen(b) + 1);
    if (!joined) return NULL;
    memcpy(joined, a, length);
    memcpy(joined + length, b, strlen(b) + 1);
    return joined;
}

static size_t count_lines(const char *const *lines) {
    size_t count = 0;
    while (lines && lines[count])
        count++;
    return count;
}

// What every request to this provider says, put together once. Borrowed texts.
static const char **constant_headers(const struct provider_config *config) {
    static const char *const always[] = { "Content-Type: application/json",
                                          "Accept: text/event-stream, application/json",
                                          "User-Agent: askfs" };
    size_t own = sizeof(always) / sizeof(*always);
    size_t of_type = count_lines(config->type->headers);
    size_t of_config = count_lines((const char *const *)config->headers);
    const char **headers = calloc(own + of_type + of_config + 1, sizeof(*headers));
    if (!headers) return NULL;
    size_t count = 0;
    for (size_t i = 0; i < own; i++)
        headers[count++] = always[i];
    for (size_t i = 0; i < of_type; i++)
        headers[count++] = config->type->headers[i];
    for (size_t i = 0; i < of_config; i++)
        headers[count++] = config->headers[i];
    return headers;
}

static bool make_addresses(struct access *access) {
    const struct provider_config *config = access->setup.config;
    const char *base_url = access->setup.base_url ? access->setup.base_url : config->base_url;
    access->base_url = strdup(config_is_route(config) ? "" : base_url);
    if (!access->base_url || config_is_route(config)) return access->base_url != NULL;
    access->url = join(access->base_url, config->wire->path);
    access->headers = constant_headers(config);
    return access->url && access->headers;
}

struct access *access_create(const struct provider_setup *setup) {
    struct access *access = calloc(1, sizeof(*access));
    if (!access) {
        if (setup->release) setup->release(setup->owner);
        return NULL;
    }
    access->references = 1;
    access->setup = *setup;
    if (make_addresses(access)) return access;
    access_release(access);
    return NULL;
}

struct access *access_keep(struct access *access) {
    access->references++;
    return access;
}

void access_release(struct access *access) {
    if (!access || --access->references) return;
    free(access->headers);
    free(access->url);
    free(access->base_url);
    if (access->setup.release) access->setup.release(access->setup.owner);
    free(access);
}
