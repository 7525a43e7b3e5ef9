#include "core/base/random.h"

#include <assert.h>

uint64_t random_next(struct random *random) {
    uint64_t z = (random->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double random_unit(struct random *random) {
    return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

int64_t random_between(struct random *random, int64_t min, int64_t max) {
    assert(min <= max);
    uint64_t span = (uint64_t)max - (uint64_t)min + 1;
    uint64_t number = random_next(random);
    return (int64_t)((uint64_t)min + (span ? number % span : number));
}
