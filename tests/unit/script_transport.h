/*
 * script_transport: a transport that a test plays by hand. It keeps every start, sends nothing, and
 * gives the events that the test tells it to.
 */
#ifndef ASKFS_TESTS_UNIT_SCRIPT_TRANSPORT_H
#define ASKFS_TESTS_UNIT_SCRIPT_TRANSPORT_H

#include "core/transport/transport.h"

enum { SCRIPT_TRANSFERS_MAX = 64 };

struct transfer {
    struct bytes body; /* a copy of what was to be sent */
    char url[256];
    bool is_post;
    bool fresh_connection;
    bool cancelled;
    bool over;
    const struct transfer_events *events;
    void *owner;
};

struct script_transport {
    struct transport transport; /* first */
    struct transfer transfers[SCRIPT_TRANSFERS_MAX];
    int count;
};

void script_transport_init(struct script_transport *script);
void script_transport_finish(struct script_transport *script);
struct transfer *script_newest(struct script_transport *script);

/* The newest transfer's events. */
void script_connect(struct script_transport *script);
void script_reply(struct script_transport *script, int status, const char *headers);
void script_body(struct script_transport *script, const char *bytes);
void script_end(struct script_transport *script, enum transport_end end);

#endif
