#include "mount/sim/stored.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/time.h"
#include "mount/sim/wire.h"

void stored_finish(struct stored *stored) {
    for (size_t i = 0; stored->ring && i < STORED_MAX; i++)
        answer_release(stored->ring[i]);
    free(stored->ring);
    *stored = (struct stored){ 0 };
}

bool stored_add(struct stored *stored, struct answer *answer) {
    if (!stored->ring) stored->ring = calloc(STORED_MAX, sizeof(*stored->ring));
    if (!stored->ring) return false;
    struct answer **place = &stored->ring[stored->added++ % STORED_MAX];
    answer_release(*place);
    *place = answer_hold(answer);
    return true;
}

// Theirs have the prefix that the wire writes before them.
struct answer *stored_find(const struct stored *stored, struct slice id) {
    const char *prefix = wire_responses.id_prefix;
    size_t length = strlen(prefix);
    if (!stored->ring || !slice_starts_with(id, prefix)) return NULL;
    struct slice own = { id.data + length, id.length - length };
    for (size_t i = 0; i < STORED_MAX; i++)
        if (stored->ring[i] && slice_equals(own, stored->ring[i]->id)) return stored->ring[i];
    return NULL;
}

const char *stored_status(const struct answer *answer, int64_t now_ns) {
    if (answer->cancelled_ns != TIME_NEVER) return "cancelled";
    if (answer_end_ns(answer) > now_ns) return "in_progress";
    return wire_responses_final_status(answer);
}

void stored_cancel(struct answer *answer, int64_t now_ns) {
    if (answer->cancelled_ns == TIME_NEVER && answer_end_ns(answer) > now_ns)
        answer->cancelled_ns = now_ns;
}
