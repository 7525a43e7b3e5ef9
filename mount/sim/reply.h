/*
 * reply: HTTP answers, whole and streamed, each noted in the record of its request.
 */
#ifndef ASKFS_MOUNT_SIM_REPLY_H
#define ASKFS_MOUNT_SIM_REPLY_H

#include "mount/sim/connection.h"
#include "mount/sim/out.h"
#include "mount/sim/problem.h"

/* A whole reply, and the end of the exchange. headers: further lines, each with its CRLF. */
void reply_whole(struct connection *connection, int status, const char *type, const char *headers,
                 struct slice body);
void reply_problem(struct connection *connection, const struct problem *problem,
                   const char *headers);

/* A reply of which only the head and a part of its body are sent; nothing ends it. */
void reply_part(struct connection *connection, const char *type, struct slice body, size_t part);

/* A stream: its head, its pieces, its end. A piece is built in a batch, behind the room that
 * reply_begin_piece leaves for its length. */
void reply_begin_stream(struct connection *connection);
void reply_begin_piece(struct out *batch);
bool reply_has_piece(const struct out *batch); /* it is not empty */
void reply_send_piece(struct connection *connection, struct out *batch);
void reply_end_stream(struct connection *connection);

/* Notes how the exchange ended: it is the last word on it. */
void reply_note_end(struct connection *connection, bool completed);

#endif
