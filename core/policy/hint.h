/*
 * hint: what a provider tells about when to come back. Pure.
 *
 * Order: retry-after-ms, retry-after (seconds, a duration, or an HTTP date minus the reply's own
 * Date, else minus wall_ns), the body's retry_after, Google's retryDelay, "try again in 6m0s" in
 * the message (rate_limit and overloaded only), reset headers of exhausted buckets (429 only).
 * Zero, negative, past and nonsense are absent: the next source is asked.
 */
#ifndef ASKFS_CORE_POLICY_HINT_H
#define ASKFS_CORE_POLICY_HINT_H

#include <jansson.h>

#include "core/policy/failure.h"
#include "core/policy/failure_body.h"

/* Returns -1 when nothing was told. Never 0. */
int64_t hint_retry_after_ns(const struct failed_reply *reply, const struct failure_body *body,
                            enum failure_class class);

/* x-should-retry: 1 true, 0 false, -1 absent. */
int hint_should_retry(const struct header *headers, size_t header_count);

/* The first header of that name, white space around its value left out; data NULL: absent. */
struct slice header_find(const struct header *headers, size_t header_count, const char *name);

/* When the reply was made, in nanoseconds since 1970: its Date, else wall_ns; 0: not known. */
int64_t hint_reply_wall_ns(const struct header *headers, size_t header_count, int64_t wall_ns);

/* Until a bucket is full again: a duration ("6m0s"), an instant (RFC 3339), or a bare number of
 * seconds, of seconds since 1970, or of milliseconds since 1970. -1: absent, past or nonsense;
 * also an instant when wall_ns is 0. */
int64_t hint_reset_ns(struct slice value, int64_t wall_ns);

/* ---- the forms of numbers and times, in hint_time.c ---- */

/* Takes digits with at most one point from the front of *text; false: there are none. */
bool hint_take_number(struct slice *text, double *number_out);
/* "1s", "120ms", "6m0s", "1h2m3.5s" at the front of *text: units descending, each once. */
bool hint_take_duration(struct slice *text, double *seconds_out);

/* The whole text as a duration. -1: not one. */
int64_t hint_parse_duration(struct slice text);
/* Any of the three forms of RFC 9110, to seconds since 1970; -1: not a date. */
int64_t hint_parse_http_date(struct slice text);
/* RFC 3339, to seconds since 1970; negative: not an instant. */
double hint_parse_rfc3339(struct slice text);

#endif
