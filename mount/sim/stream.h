/*
 * stream: sends an answer over a connection at its pace, with the fault that was drawn for it.
 *
 *     silent --timeout--> hung up            (fault timeout)
 *     sending --due, drained--> sending --over--> finished
 *                               sending --fault strikes--> reset, ended early, stalled, …
 */
#ifndef ASKFS_MOUNT_SIM_STREAM_H
#define ASKFS_MOUNT_SIM_STREAM_H

#include "core/policy/fault_rules.h"
#include "mount/sim/answer.h"
#include "mount/sim/connection.h"

/* Sends the answer's events from that place on, or the whole of it as JSON when the question asked
 * for no stream. Holds the answer. */
void stream_start(struct connection *connection, struct answer *answer, struct place from,
                  const struct fault *fault);

/* Says nothing for wait_ns (TIME_NEVER: for ever), then hangs up. */
void stream_silence(struct connection *connection, int64_t wait_ns);

#endif
