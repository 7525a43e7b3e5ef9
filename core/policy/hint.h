/*
 * hint: what a provider tells about when to come back. Pure.
 *
 * Order: retry-after-ms, retry-after (seconds or HTTP date minus the reply's own Date), the body's
 * retry_after, Google's retryDelay, "try again in 6m0s" in the message (rate_limit and overloaded
 * only), reset headers of exhausted buckets (429 only). Zero, negative and nonsense are absent.
 */
#ifndef ASKFS_CORE_POLICY_HINT_H
#define ASKFS_CORE_POLICY_HINT_H

#include <jansson.h>

#include "core/policy/failure.h"

/* body: the normalised error object, or NULL. Returns -1 when nothing was told. */
int64_t hint_retry_after_ns(const struct failed_reply *reply, const json_t *body,
                            const char *message, enum failure_class class);

/* x-should-retry: 1 true, 0 false, -1 absent. */
int hint_should_retry(const struct header *headers, size_t header_count);

/* "1s", "120ms", "6m0s", "1h2m3.5s": units descending, each once. -1: not a duration. */
int64_t hint_parse_duration(struct slice text);

/* "Sun, 06 Nov 1994 08:49:37 GMT" to seconds since 1970; -1: not a date. */
int64_t hint_parse_http_date(struct slice text);

struct slice header_find(const struct header *headers, size_t header_count, const char *name);

#endif
