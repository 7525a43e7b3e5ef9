/* The models a provider offers: a request whose answer is a list, asked for once and kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"

enum { PAGES_MAX = 50, LIST_BYTES_MAX = 1 << 20 };
static const int64_t kept_ns = 10 * 60 * TIME_S;

static char *page_url(const struct provider *provider, const char *query) {
    struct bytes url;
    bytes_init(&url, 16 << 10);
    bool made = bytes_printf(&url, "%s%s%s%s", provider->base_url,
                             provider->config->wire->models_path, query ? "?" : "",
                             query ? query : "");
    if (made) return bytes_take(&url);
    bytes_finish(&url);
    return NULL;
}

static bool is_usable(const struct provider *provider) {
    const struct request *listing = provider->listing;
    if (!listing) return false;
    if (!request_has_ended(listing)) return true;
    return listing->state == REQUEST_DONE &&
           engine_now_ns(provider->engine) - provider->listed_ns < kept_ns;
}

struct request *provider_list_models(struct provider *provider) {
    if (is_usable(provider)) return request_keep(provider->listing);
    struct request *listing = request_create(provider);
    if (!listing) return NULL;
    listing->is_listing = true;
    listing->url = page_url(provider, NULL);
    if (!listing->url) {
        request_release(listing);
        return NULL;
    }
    request_release(provider->listing);
    provider->listing = request_keep(listing);
    provider->listed_ns = engine_now_ns(provider->engine);
    request_begin(listing);
    return listing;
}

struct slice provider_known_models(const struct provider *provider) {
    if (!provider->listing || provider->listing->state != REQUEST_DONE) return (struct slice){ 0 };
    return store_read(&provider->listing->response, 0, LIST_BYTES_MAX);
}

// Appends the models of the page to the list.
static bool read_page(struct request *request, char **next_out) {
    struct bytes names;
    bytes_init(&names, LIST_BYTES_MAX);
    bool kept = request->provider->config->wire->read_models(bytes_slice(&request->reply_body),
                                                             &names, next_out) &&
                store_append(&request->response, bytes_slice(&names));
    bytes_finish(&names);
    return kept;
}

void listing_ended(struct request *request) {
    struct provider *provider = request->provider;
    char *next = NULL;
    struct failure failure;
    if (!read_page(request, &next)) {
        struct slice said = bytes_slice(&request->reply_body);
        free(next);
        failure_from_stream(STREAM_NOT_STREAM, said, &failure);
        attempt_end_failed(request, &failure);
        request_end(request, REQUEST_FAILED, &failure);
        return;
    }
    struct attempt *attempt = attempt_newest(request);
    attempt->ended_ns = engine_now_ns(provider->engine);
    if (!next || request->attempt_count >= PAGES_MAX) {
        free(next);
        request_end(request, REQUEST_DONE, NULL);
        return;
    }
    free(request->url);
    request->url = page_url(provider, next);
    free(next);
    if (request->url) {
        attempt_start(request);
        return;
    }
    failure_from_us(FAILURE_INTERNAL, "out of memory", &failure);
    request_end(request, REQUEST_FAILED, &failure);
}
