#include "core/io/http_sockets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct http_socket {
    struct http_sockets *sockets;
    curl_socket_t descriptor;
    struct watch *watch;
    bool is_wanted;
    int events; // what it is watched for, CURL_POLL_
};

void http_sockets_init(struct http_sockets *sockets, struct loop *loop,
                       void (*ready)(void *owner, curl_socket_t socket, int events), void *owner) {
    *sockets = (struct http_sockets){ .loop = loop, .ready = ready, .owner = owner };
}

static void on_ready(void *owner, bool readable, bool writable) {
    struct http_socket *socket = owner;
    if (!socket->is_wanted) {
        watch_for(socket->watch, false, false);
        socket->events = 0;
        return;
    }
    socket->sockets->ready(socket->sockets->owner, socket->descriptor,
                           (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0));
}

static bool has_room_for(struct http_sockets *sockets, size_t descriptor) {
    if (descriptor < sockets->count) return true;
    size_t count = descriptor < 64 ? 64 : descriptor * 2;
    struct http_socket **grown = realloc(sockets->sockets, count * sizeof(*grown));
    if (!grown) return false;
    memset(grown + sockets->count, 0, (count - sockets->count) * sizeof(*grown));
    sockets->sockets = grown;
    sockets->count = count;
    return true;
}

static struct http_socket *socket_of(struct http_sockets *sockets, curl_socket_t descriptor) {
    if (!has_room_for(sockets, (size_t)descriptor)) return NULL;
    struct http_socket **place = &sockets->sockets[descriptor];
    if (*place) return *place;
    struct http_socket *socket = calloc(1, sizeof(*socket));
    if (!socket) return NULL;
    socket->sockets = sockets;
    socket->descriptor = descriptor;
    socket->watch = loop_watch(sockets->loop, descriptor, on_ready, socket);
    if (socket->watch) return *place = socket;
    free(socket);
    return NULL;
}

static void forget(struct http_sockets *sockets, size_t descriptor) {
    if (descriptor >= sockets->count || !sockets->sockets[descriptor]) return;
    watch_end(sockets->sockets[descriptor]->watch);
    free(sockets->sockets[descriptor]);
    sockets->sockets[descriptor] = NULL;
}

int http_sockets_watch(CURL *easy, curl_socket_t descriptor, int what, void *sockets, void *known) {
    struct http_socket *socket = socket_of(sockets, descriptor);
    if (!socket) return -1;
    socket->is_wanted = what != CURL_POLL_REMOVE;
    if (!socket->is_wanted || socket->events == what) return 0;
    socket->events = what;
    watch_for(socket->watch, what & CURL_POLL_IN, what & CURL_POLL_OUT);
    return 0;
}

int http_sockets_close(void *sockets, curl_socket_t descriptor) {
    forget(sockets, (size_t)descriptor);
    return close(descriptor);
}

void http_sockets_finish(struct http_sockets *sockets) {
    for (size_t i = 0; i < sockets->count; i++)
        forget(sockets, i);
    free(sockets->sockets);
}
