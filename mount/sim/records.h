/*
 * records: what was asked of the simulator, for tests to look at. The newest are kept.
 */
#ifndef ASKFS_MOUNT_SIM_RECORDS_H
#define ASKFS_MOUNT_SIM_RECORDS_H

#include <stdint.h>

#include "mount/sim/out.h"
#include "mount/sim/request.h"

enum { RECORDS_KEPT = 10000 };

enum record_state { RECORD_OPEN, RECORD_COMPLETED, RECORD_ABORTED };

struct record {
    char *facts;       /* JSON members that do not change */
    int status;        /* 0: no reply yet */
    const char *fault; /* what was done to it; NULL: nothing */
    enum record_state state;
    int64_t chunks; /* deltas sent */
};

/* Zeroed storage is no records. */
struct records {
    struct record *ring;
    uint64_t *hashes; /* of the requests in ring */
    uint64_t added;   /* record n is in ring[n % RECORDS_KEPT] */
    uint64_t oldest;
};

void records_finish(struct records *records);
void records_clear(struct records *records);

/* Its number, from 0. Without memory it is only counted. */
uint64_t records_add(struct records *records, const struct request *request);
/* The record of that number, to be filled in; NULL: it is gone. */
struct record *records_get(struct records *records, uint64_t number);
/* What the request was for, once it is understood. */
void records_explain(struct records *records, uint64_t number, const char *model, bool stream,
                     size_t turns, struct slice prompt);

void records_write(const struct records *records, struct out *out); /* a JSON array */

#endif
