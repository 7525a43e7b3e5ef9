/*
 * server: the loop, the listener, and what all connections share.
 */
#ifndef ASKFS_MOUNT_SIM_SERVER_H
#define ASKFS_MOUNT_SIM_SERVER_H

#include <stdint.h>
#include <uv.h>

#include "core/base/random.h"
#include "core/base/timers.h"
#include "core/policy/fault_rules.h"
#include "mount/sim/out.h"
#include "mount/sim/records.h"
#include "mount/sim/stored.h"

struct connection;

/* The list of connections; each begins with this. */
struct server_member {
    struct server_member *next;
    struct server_member *previous;
};

struct stats {
    uint64_t connections_open;
    uint64_t connections_total;
    uint64_t requests;
    uint64_t streams_active;
    uint64_t streams_total;
    uint64_t bytes_out;
};

struct server {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_prepare_t turn;
    uv_timer_t alarm;
    uv_idle_t hurry; /* runs while something is due at once */
    struct timers timers;
    struct server_member members;                  /* a ring */
    void (*handle)(struct connection *connection); /* a request was read */
    struct stats stats;
    struct fault_rules faults;
    struct random random; /* for faults with a probability */
    struct records records;
    struct stored stored;
    uint64_t ids; /* given out so far */
    /* Used within one callback, then free again. */
    char input[128 << 10];
    struct out batch;
    struct bytes scratch;
};

/* Listens on 127.0.0.1; port 0 takes any. A negative number is libuv's error. */
int server_start(struct server *server, int port, void (*handle)(struct connection *connection));
int server_port(const struct server *server);
void server_run(struct server *server); /* until server_stop */
void server_stop(struct server *server);
void server_finish(struct server *server); /* after server_run: closes every connection */

int64_t server_now_ns(const struct server *server);
/* A timer armed for this fires in the next turn of the loop, after the sockets were looked at. */
int64_t server_next_turn_ns(const struct server *server);

void server_add(struct server *server, struct server_member *member);
void server_remove(struct server *server, struct server_member *member);

#endif
