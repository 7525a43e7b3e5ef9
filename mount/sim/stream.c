#include "mount/sim/stream.h"

#include <stdlib.h>

#include "core/base/time.h"
#include "mount/sim/reply.h"
#include "mount/sim/server.h"
#include "mount/sim/wire.h"

enum { BATCH_BYTES = 128 << 10, BACKGROUND_CHECK_MS = 20 };

struct stream {
    struct connection *connection;
    struct server *server;
    struct answer *answer; // NULL: silence
    struct place place;
    struct fault fault;
    int64_t sent;       // deltas on this connection
    int64_t resumes_ns; // after a stall; TIME_NEVER: does not
    struct timer timer;
};

// What the events written so far lead to.
enum next { NEXT_WAIT, NEXT_MORE, NEXT_FINISH, NEXT_END, NEXT_RESET };

// ---- its end ----

static void destroy(struct stream *stream) {
    timer_disarm(&stream->server->timers, &stream->timer);
    timers_release(&stream->server->timers, 1);
    answer_release(stream->answer);
    stream->server->stats.streams_active--;
    free(stream);
}

static void note_chunks(struct stream *stream) {
    struct records *records = &stream->server->records;
    struct record *record = records_get(records, connection_exchange(stream->connection)->record);
    if (record) record->chunks = stream->sent;
}

static void on_gone(void *owner) {
    struct stream *stream = owner;
    note_chunks(stream);
    reply_note_end(stream->connection, false);
    destroy(stream);
}

static void act(struct stream *stream, enum next next) {
    struct connection *connection = stream->connection;
    note_chunks(stream);
    reply_note_end(connection, next == NEXT_FINISH);
    destroy(stream);
    if (next == NEXT_RESET)
        connection_reset(connection);
    else
        reply_end_stream(connection);
}

// ---- events ----

static bool strikes_after_chunks(enum fault_kind kind) {
    return kind == FAULT_DISCONNECT || kind == FAULT_TRUNCATE || kind == FAULT_STALL ||
           kind == FAULT_ERROR;
}

// The chunks are out, and the next event is one of the answer, not of its opening.
static bool strikes(const struct stream *stream) {
    const struct place *place = &stream->place;
    if (stream->fault.kind == FAULT_NO_TERMINAL) return place->phase == PHASE_CLOSE;
    if (!strikes_after_chunks(stream->fault.kind) || stream->sent < stream->fault.chunks)
        return false;
    return stream->sent > 0 || answer_is_delta(place) || place->phase >= PHASE_CLOSE;
}

static struct problem problem_of(enum fault_error error) {
    static const struct {
        int status;
        const char *code;
        const char *text;
    } errors[] = {
        [FAULT_ERROR_OVERLOADED] = { 529, "server_is_overloaded", "Overloaded" },
        [FAULT_ERROR_SERVER] = { 500, "server_error",
                                 "The server had an error while processing your request." },
        [FAULT_ERROR_RATE_LIMIT] = { 429, "rate_limit_exceeded", "Rate limit reached." },
    };
    struct problem problem;
    problem_set(&problem, errors[error].status, errors[error].code, "%s", errors[error].text);
    return problem;
}

static void write_error(struct stream *stream) {
    struct problem problem = problem_of(stream->fault.error);
    stream->answer->wire->write_failure(stream->answer, &stream->place, &problem,
                                        &stream->server->batch);
}

static enum next strike(struct stream *stream) {
    struct fault *fault = &stream->fault;
    switch (fault->kind) {
    case FAULT_DISCONNECT:
        return NEXT_RESET;
    case FAULT_STALL:
        stream->resumes_ns = time_after(server_now_ns(stream->server), fault->wait_ns);
        fault->kind = FAULT_NONE;
        return NEXT_WAIT;
    case FAULT_ERROR:
        write_error(stream);
        return NEXT_END;
    default:
        return NEXT_END;
    }
}

// The event is cut off inside its JSON.
static void spoil(struct out *batch, size_t from) {
    struct bytes *bytes = &batch->bytes;
    bytes->length = from + (bytes->length - from) * 3 / 4;
    out_text(batch, "\n\n");
}

static void write_event(struct stream *stream) {
    struct out *batch = &stream->server->batch;
    size_t from = batch->bytes.length;
    answer_write_event(stream->answer, &stream->place, batch, &stream->server->scratch);
    if (answer_is_delta(&stream->place)) {
        stream->sent++;
        if (stream->fault.kind == FAULT_MALFORMED && stream->sent == stream->fault.chunks)
            spoil(batch, from);
    }
    answer_step(stream->answer, &stream->place);
}

static int64_t due_ns(const struct stream *stream) {
    int64_t due = answer_due_ns(stream->answer, &stream->place);
    return due > stream->resumes_ns ? due : stream->resumes_ns;
}

// Fills the batch with what is due.
static enum next write_events(struct stream *stream, int64_t now_ns) {
    struct out *batch = &stream->server->batch;
    while (batch->bytes.length < BATCH_BYTES && batch->good) {
        if (stream->resumes_ns > now_ns) return NEXT_WAIT;
        if (strikes(stream)) return strike(stream);
        if (answer_is_over(&stream->place)) return NEXT_FINISH;
        int64_t due = due_ns(stream);
        if (due == TIME_NEVER) return NEXT_END; // cancelled
        if (due > now_ns) return NEXT_WAIT;
        write_event(stream);
    }
    return batch->good ? NEXT_MORE : NEXT_RESET;
}

// ---- its turns ----

// When a wait ends. A response in the background may be cancelled meanwhile by another request.
static int64_t wake_ns(const struct stream *stream, int64_t now_ns) {
    if (stream->resumes_ns > now_ns) return stream->resumes_ns;
    int64_t due = due_ns(stream);
    int64_t check = now_ns + BACKGROUND_CHECK_MS * TIME_MS;
    return stream->answer->is_background && check < due ? check : due;
}

static void pump(struct stream *stream) {
    struct server *server = stream->server;
    int64_t now_ns = server_now_ns(server);
    if (connection_is_clogged(stream->connection)) return; // on_drained comes
    reply_begin_piece(&server->batch);
    enum next next = write_events(stream, now_ns);
    if (reply_has_piece(&server->batch)) reply_send_piece(stream->connection, &server->batch);
    if (next > NEXT_MORE) {
        act(stream, next);
        return;
    }
    if (connection_is_clogged(stream->connection)) return;
    int64_t wake = next == NEXT_MORE ? server_next_turn_ns(server) : wake_ns(stream, now_ns);
    if (wake != TIME_NEVER) timer_arm(&server->timers, &stream->timer, wake);
}

static void on_drained(void *owner) {
    struct stream *stream = owner;
    if (stream->answer && stream->answer->is_stream) pump(stream);
}

// ---- answers in one piece ----

// Half of the reply comes, or broken JSON; then what the fault says.
static void send_spoiled(struct stream *stream, struct slice body) {
    struct connection *connection = stream->connection;
    enum fault_kind kind = stream->fault.kind;
    bool malformed = kind == FAULT_MALFORMED;
    if (malformed) body.length = body.length * 3 / 4;
    reply_part(connection, "application/json", body, malformed ? body.length : body.length / 2);
    if (kind == FAULT_STALL) return; // until the client goes
    reply_note_end(connection, false);
    destroy(stream);
    if (kind == FAULT_DISCONNECT)
        connection_reset(connection);
    else if (malformed)
        connection_finish(connection);
    else
        connection_hang_up(connection);
}

static void send_error(struct stream *stream) {
    struct connection *connection = stream->connection;
    struct problem problem = problem_of(stream->fault.error);
    destroy(stream);
    reply_problem(connection, &problem, "");
}

static void send_whole(struct stream *stream) {
    struct connection *connection = stream->connection;
    struct out *batch = &stream->server->batch;
    enum fault_kind kind = stream->fault.kind;
    if (kind == FAULT_ERROR) {
        send_error(stream);
        return;
    }
    out_clear(batch);
    stream->answer->wire->write_whole(stream->answer, batch, &stream->server->scratch);
    struct slice body = bytes_slice(&batch->bytes);
    if (strikes_after_chunks(kind) || kind == FAULT_MALFORMED) {
        send_spoiled(stream, body);
        return;
    }
    bool good = batch->good;
    destroy(stream);
    if (good)
        reply_whole(connection, 200, "application/json", "", body);
    else
        connection_reset(connection);
}

// ---- its beginning ----

static void on_timer(void *owner) {
    struct stream *stream = owner;
    struct connection *connection = stream->connection;
    if (stream->answer && stream->answer->is_stream) {
        pump(stream);
    } else if (stream->answer) {
        send_whole(stream);
    } else {
        reply_note_end(connection, false);
        destroy(stream);
        connection_hang_up(connection);
    }
}

static struct stream *create(struct connection *connection) {
    struct server *server = connection_server(connection);
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream || !timers_reserve(&server->timers, 1)) {
        free(stream);
        connection_reset(connection);
        return NULL;
    }
    stream->connection = connection;
    stream->server = server;
    timer_init(&stream->timer, on_timer, stream);
    connection_follow(connection, &(struct follower){ on_drained, on_gone, stream });
    connection_forget(connection);
    server->stats.streams_active++;
    server->stats.streams_total++;
    return stream;
}

void stream_start(struct connection *connection, struct answer *answer, struct place from,
                  const struct fault *fault) {
    struct stream *stream = create(connection);
    if (!stream) return;
    stream->answer = answer_hold(answer);
    stream->place = from;
    stream->fault = *fault;
    if (!answer->is_stream) {
        timer_arm(&stream->server->timers, &stream->timer, answer_end_ns(answer));
        return;
    }
    reply_begin_stream(connection);
    pump(stream);
}

void stream_silence(struct connection *connection, int64_t wait_ns) {
    struct stream *stream = create(connection);
    if (!stream || wait_ns == TIME_NEVER) return;
    timer_arm(&stream->server->timers, &stream->timer,
              time_after(server_now_ns(stream->server), wait_ns));
}
