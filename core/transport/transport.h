/*
 * transport: how bytes reach a provider. An interface: core/io/http.c does it with libcurl, tests
 * do it with a script. Nothing here retries, follows a redirect or decides.
 */
#ifndef ASKFS_CORE_TRANSPORT_TRANSPORT_H
#define ASKFS_CORE_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/policy/failure.h"

struct fault_target;

/* All borrowed until the transfer is done or cancelled. */
struct transfer_request {
    const char *url;
    struct slice body;          /* POST when data is not NULL, else GET */
    const char *const *headers; /* "name: value", NULL-ended */
    const char *secret_header;  /* the header with the key, or NULL; lives in locked memory */
    const char *ca_file;        /* NULL: the system's authorities */
    bool fresh_connection;      /* do not reuse a kept-alive one */
    const struct fault_target *faults; /* NULL: none is rehearsed; read at the start only */
};

struct transfer_result {
    enum transport_end end;
    bool reused_connection;
    int64_t connect_ns; /* 0 when a connection was reused; -1: never connected */
    char detail[160];   /* the library's words, printable, without the URL's query */
};

/* Called from the loop, never from inside start or after cancel. After done the transfer no longer
 * exists. */
struct transfer_events {
    void (*connected)(void *owner);
    void (*headers)(void *owner, int status, const struct header *headers, size_t count);
    void (*body)(void *owner, struct slice bytes);
    void (*done)(void *owner, const struct transfer_result *result);
};

struct transfer; /* one exchange under way, the transport's own */

struct transport {
    /* NULL: no memory, nothing will be called. */
    struct transfer *(*start)(struct transport *transport, const struct transfer_request *request,
                              const struct transfer_events *events, void *owner);
    /* Ends it at once, upstream too; nothing is called for it again. */
    void (*cancel)(struct transport *transport, struct transfer *transfer);
};

#endif
