/*
 * rows: the rows of tests/data/provider-errors.json and more-errors.json, and what each says of a
 * failure.
 */
#ifndef ASKFS_TESTS_UNIT_ROWS_H
#define ASKFS_TESTS_UNIT_ROWS_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/time.h"
#include "core/policy/failure.h"
#include "fs/errors.h"

enum { ROWS = 312, ROW_HEADERS_MAX = 64 };

static inline json_t *rows_load(void) {
    return json_load_file("tests/data/provider-errors.json", JSON_ALLOW_NUL, NULL);
}

static inline const char *row_text(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static inline bool row_flag(const json_t *row, const char *key) {
    return json_is_true(json_object_get(row, key));
}

static inline bool row_is_success(const json_t *row) {
    const char *category = row_text(row, "category");
    return strcmp(category, "complete") == 0 || strcmp(category, "length_limit") == 0;
}

/* No HTTP reply, or its end came from below: judged by failure_from_transport and its like. */
static inline bool row_is_transport(const json_t *row) {
    return !json_is_integer(json_object_get(row, "status"));
}

/* A reply whose status or whole body says that it failed: judged by failure_from_reply. */
static inline bool row_is_reply(const json_t *row) {
    return !row_is_transport(row) && !row_flag(row, "in_stream") && !row_is_success(row);
}

static inline void row_judge_reply(const json_t *row, struct failure *failure_out) {
    struct header headers[ROW_HEADERS_MAX];
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(row, "headers"), name, value) {
        headers[count].name = slice_of(name);
        headers[count++].value = slice_of(json_string_value(value));
    }
    struct failed_reply reply = {
        .status = (int)json_integer_value(json_object_get(row, "status")),
        .headers = headers,
        .header_count = count,
        .body = slice_of(row_text(row, "sample_body")),
    };
    failure_from_reply(&reply, failure_out);
}

/* Bytes that follow a 200: judged by the decoders. xAI's deferred jobs have no wire of ours. */
static inline bool row_is_stream(const json_t *row) {
    return json_integer_value(json_object_get(row, "status")) == 200 &&
           !strstr(row_text(row, "api"), "deferred") &&
           json_is_string(json_object_get(row, "sample_body"));
}

static inline bool row_is_delay(const json_t *row, const struct failure *failure) {
    const json_t *told = json_object_get(row, "retry_after_ms");
    if (!json_is_number(told)) return failure->retry_after_ns == -1;
    int64_t told_ns = (int64_t)(json_number_value(told) * 1e6);
    return llabs(failure->retry_after_ns - told_ns) < TIME_MS;
}

/* The manual's errno of the row's category; a certificate, an address and a refusal have their own.
 */
static inline int row_errno(const json_t *row) {
    static const struct {
        const char *name;
        int error;
    } rows[] = {
        { "net-dns", EHOSTUNREACH },
        { "net-proxy-dns", EHOSTUNREACH },
        { "net-refused", ECONNREFUSED },
        { "net-tls-verify", EPROTO },
        { "net-ca-file", EPROTO },
        { "net-oom", ENOMEM },
        { "auth", EACCES },
        { "permission", EPERM },
        { "billing", EDQUOT },
        { "not_found", ENXIO },
        { "validation", EINVAL },
        { "context_length", EMSGSIZE },
        { "request_too_large", EMSGSIZE },
        { "content_filter", ENOTSUP },
        { "rate_limit", EBUSY },
        { "conflict", EBUSY },
        { "pending", EBUSY },
        { "overloaded", EREMOTEIO },
        { "server", EREMOTEIO },
        { "network", ECONNRESET },
        { "timeout", ETIMEDOUT },
        { "stream_truncated", ECONNRESET },
        { "stream_stalled", ETIMEDOUT },
        { "protocol", EPROTO },
        { "cancelled", ECANCELED },
        { "complete", 0 },
        { "length_limit", 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].name, row_text(row, "id")) == 0 ||
            strcmp(rows[i].name, row_text(row, "category")) == 0)
            return rows[i].error;
    return -1;
}

/* Everything but the class, which streams name otherwise. */
static inline bool row_is_verdict(const json_t *row, const struct failure *failure) {
    return failure->retryable == row_flag(row, "retryable") &&
           failure->counts_for_breaker == row_flag(row, "breaker_counts") &&
           row_is_delay(row, failure) && error_of_failure(failure) == row_errno(row);
}

static inline void row_print_wrong(const json_t *row, const struct failure *failure) {
    print_error("%s: got %s retryable=%d counts=%d after=%lld ms errno=%d %s\n",
                row_text(row, "id"), failure_class_name(failure->class), failure->retryable,
                failure->counts_for_breaker, (long long)(failure->retry_after_ns / TIME_MS),
                error_of_failure(failure), failure->message);
}

#endif
