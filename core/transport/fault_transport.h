/*
 * fault_transport: a transport around another one that makes transfers fail as the rules of their
 * provider say, at the seam where a network would: what is above it is the real path.
 *
 *   refuse, reset, timeout, and replies (rate_limit, server, overloaded): nothing goes out
 *   disconnect, truncate, stall, error, malformed, no_terminal, slow, split: a real one is spoilt
 *
 * A transfer without rules, or whose rules draw nothing, is the other transport's own.
 */
#ifndef ASKFS_CORE_TRANSPORT_FAULT_TRANSPORT_H
#define ASKFS_CORE_TRANSPORT_FAULT_TRANSPORT_H

#include "core/base/time.h"
#include "core/base/timers.h"
#include "core/transport/fault_target.h"
#include "core/transport/transport.h"

struct fault_transport;

struct fault_transport_parts {
    struct transport *inner; /* borrowed */
    struct timers *timers;   /* borrowed */
    struct clock *clock;     /* borrowed */
    uint64_t random_seed;
};

/* NULL: no memory. */
struct fault_transport *fault_transport_create(const struct fault_transport_parts *parts);
/* No transfer is left; accepts NULL. */
void fault_transport_destroy(struct fault_transport *faults);

/* What the engine is given. transfer_request.faults need not outlive its start, but for the wire
 * and the dialect that it names. */
struct transport *fault_transport_transport(struct fault_transport *faults);

#endif
