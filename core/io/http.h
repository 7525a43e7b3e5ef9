/*
 * http: the transport over libcurl's multi interface, driven by the loop. Nobody else's curl.
 *
 * A request is sent at most once: when a kept-alive connection dies under it, curl is kept from
 * sending the prompt again by itself, and the engine decides.
 */
#ifndef ASKFS_CORE_IO_HTTP_H
#define ASKFS_CORE_IO_HTTP_H

#include "core/io/loop.h"
#include "core/transport/transport.h"

struct http;

/* Borrows all three. Past connections_max a kept one is closed for a new one, or the transfer
 * waits. NULL: curl cannot start. */
struct http *http_create(struct loop *loop, struct timers *timers, struct clock *clock,
                         long connections_max);
void http_destroy(struct http *http); /* every transfer was cancelled or is done; accepts NULL */
struct transport *http_transport(struct http *http);

#endif
