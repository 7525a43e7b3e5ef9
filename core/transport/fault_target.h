/*
 * fault_target: whom a transfer speaks to, as far as rehearsed failures have to know it: which
 * rules there are, and how its wire looks.
 */
#ifndef ASKFS_CORE_TRANSPORT_FAULT_TARGET_H
#define ASKFS_CORE_TRANSPORT_FAULT_TARGET_H

#include "core/policy/fault_rules.h"
#include "core/providers/wire.h"

struct fault_target {
    struct fault_rules *rules; /* firings are counted in them */
    const char *model; /* NULL: no prompt goes out; only rules with a path are meant for it */
    const struct wire *wire;
    const struct dialect *dialect;
};

#endif
