/*
 * schedule: one seeded run of the production engine against simulated providers, under a virtual
 * clock, with what must always hold checked at every step.
 */
#ifndef ASKFS_TESTS_SIM_SCHEDULE_H
#define ASKFS_TESTS_SIM_SCHEDULE_H

#include <stdint.h>
#include <stdio.h>

struct schedule_result {
    const char *wrong; /* what did not hold; NULL: all did */
    uint64_t trace;    /* hash of all that happened: equal seeds, equal traces */
    uint64_t requests;
    uint64_t done;
    uint64_t failed;
    uint64_t cancelled;
    uint64_t attempts;
    uint64_t reconnects;
    uint64_t steps;
};

/* trace_out: tells each step; NULL: silent. */
struct schedule_result schedule_run(uint64_t seed, FILE *trace_out);

#endif
