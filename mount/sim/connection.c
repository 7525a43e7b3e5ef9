#include "mount/sim/connection.h"

#include <http_parser.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <uv.h>

#include "core/base/time.h"
#include "core/base/timers.h"
#include "mount/sim/output.h"
#include "mount/sim/server.h"

enum { EARLY_BYTES_MAX = 1 << 20, LINGER_S = 2, DELIVERY_CHECKS_MAX = 2000 };
enum { TIMERS = 2 }; // its own, and that of its output

enum ending { ENDING_NONE, ENDING_CLOSE, ENDING_RESET };

struct connection {
    struct server_member member; // first
    struct server *server;
    uv_tcp_t tcp;
    http_parser parser;
    struct request *request; // being read, or served; NULL: none
    struct bytes early;      // came while it was busy
    struct output output;
    struct timer timer;      // for an ending that waits
    struct follower follower;
    struct exchange exchange;
    uv_shutdown_t shutdown;
    enum ending ending;
    int checks;
    bool keeps_alive;
    bool is_busy;
    bool is_feeding;
    bool is_lingering;
};

static struct connection *connection_of(http_parser *parser) {
    return parser->data;
}

// ---- its end ----

static void on_closed(uv_handle_t *handle) {
    struct connection *connection = handle->data;
    output_finish(&connection->output);
    bytes_finish(&connection->early);
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
    output_stop(&connection->output);
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
    if (output_is_clogged(&connection->output)) return;
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
    output_send(&connection->output, data);
}

bool connection_is_clogged(const struct connection *connection) {
    return output_is_clogged(&connection->output);
}

void connection_split(struct connection *connection, size_t segment_bytes) {
    output_split(&connection->output, segment_bytes);
}

// ---- the parser's findings ----

static int on_message_begin(http_parser *parser) {
    struct connection *connection = connection_of(parser);
    connection->request = request_create();
    return connection->request ? 0 : 1;
}

static int on_url(http_parser *parser, const char *data, size_t length) {
    struct request *request = connection_of(parser)->request;
    return bytes_append(&request->target, data, length) ? 0 : 1;
}

static int on_header_field(http_parser *parser, const char *data, size_t length) {
    return request_add_name(connection_of(parser)->request, (struct slice){ data, length }) ? 0 : 1;
}

static int on_header_value(http_parser *parser, const char *data, size_t length) {
    return request_add_value(connection_of(parser)->request, (struct slice){ data, length }) ? 0
                                                                                             : 1;
}

// Never an upgrade: the request is served as it is. Trailers come later and are not looked at.
static int on_headers_complete(http_parser *parser) {
    struct connection *connection = connection_of(parser);
    struct request *request = connection->request;
    parser->upgrade = 0;
    if (!request_end_headers(request)) return -1;
    bool has_length = parser->content_length != UINT64_MAX;
    if (has_length && parser->content_length > REQUEST_BODY_MAX) {
        request->problem_status = 413;
        return -1;
    }
    const char *expected = request_header(request, "expect");
    if (expected && strcasecmp(expected, "100-continue") == 0)
        connection_send(connection, slice_of("HTTP/1.1 100 Continue\r\n\r\n"));
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t length) {
    struct request *request = connection_of(parser)->request;
    if (bytes_append(&request->body, data, length)) return 0;
    request->problem_status = 413;
    return 1;
}

static int on_message_complete(http_parser *parser) {
    connection_of(parser)->keeps_alive = http_should_keep_alive(parser);
    connection_of(parser)->exchange.is_chunked = parser->http_major > 1 || parser->http_minor > 0;
    http_parser_pause(parser, 1); // what follows is another request
    return 0;
}

static const http_parser_settings parsing = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

// ---- reading ----

static void serve(struct connection *connection) {
    connection->is_busy = true;
    connection->request->method =
        http_method_str((enum http_method)connection->parser.method);
    connection->server->handle(connection);
}

// What is no HTTP, or too much of it: one reply, and no further word is read.
static void serve_unreadable(struct connection *connection) {
    if (!connection->request) connection->request = request_create();
    if (!connection->request) {
        connection_close(connection);
        return;
    }
    if (connection->request->problem_status == 0) connection->request->problem_status = 400;
    connection->keeps_alive = false;
    serve(connection);
}

static bool takes_input(const struct connection *connection) {
    return !connection->is_busy && connection->ending == ENDING_NONE && !is_closing(connection);
}

static void feed(struct connection *connection, struct slice data) {
    connection->is_feeding = true;
    while (data.length && takes_input(connection)) {
        size_t used = http_parser_execute(&connection->parser, &parsing, data.data, data.length);
        enum http_errno error = HTTP_PARSER_ERRNO(&connection->parser);
        data.data += used;
        data.length -= used;
        if (error == HPE_PAUSED) {
            http_parser_pause(&connection->parser, 0);
            serve(connection);
        } else if (error != HPE_OK) {
            serve_unreadable(connection);
        }
    }
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
    if (!connection->keeps_alive) {
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
    connection->parser.data = connection;
    http_parser_init(&connection->parser, HTTP_REQUEST);
    bytes_init(&connection->early, EARLY_BYTES_MAX);
    timer_init(&connection->timer, on_timer, connection);
    uv_tcp_init(&server->loop, &connection->tcp);
    struct output_parts parts = { &connection->tcp, on_drained, on_broken, connection };
    output_init(&connection->output, server, &parts);
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
    return connection->keeps_alive;
}

void connection_follow(struct connection *connection, const struct follower *follower) {
    connection->follower = *follower;
}
