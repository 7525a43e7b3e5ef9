/*
 * random: seeded numbers (splitmix64), for jitter and for simulations. Not for secrets.
 */
#ifndef ASKFS_CORE_BASE_RANDOM_H
#define ASKFS_CORE_BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state; /* any value; equal states give equal sequences */
};

uint64_t random_next(struct random *random);
double random_unit(struct random *random);                     /* [0, 1) */
int64_t random_between(struct random *random, int64_t min, int64_t max); /* [min, max] */

#endif
