/*
 * output: what a connection has still to write, in order, as fast as the client reads it.
 */
#ifndef ASKFS_MOUNT_SIM_OUTPUT_H
#define ASKFS_MOUNT_SIM_OUTPUT_H

#include <uv.h>

#include "core/base/bytes.h"
#include "core/base/timers.h"

struct server;

struct output_parts {
    uv_tcp_t *tcp;
    void (*drained)(void *owner); /* all that was kept is written */
    void (*broken)(void *owner);  /* the client takes nothing any more */
    void *owner;
};

struct output {
    struct server *server;
    struct output_parts parts;
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

void output_init(struct output *output, struct server *server, const struct output_parts *parts);
void output_stop(struct output *output);   /* afterwards nobody is called */
void output_finish(struct output *output); /* only after the handle is closed */

/* Calls nobody back. */
void output_send(struct output *output, struct slice data);
bool output_is_clogged(const struct output *output);
/* Every write is cut into so many bytes, a turn of the loop for each. 0: none is. */
void output_split(struct output *output, size_t segment_bytes);

#endif
