/*
 * report_text: the "key: value" lines that every file that tells is made of.
 */
#ifndef ASKFS_CORE_ENGINE_REPORT_TEXT_H
#define ASKFS_CORE_ENGINE_REPORT_TEXT_H

#include <stdio.h>

#include "core/base/bytes.h"
#include "core/policy/failure.h"
#include "core/policy/retry.h"

/* Each appends one line; "-" stands for what is not known. False: no memory. */
bool report_text(struct bytes *out, const char *key, const char *value);
bool report_count(struct bytes *out, const char *key, int64_t value);         /* -1: not known */
bool report_seconds(struct bytes *out, const char *key, int64_t duration_ns); /* TIME_NEVER: "-" */
bool report_ms(struct bytes *out, const char *key, double ms);                /* -1: not known */
bool report_number(struct bytes *out, const char *key,
                   double value); /* six places; -1: not known */
bool report_time(struct bytes *out, const char *key, int64_t wall_ns); /* -1: not known */

/* The file error: what failed, what was said, what to do. */
bool report_failure(struct bytes *out, const struct failure *failure, const char *request_id,
                    int attempts, int64_t wall_ns, const struct retry_policy *policy);

#endif
