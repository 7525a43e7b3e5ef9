/*
 * reader: bytes of a connection to requests, one at a time.
 */
#ifndef ASKFS_MOUNT_SIM_READER_H
#define ASKFS_MOUNT_SIM_READER_H

#include <http_parser.h>

#include "mount/sim/request.h"

enum reader_status {
    READER_MORE,    /* input is used up */
    READER_REQUEST, /* request is whole; what is left of input comes after it */
    READER_BAD      /* no HTTP, or too much of it: request says which, and nothing more is read */
};

struct reader {
    http_parser parser;
    struct request *request; /* read so far; who takes it sets it to NULL */
    bool keeps_alive;        /* of the whole request */
    bool is_http_1_1;
    bool wants_continue; /* the client waits for "100 Continue" before it sends the body */
};

void reader_init(struct reader *reader);
void reader_finish(struct reader *reader);

/* Takes bytes from the front of *input up to the end of a request. After READER_BAD request may be
 * NULL: no memory. */
enum reader_status reader_next(struct reader *reader, struct slice *input);

#endif
