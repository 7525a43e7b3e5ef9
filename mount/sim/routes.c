#include "mount/sim/routes.h"

#include <stdio.h>
#include <string.h>

#include "core/base/time.h"
#include "mount/sim/control.h"
#include "mount/sim/models.h"
#include "mount/sim/reply.h"
#include "mount/sim/server.h"
#include "mount/sim/stream.h"
#include "mount/sim/wire.h"

static const struct wire *const wires[] = { &wire_chat, &wire_responses, &wire_messages };
enum { WIRES = sizeof(wires) / sizeof(*wires) };

// The request, as far as every endpoint looks at it.
struct call {
    struct connection *connection;
    struct server *server;
    const struct request *request;
    const struct wire *wire;
    struct slice path; // without /v1
    struct slice id;   // of a stored response, when the path has one
};

// ---- faults ----

static void note_fault(struct call *call, enum fault_kind kind) {
    struct record *record =
        records_get(&call->server->records, connection_exchange(call->connection)->record);
    if (record && kind != FAULT_NONE) record->fault = fault_kind_name(kind);
}

static struct fault draw_fault(struct call *call, const char *model, bool by_path_only) {
    struct fault_subject subject = { model, call->request->target.data, by_path_only };
    struct fault fault = fault_rules_draw(&call->server->faults, &subject, &call->server->random);
    note_fault(call, fault.kind);
    connection_split(call->connection, (size_t)fault.segment_bytes);
    return fault;
}

static void write_retry_after(char *headers, size_t size, int64_t retry_after_ns) {
    if (retry_after_ns < 0)
        headers[0] = '\0';
    else if (retry_after_ns % TIME_S)
        snprintf(headers, size, "retry-after-ms: %lld\r\nRetry-After: %lld\r\n",
                 (long long)((retry_after_ns + TIME_MS - 1) / TIME_MS),
                 (long long)(retry_after_ns / TIME_S + 1));
    else
        snprintf(headers, size, "Retry-After: %lld\r\n", (long long)(retry_after_ns / TIME_S));
}

static void reply_fault(struct call *call, const struct fault *fault) {
    char headers[128];
    struct problem problem;
    int status = fault->status ? fault->status : call->wire->overloaded_status;
    write_retry_after(headers, sizeof(headers), fault->retry_after_ns);
    if (fault->kind == FAULT_RATE_LIMIT)
        problem_set(&problem, status, "rate_limit_exceeded", "Rate limit reached for requests.");
    else if (fault->kind == FAULT_OVERLOADED)
        problem_set(&problem, status, "server_is_overloaded", "Overloaded");
    else
        problem_set(&problem, status, NULL, "The server had an error (fault server status=%d).",
                    status);
    reply_problem(call->connection, &problem, headers);
}

// The faults that leave nothing to be answered. True: it was one.
static bool is_faulted(struct call *call, const struct fault *fault) {
    switch (fault->kind) {
    case FAULT_RATE_LIMIT:
    case FAULT_SERVER:
    case FAULT_OVERLOADED:
        reply_fault(call, fault);
        return true;
    case FAULT_REFUSE:
    case FAULT_RESET:
        reply_note_end(call->connection, false);
        connection_reset(call->connection);
        return true;
    case FAULT_TIMEOUT:
        stream_silence(call->connection, fault->wait_ns);
        return true;
    default:
        return false;
    }
}

// ---- asking ----

static const char *new_id(struct server *server, char id[ANSWER_ID_SIZE]) {
    snprintf(id, ANSWER_ID_SIZE, "sim%016llx", (unsigned long long)++server->ids);
    return id;
}

static void answer_question(struct call *call, const struct question *question,
                            const struct fault *fault) {
    struct server *server = call->server;
    char id[ANSWER_ID_SIZE];
    struct problem problem = { .status = 500, .text = "askfs-sim has no memory for this" };
    struct answer *answer = answer_create(question, new_id(server, id), server_now_ns(server),
                                          &server->scratch, &problem);
    if (!answer) {
        reply_problem(call->connection, &problem, "");
        return;
    }
    if (fault->pace_ns >= 0) answer->pace_ns = fault->pace_ns;
    if (answer->is_background) stored_add(&server->stored, answer);
    if (answer->is_background && !answer->is_stream) { // it goes on by itself, and is asked for
        out_clear(&server->batch);
        wire_responses_write_object(answer, "queued", false, &server->batch, &server->scratch);
        reply_whole(call->connection, 200, "application/json", "",
                    bytes_slice(&server->batch.bytes));
        answer->is_stream = true;
    } else {
        stream_start(call->connection, answer, answer_begin(answer), fault);
    }
    answer_release(answer);
}

static void ask(struct call *call) {
    struct question question;
    struct problem problem;
    const char *options = request_header(call->request, "x-sim");
    struct slice body = bytes_slice(&call->request->body);
    bool understood = question_read(&question, call->wire, body, options, &problem);
    uint64_t record = connection_exchange(call->connection)->record;
    const char *model = understood ? question.model : "";
    if (understood)
        records_explain(&call->server->records, record, model, question.stream, question.turn_count,
                        question_prompt(&question, question.turn_count));
    struct fault fault = draw_fault(call, model, false);
    if (!is_faulted(call, &fault)) {
        if (understood)
            answer_question(call, &question, &fault);
        else
            reply_problem(call->connection, &problem, "");
    }
    question_finish(&question);
}

// ---- stored responses ----

// The answer with the id, unless a fault or a reply came instead. A stream of it is an answer like
// any other, so faults are meant for that too.
static struct answer *find_stored(struct call *call, bool stream, struct fault *fault_out) {
    struct answer *answer = stored_find(&call->server->stored, call->id);
    *fault_out = draw_fault(call, answer ? answer->model : "", !stream);
    if (is_faulted(call, fault_out)) return NULL;
    if (answer) return answer;
    struct problem problem;
    problem_set(&problem, 404, NULL, "Response with id '%.*s' not found.",
                (int)(call->id.length < 80 ? call->id.length : 80), call->id.data);
    reply_problem(call->connection, &problem, "");
    return NULL;
}

static void reply_stored(struct call *call, const struct answer *answer) {
    struct server *server = call->server;
    const char *status = stored_status(answer, server_now_ns(server));
    bool ended = strcmp(status, wire_responses_final_status(answer)) == 0;
    out_clear(&server->batch);
    wire_responses_write_object(answer, status, ended, &server->batch, &server->scratch);
    reply_whole(call->connection, 200, "application/json", "", bytes_slice(&server->batch.bytes));
}

static void get_stored(struct call *call) {
    bool stream = request_query_is(call->request, "stream=true");
    int64_t after = request_query_number(call->request, "starting_after", -1);
    struct fault fault;
    struct answer *answer = find_stored(call, stream, &fault);
    if (!answer) return;
    if (stream)
        stream_start(call->connection, answer, answer_at(answer, after < 0 ? 0 : after + 1),
                     &fault);
    else
        reply_stored(call, answer);
}

static void cancel_stored(struct call *call) {
    struct fault fault;
    struct answer *answer = find_stored(call, false, &fault);
    if (!answer) return;
    stored_cancel(answer, server_now_ns(call->server));
    reply_stored(call, answer);
}

// ---- the rest ----

static void list_models(struct call *call) {
    struct server *server = call->server;
    struct fault fault = draw_fault(call, "", true);
    if (is_faulted(call, &fault)) return;
    out_clear(&server->batch);
    if (call->wire == &wire_messages)
        models_write_anthropic(&server->batch);
    else
        models_write_openai(&server->batch);
    reply_whole(call->connection, 200, "application/json", "", bytes_slice(&server->batch.bytes));
}

static void tell_health(struct call *call) {
    struct fault fault = draw_fault(call, "", true);
    if (is_faulted(call, &fault)) return;
    reply_whole(call->connection, 200, "application/json", "", slice_of("{\"status\":\"ok\"}\n"));
}

static const struct route {
    const char *method;
    const char *path; // '*' stands for an id
    void (*handle)(struct call *call);
} routes[] = {
    { "POST", "/chat/completions", ask },
    { "POST", "/responses", ask },
    { "POST", "/messages", ask },
    { "GET", "/responses/*", get_stored },
    { "POST", "/responses/*/cancel", cancel_stored },
    { "GET", "/models", list_models },
    { "GET", "/health", tell_health },
};

// ---- finding the way ----

static bool matches(struct slice path, const char *pattern, struct slice *id_out) {
    const char *star = strchr(pattern, '*');
    if (!star) return slice_equals(path, pattern);
    size_t before = (size_t)(star - pattern);
    size_t behind = strlen(star + 1);
    if (path.length <= before + behind || memcmp(path.data, pattern, before) != 0) return false;
    struct slice id = { path.data + before, path.length - before - behind };
    if (memchr(id.data, '/', id.length)) return false;
    if (behind && memcmp(path.data + path.length - behind, star + 1, behind) != 0) return false;
    *id_out = id;
    return true;
}

static const struct wire *wire_of(const struct call *call) {
    for (int i = 0; i < WIRES; i++)
        if (slice_starts_with(call->path, wires[i]->path)) return wires[i];
    return request_header(call->request, "anthropic-version") ? &wire_messages : &wire_chat;
}

static struct slice without_version(struct slice path) {
    if (!slice_starts_with(path, "/v1/")) return path;
    return (struct slice){ path.data + 3, path.length - 3 };
}

static void refuse(struct call *call, bool path_is_known) {
    struct problem problem;
    int length = (int)(call->path.length < 200 ? call->path.length : 200);
    int status = call->request->problem_status;
    if (status == 413)
        problem_set(&problem, 413, NULL, "The request is larger than %d bytes.", REQUEST_BODY_MAX);
    else if (status)
        problem_set(&problem, status, NULL, "This is not an HTTP request that can be read.");
    else if (path_is_known)
        problem_set(&problem, 405, NULL, "Not allowed to %s on %.*s", call->request->method, length,
                    call->path.data);
    else
        problem_set(&problem, 404, NULL, "Invalid URL (%s %.*s)", call->request->method, length,
                    call->path.data);
    reply_problem(call->connection, &problem, "");
}

static void begin_exchange(struct call *call) {
    struct exchange *exchange = connection_exchange(call->connection);
    call->wire = wire_of(call);
    exchange->wire = call->wire;
    exchange->record = UINT64_MAX; // none
    call->server->stats.requests++;
    snprintf(exchange->request_id, sizeof(exchange->request_id), "req_sim%012llx",
             (unsigned long long)++call->server->ids);
}

void routes_handle(struct connection *connection) {
    struct call call = { .connection = connection,
                         .server = connection_server(connection),
                         .request = connection_request(connection) };
    call.path = without_version(request_path(call.request));
    begin_exchange(&call);
    connection_split(connection, 0);
    if (slice_starts_with(call.path, "/sim/") && !call.request->problem_status) {
        control_handle(connection);
        return;
    }
    connection_exchange(connection)->record = records_add(&call.server->records, call.request);
    bool path_is_known = false;
    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        if (call.request->problem_status || !matches(call.path, routes[i].path, &call.id)) continue;
        path_is_known = true;
        if (strcmp(call.request->method, routes[i].method) != 0) continue;
        routes[i].handle(&call);
        return;
    }
    refuse(&call, path_is_known);
}
