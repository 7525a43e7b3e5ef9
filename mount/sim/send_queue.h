/*
 * send_queue: what a connection has still to write, in order, as fast as the client reads it.
 */
#ifndef ASKFS_MOUNT_SIM_SEND_QUEUE_H
#define ASKFS_MOUNT_SIM_SEND_QUEUE_H

#include <uv.h>

#include "core/base/bytes.h"
#include "core/base/timers.h"

struct server;

struct send_queue_parts {
    uv_tcp_t *tcp;
    void (*drained)(void *owner); /* all that was kept is written */
    void (*broken)(void *owner);  /* the client takes nothing any more */
    void *owner;
};

struct send_queue {
    struct server *server;
    struct send_queue_parts parts;
    struct bytes kept; /* written up to `written` */
    size_t written;
    struct bytes waiting; /* behind kept, while libuv borrows that */
    uv_write_t write;
    size_t borrowed;      /* bytes that libuv has; 0: none */
    size_t segment_bytes; /* 0: as it comes */
    struct timer timer;   /* between segments; its owner reserves room for it */
    bool is_broken;
    bool is_stopped;
};

void send_queue_init(struct send_queue *queue, struct server *server,
                     const struct send_queue_parts *parts);
void send_queue_stop(struct send_queue *queue);   /* afterwards nobody is called */
void send_queue_finish(struct send_queue *queue); /* only after the handle is closed */

/* Calls nobody back. */
void send_queue_add(struct send_queue *queue, struct slice data);
bool send_queue_is_clogged(const struct send_queue *queue);
/* Every write is cut into so many bytes, a turn of the loop for each. 0: none is. */
void send_queue_split(struct send_queue *queue, size_t segment_bytes);

#endif
