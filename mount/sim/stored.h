/*
 * stored: responses in the background. They go on whether anybody listens or not: an answer follows
 * from its questions and the clock alone, so that going on needs no work.
 */
#ifndef ASKFS_MOUNT_SIM_STORED_H
#define ASKFS_MOUNT_SIM_STORED_H

#include "mount/sim/answer.h"

enum { STORED_MAX = 1000 };

/* Zeroed storage holds nothing. */
struct stored {
    struct answer **ring;
    uint64_t added;
};

void stored_finish(struct stored *stored);

/* Keeps a reference. The oldest goes when there are too many. False: no memory. */
bool stored_add(struct stored *stored, struct answer *answer);
struct answer *stored_find(const struct stored *stored, struct slice id); /* NULL: unknown */

/* "in_progress", "completed", "incomplete" or "cancelled". */
const char *stored_status(const struct answer *answer, int64_t now_ns);
/* Does nothing to one that has ended. */
void stored_cancel(struct answer *answer, int64_t now_ns);

#endif
