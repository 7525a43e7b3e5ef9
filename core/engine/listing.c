/* The models a provider offers: a request whose answer is a list, asked for once and kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"

enum { PAGES_MAX = 50, LIST_BYTES_MAX = 8 << 20 };
static const int64_t kept_ns = 10 * 60 * TIME_S;

static char *page_url(const struct provider *provider, const char *query) {
    struct bytes url;
    bytes_init(&url, 16 << 10);
    bool made =
        bytes_printf(&url, "%s%s%s%s", provider->endpoint->base_url,
                     provider->config->wire->models_path, query ? "?" : "", query ? query : "");
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

static struct request *start_listing(struct provider *provider) {
    struct request *listing = request_create(provider);
    if (!listing) return NULL;
    listing->is_listing = true;
    listing->url = page_url(provider, NULL);
    if (!listing->url) {
        request_release(listing);
        return NULL;
    }
    request_begin(listing);
    return listing;
}

// What a route offers is known without asking.
static struct request *list_members(struct provider *route) {
    struct request *listing = request_create(route);
    if (!listing) return NULL;
    listing->is_listing = true;
    for (size_t i = 0; i < route->member_count; i++) {
        struct slice model = provider_model(route->members[i]);
        if (store_append(&listing->response, model))
            store_append(&listing->response, slice_of("\n"));
    }
    request_keep(listing); // request_end's
    request_end(listing, REQUEST_DONE, NULL);
    return listing;
}

struct request *provider_list_models(struct provider *provider) {
    if (is_usable(provider)) return request_keep(provider->listing);
    struct request *listing = provider->members ? list_members(provider) : start_listing(provider);
    if (!listing) return NULL;
    request_release(provider->listing);
    provider->listing = request_keep(listing);
    provider->listed_ns = engine_now_ns(provider->engine);
    return listing;
}

struct request *listing_probe(struct provider *provider) {
    return start_listing(provider);
}

struct slice provider_known_models(const struct provider *provider) {
    if (!provider->listing || provider->listing->state != REQUEST_DONE) return (struct slice){ 0 };
    return store_read(&provider->listing->response, 0, LIST_BYTES_MAX);
}

static void ended_badly(struct request *request, struct failure *failure) {
    endpoint_hide_in_failure(request->provider->endpoint, failure);
    attempt_close(request, failure);
    request_end(request, REQUEST_FAILED, failure);
}

// A list in pages goes on at the next one; cut short at a limit that no provider comes near.
static void ask_next_page(struct request *request, char *next) {
    struct failure failure;
    free(request->url);
    request->url = page_url(request->provider, next);
    if (request->url) {
        attempt_start(request);
        return;
    }
    failure_from_us(FAILURE_INTERNAL, "out of memory", &failure);
    request_end(request, REQUEST_FAILED, &failure);
}

void listing_ended(struct request *request) {
    struct provider *provider = request->provider;
    struct slice reply = bytes_slice(&request->reply_body);
    struct bytes list;
    char *next = NULL;
    struct failure failure;
    bytes_init(&list, LIST_BYTES_MAX);
    if (!provider->config->wire->read_models(reply, &list, &next) ||
        !store_append(&request->response, bytes_slice(&list))) {
        bytes_finish(&list);
        failure_from_stream(STREAM_NOT_STREAM, reply, &failure);
        ended_badly(request, &failure);
        return;
    }
    bytes_finish(&list);
    attempt_close(request, NULL);
    health_note_answer(provider);
    if (next && request->attempt_count < PAGES_MAX)
        ask_next_page(request, next);
    else
        request_end(request, REQUEST_DONE, NULL);
    free(next);
}
