/* The files that tell about providers: status, breaker, error, the mount's status and README. */
#include <string.h>

#include "core/engine/report.h"
#include "core/engine/report_text.h"
#include "core/engine/state.h"

static int64_t now_of(const struct provider *provider) {
    return engine_now_ns(provider->engine);
}

static bool line_last_error(const struct provider *provider, struct bytes *out) {
    const struct last_error *last = provider->last_error;
    return report_text(out, "last_error", last ? failure_class_name(last->failure.class) : "") &&
           report_time(out, "last_error_at", last ? last->wall_ns : -1);
}

bool report_provider_status(const struct provider *provider, struct bytes *out) {
    const struct stats *stats = &provider->stats;
    const struct breaker *breaker = &provider->breaker;
    int64_t now_ns = now_of(provider);
    return report_text(out, "provider", provider_name(provider)) &&
           report_text(out, "type", provider->config->type->name) &&
           report_text(out, "model", provider->settings->model) &&
           report_text(out, "endpoint", provider->base_url) &&
           report_text(out, "state", provider_state_name(provider)) &&
           report_text(out, "breaker", breaker_state_name(breaker_state_at(breaker, now_ns))) &&
           report_count(out, "breaker_failures", breaker_failures(breaker, now_ns)) &&
           report_seconds(out, "breaker_retry_in_s", breaker_retry_in_ns(breaker, now_ns)) &&
           report_count(out, "requests_active", (int64_t)provider->active) &&
           report_count(out, "requests_queued", (int64_t)provider->queued) &&
           report_count(out, "requests_total", (int64_t)stats->requests_total) &&
           report_count(out, "requests_ok", (int64_t)stats->requests_ok) &&
           report_count(out, "requests_failed", (int64_t)stats->requests_failed) &&
           report_count(out, "requests_cancelled", (int64_t)stats->requests_cancelled) &&
           report_count(out, "attempts_total", (int64_t)stats->attempts_total) &&
           report_count(out, "retries_total", (int64_t)stats->retries_total) &&
           report_count(out, "reconnects_total", (int64_t)stats->reconnects_total) &&
           bytes_printf(out, "error_rate_5m: %.3f\n",
                        error_rate_read(&stats->error_rate, now_ns)) &&
           report_seconds(out, "rate_limited_for_s", pause_left_ns(&provider->pause, now_ns)) &&
           report_ms(out, "ttft_p50_ms", recent_quantile_ms(&stats->ttft_recent, 0.50)) &&
           report_ms(out, "ttft_p95_ms", recent_quantile_ms(&stats->ttft_recent, 0.95)) &&
           report_count(out, "tokens_in", (int64_t)stats->input_tokens) &&
           report_count(out, "tokens_out", (int64_t)stats->output_tokens) &&
           line_last_error(provider, out);
}

bool report_provider_breaker(const struct provider *provider, struct bytes *out) {
    const struct breaker *breaker = &provider->breaker;
    int64_t now_ns = now_of(provider);
    int64_t opened_wall_ns = -1;
    if (breaker->opened_at_ns >= 0)
        opened_wall_ns = engine_wall_ns(provider->engine) - (now_ns - breaker->opened_at_ns);
    return report_text(out, "state", breaker_state_name(breaker_state_at(breaker, now_ns))) &&
           report_count(out, "failures", breaker_failures(breaker, now_ns)) &&
           report_count(out, "threshold", breaker->policy->failure_threshold) &&
           report_seconds(out, "window_s", breaker->policy->window_ns) &&
           report_seconds(out, "retry_in_s", breaker_retry_in_ns(breaker, now_ns)) &&
           report_time(out, "opened_at", opened_wall_ns) &&
           report_count(out, "opens", (int64_t)breaker->opens) &&
           report_text(out, "cause", provider->breaker_cause ? provider->breaker_cause : "") &&
           report_text(out, "forced", breaker->forced ? "yes" : "no");
}

bool report_provider_error(const struct provider *provider, struct bytes *out) {
    const struct last_error *last = provider->last_error;
    if (!last) return true;
    return report_failure(out, &last->failure, last->request_id, last->attempts, last->wall_ns,
                          &provider->config->retry);
}

static size_t longest_name(const struct engine *engine) {
    size_t longest = 8;
    for (size_t i = 0; i < engine->provider_count; i++) {
        size_t length = strlen(provider_name(engine->providers[i]));
        if (length > longest) longest = length;
    }
    return longest;
}

static bool mount_status_line(const struct provider *provider, int width, struct bytes *out) {
    const struct stats *stats = &provider->stats;
    int64_t now_ns = now_of(provider);
    const struct last_error *last = provider->last_error;
    double ttft_ms = recent_quantile_ms(&stats->ttft_recent, 0.50);
    char ttft[32] = "-";
    if (ttft_ms >= 0) snprintf(ttft, sizeof(ttft), "%.0fms", ttft_ms);
    return bytes_printf(out,
                        "%-*s  %-12s  breaker=%-9s  active=%-4zu  ok=%-6llu  failed=%-5llu  "
                        "errors_5m=%5.1f%%  ttft_p50=%-7s  last_error=%s\n",
                        width, provider_name(provider), provider_state_name(provider),
                        breaker_state_name(breaker_state_at(&provider->breaker, now_ns)),
                        provider->active, (unsigned long long)stats->requests_ok,
                        (unsigned long long)stats->requests_failed,
                        100 * error_rate_read(&stats->error_rate, now_ns), ttft,
                        last ? failure_class_name(last->failure.class) : "-");
}

bool report_mount_status(const struct engine *engine, struct bytes *out) {
    int width = (int)longest_name(engine);
    for (size_t i = 0; i < engine->provider_count; i++)
        if (!mount_status_line(engine->providers[i], width, out)) return false;
    return true;
}

bool report_readme(const struct engine *engine, const char *mountpoint, struct bytes *out) {
    const char *name = "sim";
    if (engine->provider_count) name = provider_name(engine->providers[0]);
    if (!bytes_printf(out,
                      "This is askfs: each directory is an LLM provider.\n\n"
                      "  echo 'Why is the sky blue?' > %s/%s/prompt   # write, close: asked\n"
                      "  cat %s/%s/response                           # tokens as they arrive\n"
                      "  cat %s/status                                # every provider's health\n\n"
                      "The end of response means that the answer is complete. An answer that could\n"
                      "not be completed ends with an error, and the file error says what to do.\n\n"
                      "Mounted here:\n",
                      mountpoint, name, mountpoint, name, mountpoint))
        return false;
    for (size_t i = 0; i < engine->provider_count; i++) {
        const struct provider *provider = engine->providers[i];
        if (!bytes_printf(out, "  %s/  %s, model %s, %s\n", provider_name(provider),
                          provider->config->type->name, provider->settings->model,
                          provider->key_problem ? provider->key_problem : provider->base_url))
            return false;
    }
    return bytes_append_text(out,
                             "\nIn each: prompt response reasoning wait status breaker error models"
                             " model\nsystem options.json requests/.\n");
}
