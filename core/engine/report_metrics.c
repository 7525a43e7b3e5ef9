/* The file metrics: Prometheus' text format, one family after the other. */
#include <malloc.h>
#include <stdarg.h>
#include <string.h>

#include "core/engine/report.h"
#include "core/engine/state.h"

struct family {
    struct bytes *out;
    const char *name;
    bool ok; /* false once memory was short */
};

static struct family family(struct bytes *out, const char *name, const char *type,
                            const char *help) {
    struct family family = { out, name, true };
    family.ok = bytes_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    return family;
}

static void append_label_value(struct family *family, const char *value) {
    for (; *value && family->ok; value++) {
        if (*value == '\\' || *value == '"') family->ok = bytes_append_text(family->out, "\\");
        if (*value == '\n')
            family->ok = family->ok && bytes_append_text(family->out, "\\n");
        else
            family->ok = family->ok && bytes_append(family->out, value, 1);
    }
}

// labels: pairs of name and value, NULL-ended.
static void sample(struct family *family, const char *suffix, double value, ...) {
    if (!family->ok) return;
    family->ok = bytes_printf(family->out, "%s%s", family->name, suffix);
    va_list labels;
    va_start(labels, value);
    const char *open = "{";
    for (const char *label; family->ok && (label = va_arg(labels, const char *)); open = ",") {
        family->ok = bytes_printf(family->out, "%s%s=\"", open, label);
        append_label_value(family, va_arg(labels, const char *));
        family->ok = family->ok && bytes_append_text(family->out, "\"");
    }
    va_end(labels);
    if (open[0] == ',') family->ok = family->ok && bytes_append_text(family->out, "}");
    family->ok = family->ok && bytes_printf(family->out, " %.17g\n", value);
}

#define EACH_PROVIDER(engine, provider)                                                            \
    for (size_t each = 0; each < (engine)->provider_count; each++)                                 \
        for (const struct provider *provider = (engine)->providers[each];                          \
             provider && !provider->is_removed; provider = NULL)

static bool requests(const struct engine *engine, struct bytes *out) {
    struct family f = family(out, "askfs_requests_total", "counter", "Requests that ended.");
    EACH_PROVIDER(engine, provider) {
        const char *name = provider_name(provider);
        const struct stats *stats = &provider->stats;
        sample(&f, "", (double)stats->requests_ok, "provider", name, "outcome", "ok", NULL);
        sample(&f, "", (double)stats->requests_failed, "provider", name, "outcome", "failed", NULL);
        sample(&f, "", (double)stats->requests_cancelled, "provider", name, "outcome", "cancelled",
               NULL);
    }
    return f.ok;
}

static bool by_class(const struct engine *engine, struct bytes *out, const char *metric,
                     const char *help, size_t counts_offset) {
    struct family f = family(out, metric, "counter", help);
    EACH_PROVIDER(engine, provider) {
        const uint64_t *counts = (const uint64_t *)((const char *)&provider->stats + counts_offset);
        for (int class = 0; class < FAILURE_CLASS_COUNT; class ++)
            if (counts[class])
                sample(&f, "", (double)counts[class], "provider", provider_name(provider),
                       "error_class", failure_class_name(class), NULL);
    }
    return f.ok;
}

static bool retries(const struct engine *engine, struct bytes *out) {
    struct family f =
        family(out, "askfs_retries_total", "counter", "Retries by the attempt that had failed.");
    EACH_PROVIDER(engine, provider) {
        for (int class = 0; class < FAILURE_CLASS_COUNT; class ++) {
            for (int attempt = 1; attempt <= RETRY_ATTEMPTS_SHOWN; attempt++) {
                uint64_t count = provider->stats.retries[class][attempt];
                char number[8];
                snprintf(number, sizeof(number), "%d", attempt);
                if (count)
                    sample(&f, "", (double)count, "provider", provider_name(provider),
                           "error_class", failure_class_name(class), "attempt", number, NULL);
            }
        }
    }
    return f.ok;
}

#define EACH_MODEL(engine, provider, model)                                                        \
    EACH_PROVIDER(engine, provider)                                                                \
    for (size_t each_model = 0; each_model < (provider)->models.count; each_model++)               \
        for (const struct model_state *model = (provider)->models.states[each_model]; model;       \
             model = NULL)

static bool breaker_state(const struct engine *engine, struct bytes *out) {
    struct family f =
        family(out, "askfs_breaker_state", "gauge", "1 for the state that the breaker is in.");
    EACH_MODEL(engine, provider, model) {
        enum breaker_state now = breaker_state_at(&model->breaker, engine_now_ns(engine));
        for (int state = BREAKER_CLOSED; state <= BREAKER_HALF_OPEN; state++)
            sample(&f, "", now == (enum breaker_state)state, "provider", provider_name(provider),
                   "model", model->model, "state", breaker_state_name(state), NULL);
    }
    return f.ok;
}

static bool breaker_transitions(const struct engine *engine, struct bytes *out) {
    struct family f = family(out, "askfs_breaker_transitions_total", "counter",
                             "Changes of the breaker by the state entered.");
    EACH_PROVIDER(engine, provider) {
        for (int state = BREAKER_CLOSED; state <= BREAKER_HALF_OPEN; state++)
            sample(&f, "", (double)provider->stats.breaker_transitions[state], "provider",
                   provider_name(provider), "to", breaker_state_name(state), NULL);
    }
    return f.ok;
}

static bool reconnects(const struct engine *engine, struct bytes *out) {
    struct family f = family(out, "askfs_reconnects_total", "counter",
                             "Streams that broke and went on, by method.");
    EACH_PROVIDER(engine, provider) {
        for (int method = RECOVERY_RESTART; method < RECOVERY_METHOD_COUNT; method++)
            sample(&f, "", (double)provider->stats.reconnects[method], "provider",
                   provider_name(provider), "method", recovery_method_name(method), NULL);
    }
    return f.ok;
}

static bool denials(const struct engine *engine, struct bytes *out) {
    struct family seams = family(out, "askfs_seams_refused_total", "counter",
                                 "Continuations that did not fit what was delivered.");
    EACH_PROVIDER(engine, provider)
    sample(&seams, "", (double)provider->stats.seams_refused, "provider", provider_name(provider),
           NULL);
    struct family budget = family(out, "askfs_retry_budget_denials_total", "counter",
                                  "Retries that the retry budget did not allow.");
    EACH_PROVIDER(engine, provider)
    sample(&budget, "", (double)provider->stats.budget_denials, "provider", provider_name(provider),
           NULL);
    return seams.ok && budget.ok;
}

static bool gauges(const struct engine *engine, struct bytes *out) {
    int64_t now_ns = engine_now_ns(engine);
    struct family rate = family(out, "askfs_error_ratio_5m", "gauge",
                                "Failed share of the requests that ended in 5 minutes.");
    EACH_PROVIDER(engine, provider)
    sample(&rate, "", error_rate_read(&provider->stats.error_rate, now_ns, NULL), "provider",
           provider_name(provider), NULL);
    struct family active = family(out, "askfs_active_streams", "gauge", "Requests under way.");
    EACH_PROVIDER(engine, provider)
    sample(&active, "", (double)provider->active, "provider", provider_name(provider), NULL);
    struct family queued =
        family(out, "askfs_queued_requests", "gauge", "Requests that wait here.");
    EACH_PROVIDER(engine, provider)
    sample(&queued, "", (double)provider->queue.count, "provider", provider_name(provider), NULL);
    return rate.ok && active.ok && queued.ok;
}

static bool tokens(const struct engine *engine, struct bytes *out) {
    struct family f =
        family(out, "askfs_tokens_total", "counter", "Tokens as the providers counted them.");
    EACH_PROVIDER(engine, provider) {
        sample(&f, "", (double)provider->stats.input_tokens, "provider", provider_name(provider),
               "direction", "in", NULL);
        sample(&f, "", (double)provider->stats.output_tokens, "provider", provider_name(provider),
               "direction", "out", NULL);
    }
    return f.ok;
}

static void histogram_samples(struct family *f, const struct histogram *histogram,
                              const char *provider) {
    uint64_t count = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        char bound[32] = "+Inf";
        if (i < HISTOGRAM_BOUNDS) snprintf(bound, sizeof(bound), "%g", histogram->bounds_s[i]);
        count += histogram->counts[i];
        sample(f, "_bucket", (double)count, "provider", provider, "le", bound, NULL);
    }
    sample(f, "_sum", histogram->sum_s, "provider", provider, NULL);
    sample(f, "_count", (double)count, "provider", provider, NULL);
}

static bool histograms(const struct engine *engine, struct bytes *out) {
    struct family ttft = family(out, "askfs_ttft_seconds", "histogram",
                                "From the start of an attempt to its first content.");
    EACH_PROVIDER(engine, provider)
    histogram_samples(&ttft, &provider->stats.ttft, provider_name(provider));
    struct family gap = family(out, "askfs_inter_token_seconds", "histogram",
                               "Between two arrivals of content in one answer.");
    EACH_PROVIDER(engine, provider)
    histogram_samples(&gap, &provider->stats.inter_token, provider_name(provider));
    return ttft.ok && gap.ok;
}

static bool memory(struct bytes *out) {
    struct mallinfo2 info = mallinfo2();
    struct family f =
        family(out, "askfs_memory_bytes", "gauge", "Memory that the program has allocated.");
    sample(&f, "", (double)(info.uordblks + info.hblkhd), NULL);
    return f.ok;
}

bool report_metrics(const struct engine *engine, struct bytes *out) {
    return requests(engine, out) &&
           by_class(engine, out, "askfs_attempts_total", "Attempts that ended, by class.",
                    offsetof(struct stats, attempts_by_class)) &&
           by_class(engine, out, "askfs_failed_requests_total",
                    "Requests that failed, by the class of their failure.",
                    offsetof(struct stats, failed_by_class)) &&
           retries(engine, out) && breaker_state(engine, out) && breaker_transitions(engine, out) &&
           reconnects(engine, out) && denials(engine, out) && gauges(engine, out) &&
           tokens(engine, out) && histograms(engine, out) && memory(out);
}
