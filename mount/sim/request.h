/*
 * request: one HTTP request, as it was read.
 */
#ifndef ASKFS_MOUNT_SIM_REQUEST_H
#define ASKFS_MOUNT_SIM_REQUEST_H

#include "core/base/bytes.h"

enum { REQUEST_BODY_MAX = 64 << 20 };

struct request {
    const char *method;
    struct bytes target;  /* path and query, as they were sent */
    struct bytes headers; /* "name\0value\0…", names in lower case */
    struct bytes body;
    bool in_value;      /* of a header; while it is read */
    bool has_headers;   /* they are whole; only then they are shown */
    int problem_status; /* not 0: it could not be read, and is refused with this */
};

struct request *request_create(void);          /* NULL: no memory */
void request_destroy(struct request *request); /* accepts NULL */

/* Pieces of headers as the parser finds them; false: too long, or no memory. */
bool request_add_name(struct request *request, struct slice piece);
bool request_add_value(struct request *request, struct slice piece);
bool request_end_headers(struct request *request);

const char *request_header(const struct request *request, const char *name); /* NULL: none */
/* Walks over all headers: NULL begins, NULL is the end. */
const char *request_next_header(const struct request *request, const char *name);
const char *request_value(const char *name);

struct slice request_path(const struct request *request); /* the target up to its query */
/* The number that a key of the query has; otherwise when it has none. */
long long request_query_number(const struct request *request, const char *key, long long otherwise);
bool request_query_is(const struct request *request, const char *pair); /* "stream=true" */

#endif
