#include "mount/sim/connection.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <uv.h>

#include "core/base/time.h"
#include "core/base/timers.h"
#include "mount/sim/reader.h"
#include "mount/sim/send_queue.h"
#include "mount/sim/server.h"

enum { EARLY_BYTES_MAX = 1 << 20, LINGER_S = 2, DELIVERY_CHECKS_MAX = 2000 };
enum { TIMERS = 2 }; // its own, and that of its send queue

enum ending { ENDING_NONE, ENDING_CLOSE, ENDING_RESET };

struct connection {
    struct server_member member; // first
    struct server *server;
    uv_tcp_t tcp;
    struct reader reader;
    struct request *request; // being served; NULL: none, or forgotten
    struct bytes early;      // came while it was busy
    struct send_queue send_queue;
    struct timer timer; // for an ending that waits
    struct follower follower;
    struct exchange exchange;
    uv_shutdown_t shutdown;
    enum ending ending;
    int checks;
    bool is_busy;
    bool is_feeding;
    bool is_lingering;
};

// ---- its end ----

static void on_closed(uv_handle_t *handle) {
    struct connection *connection = handle->data;
    send_queue_finish(&connection->send_queue);
    bytes_finish(&connection->early);
    reader_finish(&connection->reader);
    request_destroy(connection->request);
    timers_release(&connection->server->timers, TIMERS);
    free(connection);
}

static bool is_closing(const struct connection *connection) {
    return uv_is_closing((const uv_handle_t *)&connection->tcp);
}

// Whatever is told now, nothing is told later.
static void let_go(struct connection *connection) {
    timer_disarm(&connection->server->timers, &connection->timer);
    send_queue_stop(&connection->send_queue);
    server_remove(connection->server, &connection->member);
    struct follower follower = connection->follower;
    connection->follower = (struct follower){ 0 };
    if (follower.gone) follower.gone(follower.owner);
}

void connection_close(struct connection *connection) {
    if (is_closing(connection)) return;
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
    let_go(connection);
}

static void close_with_reset(struct connection *connection) {
    if (is_closing(connection)) return;
    if (uv_tcp_close_reset(&connection->tcp, on_closed) != 0)
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
    let_go(connection);
}

// A reset drops what the kernel still holds, so it waits a little for the client to have it all.
static void reset_when_delivered(struct connection *connection) {
    struct server *server = connection->server;
    uv_os_fd_t descriptor;
    int held = 0;
    bool known = uv_fileno((uv_handle_t *)&connection->tcp, &descriptor) == 0 &&
                 ioctl(descriptor, SIOCOUTQ, &held) == 0;
    if (known && held > 0 && connection->checks++ < DELIVERY_CHECKS_MAX)
        timer_arm(&server->timers, &connection->timer, server_now_ns(server) + TIME_MS);
    else
        close_with_reset(connection);
}

static void on_shut_down(uv_shutdown_t *shutdown, int status) {
    (void)shutdown; // its end is waited for by reading
    (void)status;
}

// Closing while unread bytes lie here would reset the connection, and take the reply with it.
static void linger(struct connection *connection) {
    struct server *server = connection->server;
    connection->is_lingering = true;
    if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shut_down) != 0)
        connection_close(connection);
    else
        timer_arm(&server->timers, &connection->timer, server_now_ns(server) + LINGER_S * TIME_S);
}

static void on_timer(void *owner) {
    struct connection *connection = owner;
    if (connection->ending == ENDING_RESET)
        reset_when_delivered(connection);
    else
        connection_close(connection);
}

static void end_if_written(struct connection *connection) {
    if (send_queue_is_clogged(&connection->send_queue)) return;
    if (connection->ending == ENDING_RESET) reset_when_delivered(connection);
    if (connection->ending == ENDING_CLOSE && !connection->is_lingering) linger(connection);
}

static void end(struct connection *connection, enum ending ending) {
    if (is_closing(connection)) return;
    connection->follower = (struct follower){ 0 };
    connection->ending = ending;
    end_if_written(connection);
}

void connection_hang_up(struct connection *connection) {
    end(connection, ENDING_CLOSE);
}

void connection_reset(struct connection *connection) {
    end(connection, ENDING_RESET);
}

// ---- writing ----

static void on_drained(void *owner) {
    struct connection *connection = owner;
    end_if_written(connection);
    if (connection->ending == ENDING_NONE && connection->follower.drained)
        connection->follower.drained(connection->follower.owner);
}

static void on_broken(void *owner) {
    connection_close(owner);
}

void connection_send(struct connection *connection, struct slice data) {
    if (is_closing(connection)) return;
    connection->server->stats.bytes_out += data.length;
    send_queue_add(&connection->send_queue, data);
}

bool connection_is_clogged(const struct connection *connection) {
    return send_queue_is_clogged(&connection->send_queue);
}

void connection_split(struct connection *connection, size_t segment_bytes) {
    send_queue_split(&connection->send_queue, segment_bytes);
}

// ---- reading ----

static void serve(struct connection *connection) {
    connection->is_busy = true;
    connection->request = connection->reader.request;
    connection->reader.request = NULL;
    connection->exchange.is_chunked = connection->reader.is_http_1_1;
    connection->exchange.is_head = strcmp(connection->request->method, "HEAD") == 0;
    connection->server->handle(connection);
}

static void take(struct connection *connection, enum reader_status status) {
    struct reader *reader = &connection->reader;
    if (status == READER_MORE && reader->wants_continue) {
        reader->wants_continue = false;
        connection_send(connection, slice_of("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    if (status == READER_MORE) return;
    if (reader->request)
        serve(connection);
    else
        connection_close(connection); // no memory
}

static bool takes_input(const struct connection *connection) {
    return !connection->is_busy && connection->ending == ENDING_NONE && !is_closing(connection);
}

static void feed(struct connection *connection, struct slice data) {
    connection->is_feeding = true;
    while (data.length && takes_input(connection))
        take(connection, reader_next(&connection->reader, &data));
    connection->is_feeding = false;
    bool wanted = data.length && connection->ending == ENDING_NONE && !is_closing(connection);
    if (wanted && !bytes_append_slice(&connection->early, data)) connection_close(connection);
}

static void feed_early(struct connection *connection) {
    struct bytes early = connection->early;
    bytes_init(&connection->early, EARLY_BYTES_MAX);
    feed(connection, bytes_slice(&early));
    bytes_finish(&early);
}

void connection_finish(struct connection *connection) {
    if (is_closing(connection)) return;
    connection_forget(connection);
    connection->follower = (struct follower){ 0 };
    if (!connection->reader.keeps_alive) {
        connection_hang_up(connection);
        return;
    }
    connection->is_busy = false;
    if (connection->early.length && !connection->is_feeding) feed_early(connection);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct connection *connection = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(connection->server->input, sizeof(connection->server->input));
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    struct connection *connection = stream->data;
    if (length < 0) {
        connection_close(connection);
        return;
    }
    if (length == 0 || connection->ending != ENDING_NONE) return;
    feed(connection, (struct slice){ buffer->base, (size_t)length });
}

// ---- its beginning ----

bool connection_accept(struct server *server) {
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection || !timers_reserve(&server->timers, TIMERS)) {
        free(connection);
        return false;
    }
    connection->server = server;
    connection->tcp.data = connection;
    reader_init(&connection->reader);
    bytes_init(&connection->early, EARLY_BYTES_MAX);
    timer_init(&connection->timer, on_timer, connection);
    uv_tcp_init(&server->loop, &connection->tcp);
    struct send_queue_parts parts = { &connection->tcp, on_drained, on_broken, connection };
    send_queue_init(&connection->send_queue, server, &parts);
    server_add(server, &connection->member);
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&connection->tcp, give_buffer, on_read) != 0) {
        connection_close(connection);
        return false;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    return true;
}

// ---- what others may know ----

struct server *connection_server(const struct connection *connection) {
    return connection->server;
}

const struct request *connection_request(const struct connection *connection) {
    return connection->request;
}

void connection_forget(struct connection *connection) {
    request_destroy(connection->request);
    connection->request = NULL;
}

struct exchange *connection_exchange(struct connection *connection) {
    return &connection->exchange;
}

bool connection_keeps_alive(const struct connection *connection) {
    return connection->reader.keeps_alive;
}

void connection_follow(struct connection *connection, const struct follower *follower) {
    connection->follower = *follower;
}
