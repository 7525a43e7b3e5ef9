/*
 * connection: one client. Reads its requests, one at a time, and writes what replies to them.
 *
 *     reading --whole request--> busy --connection_finish--> reading, or lingering --EOF--> closed
 *                                busy --connection_reset---> closed
 *
 * Bytes that come while it is busy are kept for later. A client that hangs up ends all this at any
 * time, and the follower of the reply is told.
 */
#ifndef ASKFS_MOUNT_SIM_CONNECTION_H
#define ASKFS_MOUNT_SIM_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

#include "mount/sim/request.h"

struct server;
struct wire;

/* One request and its reply, as replies are written and recorded. */
struct exchange {
    const struct wire *wire; /* whose shape errors have */
    uint64_t record;
    char request_id[32];
    bool is_chunked; /* false: a stream ends with its connection (HTTP/1.0) */
    bool is_head;    /* the reply has no body */
};

/* Who writes a reply that takes its time. */
struct follower {
    void (*drained)(void *owner); /* all was written; not called from within connection_send */
    void (*gone)(void *owner);    /* the connection ends: it must not be used any more */
    void *owner;
};

struct connection;

/* Accepts the client that waits at the listener. False: it was not possible. */
bool connection_accept(struct server *server);
/* Ends it now. The follower is told. */
void connection_close(struct connection *connection);

struct server *connection_server(const struct connection *connection);
/* The request that it is busy with; connection_forget frees it, when the reply needs it no more. */
const struct request *connection_request(const struct connection *connection);
void connection_forget(struct connection *connection);
struct exchange *connection_exchange(struct connection *connection);
bool connection_keeps_alive(const struct connection *connection);

void connection_follow(struct connection *connection, const struct follower *follower);
/* What the kernel does not take is kept and sent later. */
void connection_send(struct connection *connection, struct slice data);
bool connection_is_clogged(const struct connection *connection); /* something is kept */
/* From now on every write is cut into so many bytes. 0: none is. */
void connection_split(struct connection *connection, size_t segment_bytes);

/* The reply is complete. Each of these also lets go of the follower, without a word to it. */
void connection_finish(struct connection *connection);  /* the next request may come */
void connection_hang_up(struct connection *connection); /* closes politely, once all is written */
void connection_reset(struct connection *connection);   /* RST, once all was delivered */

#endif
