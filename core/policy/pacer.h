#ifndef ASKFS_CORE_POLICY_PACER_H
#define ASKFS_CORE_POLICY_PACER_H
#include "core/base/random.h"
#include "core/base/time.h"
#include "core/policy/failure.h"
struct pacer { int64_t until_ns; };
static inline void pacer_init(struct pacer *p){ p->until_ns = 0; }
static inline int64_t pacer_next_ns(const struct pacer *p, int64_t now){ return p->until_ns > now ? p->until_ns : now; }
static inline void pacer_note_sent(struct pacer *p, int64_t now){}
static inline void pacer_note_accepted(struct pacer *p, int64_t now){}
static inline void pacer_note_ended(struct pacer *p, int64_t now){}
static inline void pacer_note_limited(struct pacer *p, int64_t now, int64_t told, struct random *r){ int64_t u = time_after(now, told < 0 ? 0 : told); if (u > p->until_ns) p->until_ns = u; }
static inline void pacer_note_headers(struct pacer *p, const struct header *h, size_t n, int64_t now, int64_t wall){}
static inline int64_t pacer_pause_left_ns(const struct pacer *p, int64_t now){ return p->until_ns > now ? p->until_ns - now : 0; }
#endif
