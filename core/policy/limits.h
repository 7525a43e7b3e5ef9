/*
 * limits: what a reply's headers say about rate limits. Pure.
 *
 * x-ratelimit-limit-requests and its kin (OpenAI, Groq), anthropic-ratelimit-tokens-remaining and
 * its kin, x-ratelimit-limit, ratelimit-limit. Values that cannot be meant are absent.
 */
#ifndef ASKFS_CORE_POLICY_LIMITS_H
#define ASKFS_CORE_POLICY_LIMITS_H

#include "core/policy/failure.h"

enum limit_kind {
    LIMIT_REQUESTS,
    LIMIT_TOKENS,
    LIMIT_INPUT_TOKENS,
    LIMIT_OUTPUT_TOKENS,
    LIMIT_KINDS
};

struct limit {
    double limit;     /* what the bucket holds; 0: not told */
    double remaining; /* -1: not told */
    int64_t reset_ns; /* until it is full, or until its window ends; -1: not told */
};

/* Fills all of limits_out. wall_ns: the local wall clock, for instants in replies without a Date.
 */
void limits_read(const struct header *headers, size_t header_count, int64_t wall_ns,
                 struct limit limits_out[LIMIT_KINDS]);

#endif
