#ifndef BUDGET_H
#define BUDGET_H
#include "core/policy/failure.h"
struct retry_budget_policy { double ratio, per_second, tokens_max; };
struct retry_budget { double tokens; };
static inline void retry_budget_init(struct retry_budget *b, const struct retry_budget_policy *p, int64_t now){ b->tokens = 20; }
static inline void retry_budget_note_success(struct retry_budget *b, int64_t now){}
static inline double retry_budget_cost(const struct failure *f, bool progress){ return 1; }
static inline double retry_budget_left(const struct retry_budget *b, int64_t now){ return 1; }
static inline bool retry_budget_take(struct retry_budget *b, double cost, int64_t now){ return true; }
#endif
