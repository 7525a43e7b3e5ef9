#include "tests/unit/script_transport.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct transfer *start(struct transport *transport, const struct transfer_request *request,
                              const struct transfer_events *events, void *owner) {
    struct script_transport *script = (struct script_transport *)transport;
    assert(script->count < SCRIPT_TRANSFERS_MAX);
    struct transfer *transfer = &script->transfers[script->count++];
    bytes_init(&transfer->body, 64 << 20);
    bytes_append_slice(&transfer->body, request->body);
    snprintf(transfer->url, sizeof(transfer->url), "%s", request->url);
    transfer->is_post = request->body.data != NULL;
    transfer->fresh_connection = request->fresh_connection;
    transfer->events = events;
    transfer->owner = owner;
    return transfer;
}

static void cancel(struct transport *transport, struct transfer *transfer) {
    (void)transport;
    assert(!transfer->over);
    transfer->cancelled = true;
    transfer->over = true;
}

void script_transport_init(struct script_transport *script) {
    memset(script, 0, sizeof(*script));
    script->transport = (struct transport){ .start = start, .cancel = cancel };
}

void script_transport_finish(struct script_transport *script) {
    for (int i = 0; i < script->count; i++)
        bytes_finish(&script->transfers[i].body);
}

struct transfer *script_newest(struct script_transport *script) {
    assert(script->count > 0);
    return &script->transfers[script->count - 1];
}

static struct transfer *alive(struct script_transport *script) {
    struct transfer *transfer = script_newest(script);
    assert(!transfer->over);
    return transfer;
}

void script_connect(struct script_transport *script) {
    struct transfer *transfer = alive(script);
    transfer->events->connected(transfer->owner);
}

/* headers: "name: value\n…" */
void script_reply(struct script_transport *script, int status, const char *headers) {
    struct transfer *transfer = alive(script);
    struct header list[16];
    size_t count = 0;
    for (const char *line = headers; *line; count++) {
        const char *colon = strchr(line, ':');
        const char *end = strchr(line, '\n');
        assert(colon && end && count < 16);
        list[count].name = (struct slice){ line, (size_t)(colon - line) };
        list[count].value = slice_trim((struct slice){ colon + 1, (size_t)(end - colon - 1) });
        line = end + 1;
    }
    transfer->events->headers(transfer->owner, status, list, count);
}

void script_body(struct script_transport *script, const char *bytes) {
    struct transfer *transfer = alive(script);
    transfer->events->body(transfer->owner, slice_of(bytes));
}

void script_end(struct script_transport *script, enum transport_end end) {
    struct transfer *transfer = alive(script);
    struct transfer_result result = { .end = end, .connect_ns = 1000 };
    transfer->over = true;
    transfer->events->done(transfer->owner, &result);
}
