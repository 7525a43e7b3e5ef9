#include "mount/sim/control.h"

#include <string.h>

#include "mount/sim/reply.h"
#include "mount/sim/server.h"

static const char as_text[] = "text/plain; charset=utf-8";
static const char as_json[] = "application/json";

static void reply_text(struct connection *connection, int status, const char *type,
                       struct out *out) {
    if (!out->good) status = 500;
    reply_whole(connection, status, type, "", out->good ? bytes_slice(&out->bytes) : slice_of(""));
}

static void show_faults(struct connection *connection, struct server *server, struct out *out) {
    out->good = fault_rules_print(&server->faults, &out->bytes);
    reply_text(connection, 200, as_text, out);
}

static void add_faults(struct connection *connection, struct server *server, struct out *out) {
    char problem[FAULT_PROBLEM_SIZE];
    struct slice text = bytes_slice(&connection_request(connection)->body);
    if (fault_rules_parse(&server->faults, text, problem)) {
        show_faults(connection, server, out);
        return;
    }
    out_printf(out, "%s\n", problem);
    reply_text(connection, 400, as_text, out);
}

static void clear_faults(struct connection *connection, struct server *server, struct out *out) {
    fault_rules_clear(&server->faults);
    reply_text(connection, 200, as_text, out);
}

static void show_requests(struct connection *connection, struct server *server, struct out *out) {
    records_write(&server->records, out);
    reply_text(connection, 200, as_json, out);
}

static void clear_requests(struct connection *connection, struct server *server, struct out *out) {
    records_clear(&server->records);
    reply_text(connection, 200, as_json, out);
}

static void show_stats(struct connection *connection, struct server *server, struct out *out) {
    const struct {
        const char *name;
        uint64_t value;
    } facts[] = {
        { "connections_open", server->stats.connections_open },
        { "connections_total", server->stats.connections_total },
        { "requests", server->stats.requests },
        { "streams_active", server->stats.streams_active },
        { "streams_total", server->stats.streams_total },
        { "bytes_out", server->stats.bytes_out },
    };
    for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
        out_printf(out, "%s\"%s\":%llu", i ? "," : "{", facts[i].name,
                   (unsigned long long)facts[i].value);
    out_text(out, "}\n");
    reply_text(connection, 200, as_json, out);
}

static const struct {
    const char *method;
    const char *path;
    void (*handle)(struct connection *connection, struct server *server, struct out *out);
} endpoints[] = {
    { "GET", "/sim/faults", show_faults },         { "POST", "/sim/faults", add_faults },
    { "DELETE", "/sim/faults", clear_faults },     { "GET", "/sim/requests", show_requests },
    { "DELETE", "/sim/requests", clear_requests }, { "GET", "/sim/stats", show_stats },
};

void control_handle(struct connection *connection) {
    struct server *server = connection_server(connection);
    const struct request *request = connection_request(connection);
    struct slice path = request_path(request);
    bool path_is_known = false;
    out_clear(&server->batch);
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
        if (!slice_equals(path, endpoints[i].path)) continue;
        path_is_known = true;
        if (strcmp(request->method, endpoints[i].method) != 0) continue;
        endpoints[i].handle(connection, server, &server->batch);
        return;
    }
    out_text(&server->batch, "known: faults (GET, POST, DELETE), requests (GET, DELETE), stats "
                             "(GET), each under /sim/\n");
    reply_text(connection, path_is_known ? 405 : 404, as_text, &server->batch);
}
