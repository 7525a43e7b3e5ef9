/* The file metrics: what is counted, and under which name. */
#include <malloc.h>
#include <string.h>

#include "core/engine/metric_text.h"
#include "core/engine/report.h"
#include "core/engine/state.h"

#define EACH_PROVIDER(engine, provider)                                                            \
    for (size_t each = 0; each < (engine)->provider_count; each++)                                 \
        for (const struct provider *provider = (engine)->providers[each];                          \
             provider && !provider->is_removed; provider = NULL)

static bool requests(const struct engine *engine, struct bytes *out) {
    struct metric_family f =
        metric_family(out, "askfs_requests_total", "counter", "Requests that ended.");
    EACH_PROVIDER(engine, provider) {
        const char *name = provider_name(provider);
        const struct stats *stats = &provider->stats;
        metric_sample(&f, "", (double)stats->requests_ok, "provider", name, "outcome", "ok", NULL);
        metric_sample(&f, "", (double)stats->requests_failed, "provider", name, "outcome", "failed",
                      NULL);
        metric_sample(&f, "", (double)stats->requests_cancelled, "provider", name, "outcome",
                      "cancelled", NULL);
    }
    return f.ok;
}

// All classes from the first one on, at 0, too: Prometheus sees no increase from nothing to 1.
static bool by_class(const struct engine *engine, struct bytes *out, const char *metric,
                     const char *help, size_t counts_offset, enum failure_class first) {
    struct metric_family f = metric_family(out, metric, "counter", help);
    EACH_PROVIDER(engine, provider) {
        const uint64_t *counts = (const uint64_t *)((const char *)&provider->stats + counts_offset);
        for (int class = first; class < FAILURE_CLASS_COUNT; class ++)
            metric_sample(&f, "", (double)counts[class], "provider", provider_name(provider),
                          "error_class", failure_class_name(class), NULL);
    }
    return f.ok;
}

static bool retries(const struct engine *engine, struct bytes *out) {
    struct metric_family f = metric_family(out, "askfs_retries_total", "counter",
                                           "Retries by the attempt that had failed.");
    EACH_PROVIDER(engine, provider) {
        for (int class = 0; class < FAILURE_CLASS_COUNT; class ++) {
            for (int attempt = 1; attempt <= RETRY_ATTEMPTS_SHOWN; attempt++) {
                uint64_t count = provider->stats.retries[class][attempt];
                char number[8];
                snprintf(number, sizeof(number), "%d", attempt);
                if (count)
                    metric_sample(&f, "", (double)count, "provider", provider_name(provider),
                                  "error_class", failure_class_name(class), "attempt", number,
                                  NULL);
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
    struct metric_family f = metric_family(out, "askfs_breaker_state", "gauge",
                                           "1 for the state that the breaker is in.");
    EACH_MODEL(engine, provider, model) {
        enum breaker_state now = breaker_state_at(&model->breaker, engine_now_ns(engine));
        for (int state = BREAKER_CLOSED; state <= BREAKER_HALF_OPEN; state++)
            metric_sample(&f, "", now == (enum breaker_state)state, "provider",
                          provider_name(provider), "model", model->model, "state",
                          breaker_state_name(state), NULL);
    }
    return f.ok;
}

static bool breaker_transitions(const struct engine *engine, struct bytes *out) {
    struct metric_family f = metric_family(out, "askfs_breaker_transitions_total", "counter",
                                           "Changes of the breaker by the state entered.");
    EACH_PROVIDER(engine, provider) {
        for (int state = BREAKER_CLOSED; state <= BREAKER_HALF_OPEN; state++)
            metric_sample(&f, "", (double)provider->stats.breaker_transitions[state], "provider",
                          provider_name(provider), "to", breaker_state_name(state), NULL);
    }
    return f.ok;
}

static bool reconnects(const struct engine *engine, struct bytes *out) {
    struct metric_family f = metric_family(out, "askfs_reconnects_total", "counter",
                                           "Streams that broke and went on, by method.");
    EACH_PROVIDER(engine, provider) {
        for (int method = RECOVERY_RESTART; method < RECOVERY_METHOD_COUNT; method++)
            metric_sample(&f, "", (double)provider->stats.reconnects[method], "provider",
                          provider_name(provider), "method", recovery_method_name(method), NULL);
    }
    return f.ok;
}

static double seams_refused(const struct provider *provider) {
    return (double)provider->stats.seams_refused;
}

static double retries_denied(const struct provider *provider) {
    return (double)provider->retry_budget.denied;
}

static double budget_left(const struct provider *provider) {
    return retry_budget_left_ratio(&provider->retry_budget, engine_now_ns(provider->engine));
}

static double error_ratio(const struct provider *provider) {
    return error_rate_read(&provider->stats.error_rate, engine_now_ns(provider->engine), NULL);
}

static double pause_left(const struct provider *provider) {
    return time_to_seconds(pacer_hold_left_ns(&provider->pacer, engine_now_ns(provider->engine)));
}

static double active(const struct provider *provider) {
    return (double)provider->active;
}

static double queued(const struct provider *provider) {
    return (double)provider->queue.count;
}

// One number a provider.
static const struct {
    const char *name;
    const char *type;
    const char *help;
    double (*value)(const struct provider *provider);
} numbers_of[] = {
    { "askfs_seams_refused_total", "counter", "Continuations that did not fit what was delivered.",
      seams_refused },
    { "askfs_retry_budget_denials_total", "counter", "Retries that the retry budget did not allow.",
      retries_denied },
    { "askfs_retry_budget_left_ratio", "gauge", "Share of the retry budget that is left.",
      budget_left },
    { "askfs_error_ratio_5m", "gauge", "Failed share of the requests that ended in 5 minutes.",
      error_ratio },
    { "askfs_rate_limit_pause_seconds", "gauge", "How long the provider asked to wait from now on.",
      pause_left },
    { "askfs_active_streams", "gauge", "Requests under way.", active },
    { "askfs_queued_requests", "gauge", "Requests that wait here.", queued },
};

static bool numbers(const struct engine *engine, struct bytes *out) {
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof(numbers_of) / sizeof(*numbers_of); i++) {
        struct metric_family f =
            metric_family(out, numbers_of[i].name, numbers_of[i].type, numbers_of[i].help);
        EACH_PROVIDER(engine, provider)
        metric_sample(&f, "", numbers_of[i].value(provider), "provider", provider_name(provider),
                      NULL);
        ok = f.ok;
    }
    return ok;
}

static bool provider_info(const struct engine *engine, struct bytes *out) {
    struct metric_family f =
        metric_family(out, "askfs_provider_info", "gauge", "1 for each provider.");
    EACH_PROVIDER(engine, provider)
    metric_sample(&f, "", 1, "provider", provider_name(provider), "type",
                  provider->config->type->name, NULL);
    return f.ok;
}

static bool provider_states(const struct engine *engine, struct bytes *out) {
    static const char *const states[] = { "ok", "degraded", "rate_limited", "down", "no_key" };
    struct metric_family f = metric_family(out, "askfs_provider_state", "gauge",
                                           "1 for the state that the provider is in.");
    EACH_PROVIDER(engine, provider) {
        const char *now = provider_state_name(provider);
        for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
            metric_sample(&f, "", strcmp(now, states[i]) == 0, "provider", provider_name(provider),
                          "state", states[i], NULL);
    }
    return f.ok;
}

static bool raised(const struct engine *engine, struct bytes *out) {
    struct metric_family f = metric_family(out, "askfs_alert_raised", "gauge",
                                           "1 while what the file alerts told has not ended.");
    EACH_PROVIDER(engine, provider) {
        for (int alert = 0; alert < ALERT_COUNT; alert++)
            metric_sample(&f, "", alerts_is_raised(&provider->alerts, alert), "provider",
                          provider_name(provider), "alert", alert_name(alert), NULL);
    }
    return f.ok;
}

static bool budgets(const struct engine *engine, struct bytes *out) {
    struct metric_family f = metric_family(out, "askfs_budget_spent_ratio", "gauge",
                                           "Spent share of the user's own budget of this period.");
    EACH_PROVIDER(engine, provider) {
        for (enum quota_kind kind = QUOTA_REQUESTS; kind < QUOTA_KINDS; kind++)
            metric_sample(&f, "", quota_spent_ratio(&provider->quota, kind, engine_wall_ns(engine)),
                          "provider", provider_name(provider), "budget", quota_kind_name(kind),
                          NULL);
    }
    return f.ok;
}

static bool tokens(const struct engine *engine, struct bytes *out) {
    struct metric_family f = metric_family(out, "askfs_tokens_total", "counter",
                                           "Tokens as the providers counted them.");
    EACH_PROVIDER(engine, provider) {
        metric_sample(&f, "", (double)provider->stats.input_tokens, "provider",
                      provider_name(provider), "direction", "in", NULL);
        metric_sample(&f, "", (double)provider->stats.output_tokens, "provider",
                      provider_name(provider), "direction", "out", NULL);
    }
    return f.ok;
}

static void histogram_samples(struct metric_family *f, const struct histogram *histogram,
                              const char *provider) {
    uint64_t count = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        char bound[32] = "+Inf";
        if (i < HISTOGRAM_BOUNDS) snprintf(bound, sizeof(bound), "%g", histogram->bounds_s[i]);
        count += histogram->counts[i];
        metric_sample(f, "_bucket", (double)count, "provider", provider, "le", bound, NULL);
    }
    metric_sample(f, "_sum", histogram->sum_s, "provider", provider, NULL);
    metric_sample(f, "_count", (double)count, "provider", provider, NULL);
}

static bool histograms(const struct engine *engine, struct bytes *out) {
    struct metric_family ttft = metric_family(out, "askfs_ttft_seconds", "histogram",
                                              "From the start of an attempt to its first content.");
    EACH_PROVIDER(engine, provider)
    histogram_samples(&ttft, &provider->stats.ttft, provider_name(provider));
    struct metric_family gap = metric_family(out, "askfs_inter_token_seconds", "histogram",
                                             "Between two arrivals of content in one answer.");
    EACH_PROVIDER(engine, provider)
    histogram_samples(&gap, &provider->stats.inter_token, provider_name(provider));
    return ttft.ok && gap.ok;
}

static bool one(struct bytes *out, const char *name, const char *type, const char *help,
                double value) {
    struct metric_family f = metric_family(out, name, type, help);
    metric_sample(&f, "", value, NULL);
    return f.ok;
}

static bool answers(const struct store_pool *stores, struct bytes *out) {
    return one(out, "askfs_answer_memory_bytes", "gauge", "Memory that holds text of answers.",
               (double)store_pool_memory(stores)) &&
           one(out, "askfs_answer_memory_limit_bytes", "gauge",
               "Memory beyond which text of answers goes to the spill file.",
               (double)stores->memory_max) &&
           one(out, "askfs_spilled_bytes", "gauge", "Text of answers in the spill file.",
               (double)store_pool_spilled(stores)) &&
           one(out, "askfs_spill_failures_total", "counter",
               "Writes to the spill file and reads from it that failed.",
               (double)store_pool_failures(stores)) &&
           one(out, "askfs_spill_failing", "gauge",
               "1 while text stays in memory because the spill file takes none.",
               store_pool_error(stores) != 0);
}

static bool program(const struct engine *engine, struct bytes *out) {
    struct mallinfo2 info = mallinfo2();
    return one(out, "askfs_memory_bytes", "gauge", "Memory that the program has allocated.",
               (double)(info.uordblks + info.hblkhd)) &&
           one(out, "askfs_start_time_seconds", "gauge", "When it was mounted, in Unix time.",
               time_to_seconds(engine->started_wall_ns));
}

bool report_metrics(const struct engine *engine, struct bytes *out) {
    return requests(engine, out) &&
           by_class(engine, out, "askfs_attempts_total", "Attempts that ended, by class.",
                    offsetof(struct stats, attempts_by_class), FAILURE_NONE) &&
           by_class(engine, out, "askfs_failed_requests_total",
                    "Requests that failed, by the class of their failure.",
                    offsetof(struct stats, failed_by_class), FAILURE_NONE + 1) &&
           retries(engine, out) && breaker_state(engine, out) && breaker_transitions(engine, out) &&
           reconnects(engine, out) && numbers(engine, out) && provider_info(engine, out) &&
           provider_states(engine, out) && raised(engine, out) && budgets(engine, out) &&
           tokens(engine, out) && histograms(engine, out) && answers(&engine->stores, out) &&
           program(engine, out);
}
