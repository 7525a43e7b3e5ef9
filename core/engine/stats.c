#include "core/engine/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/time.h"

static const double ttft_bounds_s[HISTOGRAM_BOUNDS] = { 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                                        2.5,  5,     10,   20,  30,   60,  120 };
static const double inter_token_bounds_s[HISTOGRAM_BOUNDS] = { 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                               0.02,   0.05,  0.1,    0.2,   0.5,
                                                               1,      2,     5,      30 };

void stats_init(struct stats *stats) {
    *stats = (struct stats){ 0 };
    stats->ttft.bounds_s = ttft_bounds_s;
    stats->inter_token.bounds_s = inter_token_bounds_s;
    for (int i = 0; i < RATE_SLOTS; i++)
        stats->error_rate.slots[i].slot = -1;
}

void histogram_note(struct histogram *histogram, int64_t duration_ns) {
    double seconds = time_to_seconds(duration_ns);
    int i = 0;
    while (i < HISTOGRAM_BOUNDS && seconds > histogram->bounds_s[i])
        i++;
    histogram->counts[i]++;
    histogram->sum_s += seconds;
}

void recent_note(struct recent *recent, int64_t duration_ns) {
    recent->values_ms[recent->noted++ % RECENT_KEPT] = (float)((double)duration_ns / 1e6);
}

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

double recent_quantile_ms(const struct recent *recent, double quantile) {
    size_t count = recent->noted < RECENT_KEPT ? recent->noted : RECENT_KEPT;
    if (count == 0) return -1;
    float sorted[RECENT_KEPT];
    memcpy(sorted, recent->values_ms, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_floats);
    size_t rank = (size_t)ceil(quantile * (double)count);
    return sorted[rank ? rank - 1 : 0];
}

void error_rate_note(struct error_rate *rate, bool failed, int64_t now_ns) {
    int64_t slot = now_ns / (10 * TIME_S);
    int i = (int)(slot % RATE_SLOTS);
    if (rate->slots[i].slot != slot) {
        rate->slots[i].slot = slot;
        rate->slots[i].ok = 0;
        rate->slots[i].failed = 0;
    }
    if (failed)
        rate->slots[i].failed++;
    else
        rate->slots[i].ok++;
}

double error_rate_read(const struct error_rate *rate, int64_t now_ns, uint64_t *ended_out) {
    int64_t newest = now_ns / (10 * TIME_S);
    uint64_t ok = 0;
    uint64_t failed = 0;
    for (int i = 0; i < RATE_SLOTS; i++) {
        if (rate->slots[i].slot <= newest - RATE_SLOTS || rate->slots[i].slot < 0) continue;
        ok += rate->slots[i].ok;
        failed += rate->slots[i].failed;
    }
    if (ended_out) *ended_out = ok + failed;
    return ok + failed ? (double)failed / (double)(ok + failed) : 0;
}
