/* The files that tell about providers: status, breaker, error, and the mount's status. */
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

static bool lines_budget(const struct provider *provider, struct bytes *out) {
    const struct quota *quota = &provider->quota;
    int64_t wall_ns = engine_wall_ns(provider->engine);
    int64_t resets_at_ns = quota_resets_at_ns(quota, wall_ns);
    return report_count(out, "budget_requests_left",
                        (int64_t)quota_left(quota, QUOTA_REQUESTS, wall_ns)) &&
           report_count(out, "budget_tokens_left",
                        (int64_t)quota_left(quota, QUOTA_TOKENS, wall_ns)) &&
           report_number(out, "budget_money_left", quota_left(quota, QUOTA_MONEY, wall_ns)) &&
           report_time(out, "budget_resets_at", resets_at_ns == TIME_NEVER ? -1 : resets_at_ns);
}

static enum breaker_state forced_state(const struct provider *provider) {
    bool is_open = provider->models.commanded && provider->models.command == BREAKER_FORCE_OPEN;
    return is_open ? BREAKER_OPEN : BREAKER_CLOSED;
}

/* The breaker that new requests would meet; of a route, that of its best provider. */
struct shown_breaker {
    enum breaker_state state;
    int failures;
    int64_t retry_in_ns;
};

static struct shown_breaker breaker_of(const struct provider *provider);

static struct shown_breaker best_breaker(const struct provider *route) {
    static const int badness[] = {
        [BREAKER_CLOSED] = 0, [BREAKER_HALF_OPEN] = 1, [BREAKER_OPEN] = 2
    };
    struct shown_breaker best = { BREAKER_OPEN, 0, TIME_NEVER };
    for (size_t i = 0; i < route->member_count; i++) {
        struct shown_breaker each = breaker_of(route->members[i]);
        bool is_sooner = each.state == best.state && each.retry_in_ns < best.retry_in_ns;
        if (badness[each.state] < badness[best.state] || is_sooner) best = each;
    }
    return best;
}

static struct shown_breaker breaker_of(const struct provider *provider) {
    const struct model_state *model = provider_model_state(provider);
    int64_t now_ns = now_of(provider);
    if (provider->members) return best_breaker(provider);
    if (!model) return (struct shown_breaker){ forced_state(provider), 0, 0 };
    return (struct shown_breaker){ breaker_state_at(&model->breaker, now_ns),
                                   breaker_failures(&model->breaker, now_ns),
                                   breaker_retry_in_ns(&model->breaker, now_ns) };
}

bool report_provider_status(const struct provider *provider, struct bytes *out) {
    const struct stats *stats = &provider->stats;
    struct shown_breaker breaker = breaker_of(provider);
    int64_t now_ns = now_of(provider);
    return report_text(out, "provider", provider_name(provider)) &&
           report_text(out, "type", provider->config->type->name) &&
           report_text(out, "model", provider->settings->model) &&
           report_text(out, "endpoint", provider->endpoint->base_url) &&
           report_text(out, "state", provider_state_name(provider)) &&
           report_text(out, "breaker", breaker_state_name(breaker.state)) &&
           report_count(out, "breaker_failures", breaker.failures) &&
           report_seconds(out, "breaker_retry_in_s", breaker.retry_in_ns) &&
           report_count(out, "requests_active", (int64_t)provider->active) &&
           report_count(out, "requests_queued", (int64_t)provider->queue.count) &&
           report_count(out, "requests_total", (int64_t)stats->requests_total) &&
           report_count(out, "requests_ok", (int64_t)stats->requests_ok) &&
           report_count(out, "requests_failed", (int64_t)stats->requests_failed) &&
           report_count(out, "requests_cancelled", (int64_t)stats->requests_cancelled) &&
           report_count(out, "attempts_total", (int64_t)stats->attempts_total) &&
           report_count(out, "retries_total", (int64_t)stats->retries_total) &&
           report_count(out, "reconnects_total", (int64_t)stats->reconnects_total) &&
           bytes_printf(out, "error_rate_5m: %.3f\n",
                        error_rate_read(&stats->error_rate, now_ns, NULL)) &&
           report_seconds(out, "rate_limited_for_s",
                          pacer_hold_left_ns(&provider->pacer, now_ns)) &&
           report_ms(out, "ttft_p50_ms", recent_quantile_ms(&stats->ttft_recent, 0.50)) &&
           report_ms(out, "ttft_p95_ms", recent_quantile_ms(&stats->ttft_recent, 0.95)) &&
           report_count(out, "tokens_in", (int64_t)stats->input_tokens) &&
           report_count(out, "tokens_out", (int64_t)stats->output_tokens) &&
           line_last_error(provider, out) && lines_budget(provider, out);
}

static bool is_forced(const struct provider *provider) {
    for (size_t i = 0; i < provider->member_count; i++)
        if (!is_forced(provider->members[i])) return false;
    return provider->members ? provider->member_count > 0 : provider->models.commanded;
}

bool report_provider_breaker(const struct provider *provider, struct bytes *out) {
    const struct model_state *model = provider_model_state(provider);
    const struct breaker_policy *policy = &provider->config->breaker;
    struct shown_breaker shown = breaker_of(provider);
    int64_t opened_wall_ns = -1;
    if (model && model->breaker.opened_at_ns >= 0)
        opened_wall_ns =
            engine_wall_ns(provider->engine) - (now_of(provider) - model->breaker.opened_at_ns);
    return report_text(out, "state", breaker_state_name(shown.state)) &&
           report_count(out, "failures", shown.failures) &&
           report_count(out, "threshold", policy->failure_threshold) &&
           report_seconds(out, "window_s", policy->window_ns) &&
           report_seconds(out, "retry_in_s", shown.retry_in_ns) &&
           report_time(out, "opened_at", opened_wall_ns) &&
           report_count(out, "opens", model ? (int64_t)model->breaker.opens : 0) &&
           report_text(out, "cause", model && model->breaker_cause ? model->breaker_cause : "") &&
           report_text(out, "forced", is_forced(provider) ? "yes" : "no");
}

bool report_provider_error(const struct provider *provider, struct bytes *out) {
    const struct last_error *last = provider->last_error;
    if (provider->key_problem)
        return report_text(out, "error", failure_class_name(FAILURE_AUTH)) &&
               report_text(out, "message", provider->key_problem) &&
               report_text(out, "what_to_do", "see message; SIGHUP looks for the key again");
    if (!last) return true;
    return report_failure(out, &last->failure, last->request_id, last->attempts, last->wall_ns,
                          &provider->config->retry);
}

static size_t longest_name(const struct engine *engine) {
    size_t longest = 8;
    const struct provider *provider;
    for (size_t i = 0; (provider = engine_next_shown(engine, &i));) {
        size_t length = strlen(provider_name(provider));
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
                        breaker_state_name(breaker_of(provider).state), provider->active,
                        (unsigned long long)stats->requests_ok,
                        (unsigned long long)stats->requests_failed,
                        100 * error_rate_read(&stats->error_rate, now_ns, NULL), ttft,
                        last ? failure_class_name(last->failure.class) : "-");
}

bool report_mount_status(const struct engine *engine, struct bytes *out) {
    int width = (int)longest_name(engine);
    const struct provider *provider;
    for (size_t i = 0; (provider = engine_next_shown(engine, &i));)
        if (!mount_status_line(provider, width, out)) return false;
    return true;
}
