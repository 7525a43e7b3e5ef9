/*
 * records: the requests that a directory shows, found by serial, and which of them goes when there
 * are too many: of those that have ended the one that ended first.
 */
#ifndef ASKFS_CORE_ENGINE_RECORDS_H
#define ASKFS_CORE_ENGINE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

struct records {
    struct request **requests; /* each with a reference, by rising serial */
    size_t count;
    size_t capacity;
    struct request *ended_first; /* in the order of their ends */
    struct request *ended_last;
    size_t ended_count;
};

/* Room for one more, so that records_add cannot fail. False: no memory. */
bool records_reserve(struct records *records);
void records_add(struct records *records, struct request *request); /* newer than all others */
/* It has ended. Ended ones beyond kept are forgotten. */
void records_note_ended(struct records *records, struct request *request, size_t kept);
void records_finish(struct records *records); /* all have ended; accepts zeroed storage */

struct request *records_find(const struct records *records, uint64_t serial); /* NULL: none */
/* The newest one whose serial is below; UINT64_MAX: the newest. NULL: there is none. */
struct request *records_before(const struct records *records, uint64_t serial);

#endif
