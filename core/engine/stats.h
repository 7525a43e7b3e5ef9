/*
 * stats: what a provider did, counted for status and metrics. Pure.
 */
#ifndef ASKFS_CORE_ENGINE_STATS_H
#define ASKFS_CORE_ENGINE_STATS_H

#include <stdint.h>

#include "core/policy/failure.h"
#include "core/policy/recovery.h"

enum { HISTOGRAM_BOUNDS = 14, RECENT_KEPT = 256, RATE_SLOTS = 30, RETRY_ATTEMPTS_SHOWN = 10 };

/* Cumulative counts for a Prometheus histogram. */
struct histogram {
    const double *bounds_s; /* HISTOGRAM_BOUNDS of them, rising */
    uint64_t counts[HISTOGRAM_BOUNDS + 1];
    double sum_s;
};

void histogram_note(struct histogram *histogram, int64_t duration_ns);

/* The newest values, for quantiles. */
struct recent {
    float values_ms[RECENT_KEPT];
    uint32_t noted;
};

void recent_note(struct recent *recent, int64_t duration_ns);
double recent_quantile_ms(const struct recent *recent, double quantile); /* -1: none noted */

/* Successes and failures of the last five minutes, in slots of ten seconds. */
struct error_rate {
    struct {
        int64_t slot; /* which ten seconds these counts are of */
        uint32_t ok;
        uint32_t failed;
    } slots[RATE_SLOTS];
};

void error_rate_note(struct error_rate *rate, bool failed, int64_t now_ns);
/* 0 when nothing ended. ended_out: how many did; may be NULL. */
double error_rate_read(const struct error_rate *rate, int64_t now_ns, uint64_t *ended_out);

struct stats {
    uint64_t requests_total;
    uint64_t requests_ok;
    uint64_t requests_failed;
    uint64_t requests_cancelled;
    uint64_t attempts_total;
    uint64_t attempts_by_class[FAILURE_CLASS_COUNT]; /* ended attempts; FAILURE_NONE: ok */
    uint64_t failed_by_class[FAILURE_CLASS_COUNT];   /* requests */
    uint64_t retries_total;
    uint64_t retries[FAILURE_CLASS_COUNT][RETRY_ATTEMPTS_SHOWN + 1];
    uint64_t reconnects_total;
    uint64_t reconnects[RECOVERY_METHOD_COUNT];
    uint64_t seams_refused;
    uint64_t breaker_transitions[3]; /* by the state that was entered */
    uint64_t input_tokens;
    uint64_t output_tokens;
    struct histogram ttft;
    struct histogram inter_token;
    struct recent ttft_recent;
    struct error_rate error_rate;
};

void stats_init(struct stats *stats);

#endif
