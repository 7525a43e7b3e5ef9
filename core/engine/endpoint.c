#include "core/engine/endpoint.h"

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

static bool make_addresses(struct endpoint *endpoint) {
    const struct provider_config *config = endpoint->setup.config;
    const char *base_url = endpoint->setup.base_url ? endpoint->setup.base_url : config->base_url;
    endpoint->base_url = strdup(config_is_route(config) ? "" : base_url);
    if (!endpoint->base_url || config_is_route(config)) return endpoint->base_url != NULL;
    endpoint->url = join(endpoint->base_url, config->wire->path);
    endpoint->headers = constant_headers(config);
    return endpoint->url && endpoint->headers;
}

struct endpoint *endpoint_create(const struct provider_setup *setup) {
    struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
    if (!endpoint) {
        if (setup->release) setup->release(setup->owner);
        return NULL;
    }
    endpoint->references = 1;
    endpoint->setup = *setup;
    if (make_addresses(endpoint)) return endpoint;
    endpoint_release(endpoint);
    return NULL;
}

struct endpoint *endpoint_keep(struct endpoint *endpoint) {
    endpoint->references++;
    return endpoint;
}

struct slice endpoint_key(const struct endpoint *endpoint) {
    static const char scheme[] = "Bearer ";
    const char *header = endpoint->setup.secret_header;
    const char *colon = header ? strchr(header, ':') : NULL;
    if (!colon) return (struct slice){ 0 };
    struct slice key = slice_trim(slice_of(colon + 1));
    if (!slice_starts_with(key, scheme)) return key;
    return (struct slice){ key.data + strlen(scheme), key.length - strlen(scheme) };
}

void endpoint_release(struct endpoint *endpoint) {
    if (!endpoint || --endpoint->references) return;
    free(endpoint->headers);
    free(endpoint->url);
    free(endpoint->base_url);
    if (endpoint->setup.release) endpoint->setup.release(endpoint->setup.owner);
    free(endpoint);
}
