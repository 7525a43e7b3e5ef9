#include "mount/sim/server.h"

#include <netinet/in.h>

#include "core/base/time.h"
#include "mount/sim/connection.h"

enum { BACKLOG = 4096, BATCH_BYTES_MAX = 512 << 20, SCRATCH_BYTES_MAX = 64 << 20 };

// ---- time ----

int64_t server_now_ns(const struct server *server) {
    (void)server;
    return (int64_t)uv_hrtime();
}

int64_t server_next_turn_ns(const struct server *server) {
    return server_now_ns(server) + 1;
}

static void wake(uv_timer_t *alarm) {
    (void)alarm; // the turn does the rest
}

static void hurry(uv_idle_t *idle) {
    (void)idle; // so that the loop does not sleep
}

// Before the loop sleeps: what is due is done, and the next deadline set.
static void on_turn(uv_prepare_t *turn) {
    struct server *server = turn->data;
    timers_run(&server->timers, server_now_ns(server));
    int64_t next_ns = timers_next_ns(&server->timers);
    int64_t wait_ns = next_ns == TIME_NEVER ? TIME_NEVER : next_ns - server_now_ns(server);
    uv_idle_stop(&server->hurry);
    uv_timer_stop(&server->alarm);
    if (wait_ns <= 0)
        uv_idle_start(&server->hurry, hurry);
    else if (wait_ns != TIME_NEVER)
        uv_timer_start(&server->alarm, wake, (uint64_t)((wait_ns + TIME_MS - 1) / TIME_MS), 0);
}

// ---- connections ----

void server_add(struct server *server, struct server_member *member) {
    member->next = &server->members;
    member->previous = server->members.previous;
    member->previous->next = member;
    server->members.previous = member;
    server->stats.connections_open++;
    server->stats.connections_total++;
}

void server_remove(struct server *server, struct server_member *member) {
    member->previous->next = member->next;
    member->next->previous = member->previous;
    server->stats.connections_open--;
}

static void on_client(uv_stream_t *listener, int status) {
    if (status == 0) connection_accept(listener->data);
}

// ---- its life ----

static int listen_on(struct server *server, int port) {
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", port, &address);
    int result = uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0);
    if (result < 0) return result;
    return uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_client);
}

int server_start(struct server *server, int port, void (*handle)(struct connection *connection)) {
    server->handle = handle;
    server->members.next = server->members.previous = &server->members;
    timers_init(&server->timers);
    out_init(&server->batch, BATCH_BYTES_MAX);
    bytes_init(&server->scratch, SCRATCH_BYTES_MAX);
    int result = uv_loop_init(&server->loop);
    if (result < 0) return result;
    uv_tcp_init(&server->loop, &server->listener);
    uv_prepare_init(&server->loop, &server->turn);
    uv_timer_init(&server->loop, &server->alarm);
    uv_idle_init(&server->loop, &server->hurry);
    server->listener.data = server->turn.data = server;
    uv_prepare_start(&server->turn, on_turn);
    return listen_on(server, port);
}

int server_port(const struct server *server) {
    struct sockaddr_in address = { 0 };
    int length = sizeof(address);
    uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &length);
    return ntohs(address.sin_port);
}

void server_run(struct server *server) {
    uv_run(&server->loop, UV_RUN_DEFAULT);
}

void server_stop(struct server *server) {
    uv_stop(&server->loop);
}

static void close_handle(uv_handle_t *handle, void *owner) {
    (void)owner;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void server_finish(struct server *server) {
    while (server->members.next != &server->members)
        connection_close((struct connection *)server->members.next);
    uv_walk(&server->loop, close_handle, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    uv_loop_close(&server->loop);
    records_finish(&server->records);
    stored_finish(&server->stored);
    timers_finish(&server->timers);
    out_finish(&server->batch);
    bytes_finish(&server->scratch);
}
