/*
 * pause: the time until which a provider's key rests, fed by 429s. Pure. Never shortened by news.
 */
#ifndef ASKFS_CORE_POLICY_PAUSE_H
#define ASKFS_CORE_POLICY_PAUSE_H

#include <stdint.h>

struct pause {
    int64_t until_ns; /* monotonic; 0: none */
};

void pause_note(struct pause *pause, int64_t now_ns, int64_t delay_ns);
int64_t pause_left_ns(const struct pause *pause, int64_t now_ns); /* 0: go */

#endif
