/*
 * http_sockets: the sockets that libcurl asks to hear of, as watches of the loop.
 *
 * Between two requests over a kept connection curl does not want to hear of its socket; it stays
 * watched all the same until something comes, because setting it up again costs more.
 */
#ifndef ASKFS_CORE_IO_HTTP_SOCKETS_H
#define ASKFS_CORE_IO_HTTP_SOCKETS_H

#include <curl/curl.h>

#include "core/io/loop.h"

struct http_socket;

struct http_sockets {
    struct loop *loop;
    void (*ready)(void *owner, curl_socket_t socket, int events);
    void *owner;
    struct http_socket **sockets; /* by descriptor */
    size_t count;
};

/* Borrows loop. ready: something curl waits for came, events are CURL_CSELECT_. */
void http_sockets_init(struct http_sockets *sockets, struct loop *loop,
                       void (*ready)(void *owner, curl_socket_t socket, int events), void *owner);
void http_sockets_finish(struct http_sockets *sockets); /* closes no descriptor */

/* For CURLMOPT_SOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION; their data is the http_sockets. */
int http_sockets_watch(CURL *easy, curl_socket_t socket, int what, void *sockets, void *known);
int http_sockets_close(void *sockets, curl_socket_t socket);

#endif
