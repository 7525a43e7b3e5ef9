#include "core/events/event_kinds.h"

#include "core/base/time.h"

static void begin_about(struct event *event, struct events *events, int64_t wall_ns,
                        const char *name, const struct event_subject *subject) {
    event_begin(event, events, wall_ns, name);
    event_text(event, "request", subject->request);
    event_text(event, "provider", subject->provider);
    event_text(event, "model", subject->model);
}

// ---- the mount ----

void event_mounted(struct events *events, int64_t wall_ns, const char *mountpoint,
                   const char *version) {
    struct event event;
    event_begin(&event, events, wall_ns, "mounted");
    event_text(&event, "mountpoint", mountpoint);
    event_text(&event, "version", version);
    event_end(&event);
}

void event_config_loaded(struct events *events, int64_t wall_ns, const char *file,
                         size_t providers) {
    struct event event;
    event_begin(&event, events, wall_ns, "config_loaded");
    event_text(&event, "file", file);
    event_count(&event, "providers", (int64_t)providers);
    event_end(&event);
}

void event_config_refused(struct events *events, int64_t wall_ns, const char *file,
                          const char *problem) {
    struct event event;
    event_begin(&event, events, wall_ns, "config_refused");
    event_text(&event, "file", file);
    event_text(&event, "problem", problem);
    event_end(&event);
}

// ---- a request ----

void event_attempt_started(struct events *events, int64_t wall_ns,
                           const struct event_subject *subject, int attempt) {
    struct event event;
    begin_about(&event, events, wall_ns, "attempt_started", subject);
    event_count(&event, "attempt", attempt);
    event_end(&event);
}

void event_attempt_ended(struct events *events, int64_t wall_ns,
                         const struct event_subject *subject, const struct event_attempt_end *end) {
    struct event event;
    begin_about(&event, events, wall_ns, "attempt_ended", subject);
    event_count(&event, "attempt", end->attempt);
    event_text(&event, "class", end->class);
    event_count(&event, "http_status", end->http_status ? end->http_status : -1);
    event_count(&event, "bytes", end->bytes);
    event_ms(&event, "ttft_ms", end->ttft_ns);
    event_ms(&event, "total_ms", end->total_ns);
    event_text(&event, "provider_request_id", end->provider_request_id);
    event_text(&event, "message", end->message);
    event_end(&event);
}

void event_retry(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                 int attempt, const char *class, const char *reason, int64_t delay_ns) {
    struct event event;
    begin_about(&event, events, wall_ns, "retry", subject);
    event_count(&event, "attempt", attempt);
    event_text(&event, "class", class);
    event_text(&event, "reason", reason);
    event_ms(&event, "delay_ms", delay_ns);
    event_end(&event);
}

void event_reconnect(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                     const char *method, int64_t bytes) {
    struct event event;
    begin_about(&event, events, wall_ns, "reconnect", subject);
    event_text(&event, "method", method);
    event_count(&event, "bytes", bytes);
    event_end(&event);
}

void event_seam_refused(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                        const char *method, int64_t bytes, const char *problem) {
    struct event event;
    begin_about(&event, events, wall_ns, "seam_refused", subject);
    event_text(&event, "method", method);
    event_count(&event, "bytes", bytes);
    event_text(&event, "problem", problem);
    event_end(&event);
}

void event_route_moved(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                       const char *to, const char *class) {
    struct event event;
    begin_about(&event, events, wall_ns, "route_moved", subject);
    event_text(&event, "to", to);
    event_text(&event, "class", class);
    event_end(&event);
}

void event_request_ended(struct events *events, int64_t wall_ns,
                         const struct event_subject *subject, const struct event_request_end *end) {
    struct event event;
    begin_about(&event, events, wall_ns, "request_ended", subject);
    event_text(&event, "state", end->state);
    event_text(&event, "class", end->class);
    event_text(&event, "finish_reason", end->finish_reason);
    event_count(&event, "attempts", end->attempts);
    event_count(&event, "reconnects", end->reconnects);
    event_count(&event, "bytes", end->bytes);
    event_count(&event, "tokens_in", end->input_tokens);
    event_count(&event, "tokens_out", end->output_tokens);
    event_ms(&event, "ttft_ms", end->ttft_ns);
    event_ms(&event, "total_ms", end->total_ns);
    event_end(&event);
}

// ---- a provider ----

void event_breaker(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                   const char *from, const char *to, const char *cause, int64_t retry_in_ns) {
    struct event event;
    event_begin(&event, events, wall_ns, "breaker");
    event_text(&event, "provider", subject->provider);
    event_text(&event, "model", subject->model);
    event_text(&event, "from", from);
    event_text(&event, "to", to);
    event_text(&event, "cause", cause);
    event_ms(&event, "retry_in_ms", retry_in_ns == TIME_NEVER ? -1 : retry_in_ns);
    event_end(&event);
}

void event_rate_limit_pause(struct events *events, int64_t wall_ns,
                            const struct event_subject *subject, int64_t pause_ns,
                            const char *cause) {
    struct event event;
    begin_about(&event, events, wall_ns, "rate_limit_pause", subject);
    event_ms(&event, "pause_ms", pause_ns);
    event_time(&event, "until", time_after(wall_ns, pause_ns));
    event_text(&event, "cause", cause);
    event_end(&event);
}

void event_budget_denied(struct events *events, int64_t wall_ns,
                         const struct event_subject *subject, const char *budget, double left) {
    struct event event;
    begin_about(&event, events, wall_ns, "budget_denied", subject);
    event_text(&event, "budget", budget);
    event_number(&event, "left", left);
    event_end(&event);
}

void event_faults_set(struct events *events, int64_t wall_ns, const char *provider, size_t rules) {
    struct event event;
    event_begin(&event, events, wall_ns, "faults_set");
    event_text(&event, "provider", provider);
    event_count(&event, "rules", (int64_t)rules);
    event_end(&event);
}

void event_faults_refused(struct events *events, int64_t wall_ns, const char *provider,
                          const char *problem) {
    struct event event;
    event_begin(&event, events, wall_ns, "faults_refused");
    event_text(&event, "provider", provider);
    event_text(&event, "problem", problem);
    event_end(&event);
}

void event_setting_refused(struct events *events, int64_t wall_ns, const char *provider,
                           const char *file, const char *problem) {
    struct event event;
    event_begin(&event, events, wall_ns, "setting_refused");
    event_text(&event, "provider", provider);
    event_text(&event, "file", file);
    event_text(&event, "problem", problem);
    event_end(&event);
}

// ---- the journal of alerts ----

void event_alert(struct events *alerts, int64_t wall_ns, const char *provider,
                 const struct alert_change *change) {
    struct event event;
    event_begin_as(&event, alerts, wall_ns, "alert", alert_name(change->alert));
    event_text(&event, "provider", provider);
    event_text(&event, "state", change->is_raised ? "raised" : "ended");
    event_number(&event, "value", change->value);
    event_number(&event, "threshold", change->threshold);
    event_text(&event, "what_to_do", alert_advice(change->alert, change->is_raised));
    event_end(&event);
}
