/* A response in the background goes on without a connection, and costs: it is told to stop. */
#include <stdlib.h>

#include "core/engine/state.h"

/* The cancel of one response, on its way. Nobody waits for its reply. */
struct upstream_cancel {
    struct engine *engine;
    struct upstream_cancel *next, *previous;
    struct transfer *transfer;
    struct endpoint *endpoint; /* with a reference */
    char *url;
};

static void end(struct upstream_cancel *cancel) {
    struct engine *engine = cancel->engine;
    if (cancel->previous)
        cancel->previous->next = cancel->next;
    else
        engine->upstream_cancels = cancel->next;
    if (cancel->next) cancel->next->previous = cancel->previous;
    endpoint_release(cancel->endpoint);
    free(cancel->url);
    free(cancel);
}

static void on_connected(void *owner) {
    (void)owner;
}

static void on_headers(void *owner, int status, const struct header *headers, size_t count) {
    (void)owner;
    (void)status;
    (void)headers;
    (void)count;
}

static void on_body(void *owner, struct slice bytes) {
    (void)owner;
    (void)bytes;
}

static void on_done(void *owner, const struct transfer_result *result) {
    (void)result;
    end(owner);
}

static void start(struct provider *provider, char *url) {
    static const struct transfer_events events = {
        .connected = on_connected, .headers = on_headers, .body = on_body, .done = on_done
    };
    struct engine *engine = provider->engine;
    struct upstream_cancel *cancel = calloc(1, sizeof(*cancel));
    if (!cancel) {
        free(url);
        return;
    }
    struct endpoint *endpoint = endpoint_keep(provider->endpoint);
    *cancel = (struct upstream_cancel){
        .engine = engine, .next = engine->upstream_cancels, .endpoint = endpoint, .url = url
    };
    if (engine->upstream_cancels) engine->upstream_cancels->previous = cancel;
    engine->upstream_cancels = cancel;
    struct transfer_request transfer = { .url = url,
                                         .body = slice_of("{}"),
                                         .headers = endpoint->headers,
                                         .secret_header = endpoint->setup.secret_header,
                                         .ca_file = provider->config->ca_file };
    cancel->transfer =
        engine->parts.transport->start(engine->parts.transport, &transfer, &events, cancel);
    if (!cancel->transfer) end(cancel);
}

void upstream_cancel_send(struct request *request) {
    const struct attempt *attempt = attempt_newest(request);
    if (!request->in_background || !request->decoder || !attempt) return;
    struct provider *provider = attempt->target;
    const struct decoder_facts *facts = decoder_facts(request->decoder);
    request->in_background = false;
    if (!facts->response_id[0]) return;
    char *url =
        endpoint_response_url(provider->endpoint, provider->config->wire->write_cancel_path, facts);
    if (url) start(provider, url);
}

bool engine_is_cancelling(const struct engine *engine) {
    return engine->upstream_cancels != NULL;
}

void upstream_cancels_end(struct engine *engine) {
    while (engine->upstream_cancels) {
        struct upstream_cancel *cancel = engine->upstream_cancels;
        engine->parts.transport->cancel(engine->parts.transport, cancel->transfer);
        end(cancel);
    }
}
