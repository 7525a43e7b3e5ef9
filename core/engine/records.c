#include "core/engine/records.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"

enum { CAPACITY_MIN = 8 };

bool records_reserve(struct records *records) {
    if (records->count < records->capacity) return true;
    size_t capacity = records->capacity ? 2 * records->capacity : CAPACITY_MIN;
    struct request **requests = realloc(records->requests, capacity * sizeof(struct request *));
    if (!requests) return false;
    records->requests = requests;
    records->capacity = capacity;
    return true;
}

void records_add(struct records *records, struct request *request) {
    request->in_records = true;
    records->requests[records->count++] = request_keep(request);
}

// How many have a lower serial: where it is, or would be.
static size_t place_of(const struct records *records, uint64_t serial) {
    size_t low = 0;
    size_t high = records->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (request_serial(records->requests[middle]) < serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void forget(struct records *records, struct request *request) {
    size_t place = place_of(records, request_serial(request));
    struct request **at = &records->requests[place];
    records->count--;
    memmove(at, at + 1, (records->count - place) * sizeof(*at));
    request->in_records = false;
    request_release(request);
}

void records_note_ended(struct records *records, struct request *request, size_t kept) {
    if (!request->in_records) return;
    if (records->ended_last)
        records->ended_last->ended_next = request;
    else
        records->ended_first = request;
    records->ended_last = request;
    records->ended_count++;
    while (records->ended_count > kept) {
        struct request *first = records->ended_first;
        records->ended_first = first->ended_next;
        if (!records->ended_first) records->ended_last = NULL;
        records->ended_count--;
        forget(records, first);
    }
}

void records_finish(struct records *records) {
    while (records->count)
        forget(records, records->requests[records->count - 1]);
    free(records->requests);
    *records = (struct records){ 0 };
}

struct request *records_find(const struct records *records, uint64_t serial) {
    size_t place = place_of(records, serial);
    bool found = place < records->count && request_serial(records->requests[place]) == serial;
    return found ? records->requests[place] : NULL;
}

struct request *records_before(const struct records *records, uint64_t serial) {
    size_t place = place_of(records, serial);
    return place ? records->requests[place - 1] : NULL;
}
