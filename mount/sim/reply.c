#include "mount/sim/reply.h"

#include <stdio.h>

#include "mount/sim/server.h"
#include "mount/sim/wire.h"

enum { HEAD_BYTES_MAX = 4096, PIECE_ROOM = 16 };

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 413, "Payload Too Large" },
    { 422, "Unprocessable Entity" },
    { 429, "Too Many Requests" },
    { 500, "Internal Server Error" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 529, "Overloaded" },
};

static const char *reason_of(int status) {
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (reasons[i].status == status) return reasons[i].reason;
    return "Error";
}

static struct record *record_of(struct connection *connection) {
    return records_get(&connection_server(connection)->records,
                       connection_exchange(connection)->record);
}

void reply_note_end(struct connection *connection, bool completed) {
    struct record *record = record_of(connection);
    if (record && record->state == RECORD_OPEN)
        record->state = completed ? RECORD_COMPLETED : RECORD_ABORTED;
}

// ---- heads ----

static void write_head(struct connection *connection, int status, const char *type,
                       const char *headers, struct out *out) {
    const struct exchange *exchange = connection_exchange(connection);
    struct record *record = record_of(connection);
    if (record) record->status = status;
    out_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%s: %s\r\n%s", status, reason_of(status),
               type, exchange->wire->request_id_header, exchange->request_id, headers);
}

static void send_whole(struct connection *connection, int status, const char *type,
                       const char *headers, struct slice body, size_t part) {
    struct out head;
    out_init(&head, HEAD_BYTES_MAX);
    write_head(connection, status, type, headers, &head);
    out_printf(&head, "Content-Length: %zu\r\n", body.length);
    if (!connection_keeps_alive(connection)) out_text(&head, "Connection: close\r\n");
    out_text(&head, "\r\n");
    if (connection_exchange(connection)->is_head) part = 0;
    body.length = part;
    if (part <= HEAD_BYTES_MAX / 2) out_slice(&head, body); // one write for both
    connection_send(connection, bytes_slice(&head.bytes));
    if (part > HEAD_BYTES_MAX / 2) connection_send(connection, body);
    out_finish(&head);
}

void reply_whole(struct connection *connection, int status, const char *type, const char *headers,
                 struct slice body) {
    send_whole(connection, status, type, headers, body, body.length);
    reply_note_end(connection, true);
    connection_finish(connection);
}

void reply_part(struct connection *connection, const char *type, struct slice body, size_t part) {
    send_whole(connection, 200, type, "", body, part);
}

void reply_problem(struct connection *connection, const struct problem *problem,
                   const char *headers) {
    const struct exchange *exchange = connection_exchange(connection);
    struct out body;
    out_init(&body, 16 << 10);
    exchange->wire->write_problem(problem, exchange->request_id, &body);
    reply_whole(connection, problem->status, "application/json", headers, bytes_slice(&body.bytes));
    out_finish(&body);
}

// ---- streams ----

void reply_begin_stream(struct connection *connection) {
    struct exchange *exchange = connection_exchange(connection);
    struct out head;
    out_init(&head, HEAD_BYTES_MAX);
    write_head(connection, 200, "text/event-stream; charset=utf-8", "Cache-Control: no-cache\r\n",
               &head);
    if (exchange->is_chunked) out_text(&head, "Transfer-Encoding: chunked\r\n");
    if (!connection_keeps_alive(connection)) out_text(&head, "Connection: close\r\n");
    out_text(&head, "\r\n");
    connection_send(connection, bytes_slice(&head.bytes));
    out_finish(&head);
}

void reply_begin_piece(struct out *batch) {
    static const char room[PIECE_ROOM] = { 0 };
    out_clear(batch);
    out_slice(batch, (struct slice){ room, sizeof(room) });
}

bool reply_has_piece(const struct out *batch) {
    return batch->good && batch->bytes.length > PIECE_ROOM;
}

// The length is written to the end of the room before the piece, so that one write does for all.
void reply_send_piece(struct connection *connection, struct out *batch) {
    size_t length = batch->bytes.length - PIECE_ROOM;
    if (!connection_exchange(connection)->is_chunked) {
        connection_send(connection, (struct slice){ batch->bytes.data + PIECE_ROOM, length });
        return;
    }
    char size[PIECE_ROOM + 1];
    int digits = snprintf(size, sizeof(size), "%zx\r\n", length);
    size_t from = PIECE_ROOM - (size_t)digits;
    memcpy(batch->bytes.data + from, size, (size_t)digits);
    out_text(batch, "\r\n");
    connection_send(connection,
                    (struct slice){ batch->bytes.data + from, batch->bytes.length - from });
}

void reply_end_stream(struct connection *connection) {
    bool is_chunked = connection_exchange(connection)->is_chunked;
    if (is_chunked) connection_send(connection, slice_of("0\r\n\r\n"));
    if (is_chunked)
        connection_finish(connection);
    else
        connection_hang_up(connection);
}
