#include "core/engine/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/config/secret.h"
#include "core/policy/failure_hide.h"

enum { URL_BYTES_MAX = 4096 };

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

// The last word of "Authorization: Bearer KEY" and "x-api-key: KEY".
static struct slice key_in(const char *line) {
    const char *colon = strchr(line, ':');
    struct slice key = slice_trim(slice_of(colon ? colon + 1 : ""));
    const char *blank = key.length ? memrchr(key.data, ' ', key.length) : NULL;
    if (!blank) return key;
    return (struct slice){ blank + 1, key.length - (size_t)(blank + 1 - key.data) };
}

static bool is_secret(const char *line) {
    return secret_header((struct slice){ line, strcspn(line, ":") });
}

static bool find_keys(struct endpoint *endpoint) {
    const char *own = endpoint->setup.secret_header;
    size_t lines = count_lines(endpoint->headers);
    endpoint->keys = calloc(lines + 1, sizeof(*endpoint->keys));
    if (!endpoint->keys) return false;
    if (own) endpoint->keys[endpoint->key_count++] = key_in(own);
    for (size_t i = 0; i < lines; i++)
        if (is_secret(endpoint->headers[i]))
            endpoint->keys[endpoint->key_count++] = key_in(endpoint->headers[i]);
    return true;
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
    if (make_addresses(endpoint) && find_keys(endpoint)) return endpoint;
    endpoint_release(endpoint);
    return NULL;
}

struct endpoint *endpoint_keep(struct endpoint *endpoint) {
    endpoint->references++;
    return endpoint;
}

char *endpoint_response_url(const struct endpoint *endpoint,
                            bool (*write_path)(const struct decoder_facts *facts,
                                               struct bytes *out),
                            const struct decoder_facts *facts) {
    struct bytes url;
    bytes_init(&url, URL_BYTES_MAX);
    if (bytes_append_text(&url, endpoint->base_url) && write_path(facts, &url))
        return bytes_take(&url);
    bytes_finish(&url);
    return NULL;
}

void endpoint_hide_in_text(const struct endpoint *endpoint, char *text) {
    for (size_t i = 0; i < endpoint->key_count; i++)
        failure_hide_text(text, endpoint->keys[i]);
}

void endpoint_hide_in_failure(const struct endpoint *endpoint, struct failure *failure) {
    for (size_t i = 0; i < endpoint->key_count; i++)
        failure_hide_secret(failure, endpoint->keys[i]);
}

void endpoint_release(struct endpoint *endpoint) {
    if (!endpoint || --endpoint->references) return;
    free(endpoint->keys);
    free(endpoint->headers);
    free(endpoint->url);
    free(endpoint->base_url);
    if (endpoint->setup.release) endpoint->setup.release(endpoint->setup.owner);
    free(endpoint);
}
