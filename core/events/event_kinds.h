/*
 * event_kinds: what is written to `events` and `alerts`, one function a line. The keys of each, in
 * their order, stand above it; "at" and "event" come first in all. What is not known is null.
 *
 * Plain values only: whoever calls has them, nothing here looks into a struct of the engine.
 * Classes and states are the words of `attempts` and `status`.
 */
#ifndef ASKFS_CORE_EVENTS_EVENT_KINDS_H
#define ASKFS_CORE_EVENTS_EVENT_KINDS_H

#include "core/events/event.h"
#include "core/policy/alerts.h"

/* Whom a line is about. NULL: not known, or of no meaning there. Borrowed. */
struct event_subject {
    const char *request; /* its id */
    const char *provider;
    const char *model;
};

/* ---- the mount ---- */

/* mounted: mountpoint version
 * The kernel's INIT is answered: the tree is usable. */
void event_mounted(struct events *events, int64_t wall_ns, const char *mountpoint,
                   const char *version);

/* config_loaded: file providers
 * The configuration that is in force from now on. file null: there is none, the built-in one. */
void event_config_loaded(struct events *events, int64_t wall_ns, const char *file,
                         size_t providers);

/* config_refused: file problem
 * It was to be read again and is broken; nothing changed. */
void event_config_refused(struct events *events, int64_t wall_ns, const char *file,
                          const char *problem);

/* ---- a request ---- */

/* attempt_started: request provider model attempt
 * attempt counts from 1. */
void event_attempt_started(struct events *events, int64_t wall_ns,
                           const struct event_subject *subject, int attempt);

struct event_attempt_end {
    int attempt;
    const char *class; /* "ok", or that of its failure */
    int http_status;   /* 0: no reply */
    int64_t bytes;     /* of text kept from it */
    int64_t ttft_ns;   /* negative: no content came */
    int64_t total_ns;
    const char *provider_request_id;
    const char *message; /* what the provider said; NULL: it succeeded */
};

/* attempt_ended: request provider model attempt class http_status bytes ttft_ms total_ms
 * provider_request_id message */
void event_attempt_ended(struct events *events, int64_t wall_ns,
                         const struct event_subject *subject, const struct event_attempt_end *end);

/* retry: request provider model attempt class reason delay_ms
 * attempt has failed with class, and the next one comes after the delay. reason: "backoff", "told",
 * "fresh". */
void event_retry(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                 int attempt, const char *class, const char *reason, int64_t delay_ns);

/* reconnect: request provider model method bytes
 * A stream broke and goes on. method: "restart", "cursor", "prefill", "continue", "replay"; bytes
 * of its text are kept. */
void event_reconnect(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                     const char *method, int64_t bytes);

/* seam_refused: request provider model method bytes problem
 * A continuation did not fit what was there. */
void event_seam_refused(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                        const char *method, int64_t bytes, const char *problem);

/* route_moved: request provider model to class
 * provider failed with class; the route asks to next. */
void event_route_moved(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                       const char *to, const char *class);

struct event_request_end {
    const char *state; /* "done", "failed", "cancelled" */
    const char *class; /* "ok", or that of its failure */
    const char *finish_reason;
    int attempts;
    int reconnects;
    int64_t bytes;
    int64_t input_tokens;
    int64_t output_tokens;
    int64_t ttft_ns;
    int64_t total_ns;
};

/* request_ended: request provider model state class finish_reason attempts reconnects bytes
 * tokens_in tokens_out ttft_ms total_ms */
void event_request_ended(struct events *events, int64_t wall_ns,
                         const struct event_subject *subject, const struct event_request_end *end);

/* ---- a provider ---- */

/* breaker: provider model from to cause retry_in_ms
 * cause: the class of the failure that opened it, "probe", "recovery_timeout", "command".
 * retry_in_ms null: only a command ends it, or nothing has to end. */
void event_breaker(struct events *events, int64_t wall_ns, const struct event_subject *subject,
                   const char *from, const char *to, const char *cause, int64_t retry_in_ns);

/* rate_limit_pause: request provider model pause_ms until cause
 * Nothing is sent with this provider's key before until. cause: "reply" (a 429), "headers" (they
 * say that nothing is left). */
void event_rate_limit_pause(struct events *events, int64_t wall_ns,
                            const struct event_subject *subject, int64_t pause_ns,
                            const char *cause);

/* budget_denied: request provider model budget left
 * budget: "retry", "requests", "tokens", "money"; left of it, in its own unit. */
void event_budget_denied(struct events *events, int64_t wall_ns,
                         const struct event_subject *subject, const char *budget, double left);

/* faults_set: provider rules
 * Failures are rehearsed from now on; 0: no more. */
void event_faults_set(struct events *events, int64_t wall_ns, const char *provider, size_t rules);

/* faults_refused: provider problem
 * What was written to `faults` has no meaning; nothing changed. */
void event_faults_refused(struct events *events, int64_t wall_ns, const char *provider,
                          const char *problem);

/* setting_refused: provider file problem
 * What was written to model, system or options.json has no meaning; nothing changed. Shells do not
 * look at the errno of a close. */
void event_setting_refused(struct events *events, int64_t wall_ns, const char *provider,
                           const char *file, const char *problem);

/* ---- the journal of alerts ---- */

/* Keys: at alert provider state value threshold what_to_do
 * state: "raised" or "ended"; threshold: what value had to cross for that. */
void event_alert(struct events *alerts, int64_t wall_ns, const char *provider,
                 const struct alert_change *change);

#endif
