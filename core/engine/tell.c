/* What the engine does, told to the files events and alerts. */
#include "core/engine/state.h"
#include "core/events/event_kinds.h"

static struct event_subject subject_of(const struct request *request) {
    const struct attempt *attempt = attempt_newest(request);
    const struct leg *leg = request->leg;
    struct event_subject subject = { request->id, provider_name(request->provider),
                                     request->settings->model };
    if (leg) subject.provider = provider_name(leg->target);
    if (leg) subject.model = leg->settings->model;
    if (attempt) subject.provider = provider_name(attempt->target);
    if (attempt) subject.model = attempt->settings->model;
    return subject;
}

static struct events *events_of(const struct request *request) {
    return request->is_listing ? NULL : request->provider->engine->events;
}

static int64_t wall_of(const struct request *request) {
    return engine_wall_ns(request->provider->engine);
}

// ---- alerts ----

static void tell_alert(struct provider *provider, bool has_changed,
                       const struct alert_change *change) {
    struct engine *engine = provider->engine;
    if (has_changed)
        event_alert(engine->alerts, engine_wall_ns(engine), provider_name(provider), change);
    int64_t next_ns = alerts_next_ns(&provider->alerts, engine_now_ns(engine));
    if (next_ns == TIME_NEVER)
        timer_disarm(engine->parts.timers, &provider->alert_timer);
    else if (!timer_is_armed(&provider->alert_timer))
        timer_arm(engine->parts.timers, &provider->alert_timer, next_ns);
}

static void look_at_rates(struct provider *provider) {
    struct alert_change change;
    int64_t now_ns = engine_now_ns(provider->engine);
    uint64_t ended;
    double rate = error_rate_read(&provider->stats.error_rate, now_ns, &ended);
    tell_alert(provider, alerts_note_error_rate(&provider->alerts, rate, ended, &change), &change);
    double left = retry_budget_left_ratio(&provider->retry_budget, now_ns);
    tell_alert(provider, alerts_note_retry_budget(&provider->alerts, false, left, &change),
               &change);
    tell_spending(provider);
}

void tell_spending(struct provider *provider) {
    struct alert_change change;
    double spent = quota_most_spent_ratio(&provider->quota, engine_wall_ns(provider->engine));
    tell_alert(provider, alerts_note_budget(&provider->alerts, spent, &change), &change);
}

void tell_alert_timer(void *owner) {
    look_at_rates(owner);
}

// ---- attempts ----

void tell_attempt_started(const struct request *request) {
    struct event_subject subject = subject_of(request);
    event_attempt_started(events_of(request), wall_of(request), &subject,
                          attempt_newest(request)->number);
}

static void tell_key(struct provider *provider, enum failure_class class) {
    struct alert_change change;
    if (class != FAILURE_AUTH && class != FAILURE_NONE) return;
    tell_alert(provider, alerts_note_key(&provider->alerts, class == FAILURE_AUTH, &change),
               &change);
}

void tell_attempt_ended(const struct request *request, const struct failure *failure) {
    const struct attempt *attempt = attempt_newest(request);
    struct event_subject subject = subject_of(request);
    enum failure_class class = failure ? failure->class : FAILURE_NONE;
    struct event_attempt_end end = {
        .attempt = attempt->number,
        .class = failure_class_name(class),
        .http_status = attempt->http_status,
        .bytes = (int64_t)attempt->bytes,
        .ttft_ns =
            attempt->first_content_ns < 0 ? -1 : attempt->first_content_ns - attempt->started_ns,
        .total_ns = attempt->ended_ns - attempt->started_ns,
        .provider_request_id = attempt->provider_request_id,
        .message = failure ? failure->message : NULL,
    };
    event_attempt_ended(events_of(request), wall_of(request), &subject, &end);
    tell_key(attempt->target, class);
    tell_spending(attempt->target);
}

void tell_going_on(const struct request *request, const struct failure *failure, bool broke) {
    const struct attempt *attempt = attempt_newest(request);
    struct event_subject subject = subject_of(request);
    const char *class = failure_class_name(failure->class);
    if (request->leg->target != attempt->target)
        event_route_moved(events_of(request), wall_of(request), &subject,
                          provider_name(request->leg->target), class);
    else
        event_retry(events_of(request), wall_of(request), &subject, attempt->number, class,
                    retry_reason_name(attempt->delay_reason), attempt->delay_ns);
    if (broke)
        event_reconnect(events_of(request), wall_of(request), &subject,
                        recovery_method_name(request->method),
                        (int64_t)store_length(&request->response));
}

void tell_seam_refused(const struct request *request, const char *problem) {
    struct event_subject subject = subject_of(request);
    event_seam_refused(events_of(request), wall_of(request), &subject,
                       recovery_method_name(request->method),
                       (int64_t)store_length(&request->response), problem);
}

void tell_budget_denied(const struct request *request) {
    struct provider *target = request->leg->target;
    struct event_subject subject = subject_of(request);
    struct alert_change change;
    double left = retry_budget_left_ratio(&target->retry_budget, engine_now_ns(target->engine));
    event_budget_denied(events_of(request), wall_of(request), &subject, "retry", left);
    tell_alert(target, alerts_note_retry_budget(&target->alerts, true, left, &change), &change);
}

void tell_spending_denied(const struct request *request) {
    const struct leg *leg = request->leg;
    const struct provider *target = leg->target;
    int64_t wall_ns = wall_of(request);
    struct event_subject subject = { request->id, provider_name(target), leg->settings->model };
    enum quota_kind lacking;
    if (quota_allows(&target->quota, wall_ns, &lacking)) return;
    event_budget_denied(events_of(request), wall_ns, &subject, quota_kind_name(lacking), 0);
}

void tell_pause(const struct request *request) {
    const struct provider *target = request->leg->target;
    struct event_subject subject = subject_of(request);
    int64_t pause_ns = pacer_pause_left_ns(&target->pacer, engine_now_ns(target->engine));
    if (pause_ns > 0)
        event_rate_limit_pause(events_of(request), wall_of(request), &subject, pause_ns, "reply");
}

static const char *finish_reason_of(const struct request *request) {
    const char *said = request->decoder ? decoder_facts(request->decoder)->finish_reason : "";
    return said[0] ? said : NULL;
}

void tell_request_ended(const struct request *request) {
    struct event_subject subject = subject_of(request);
    struct usage usage = request_usage(request);
    struct event_request_end end = {
        .state = request_state_name(request->state),
        .class = failure_class_name(request_failure(request)->class),
        .finish_reason = finish_reason_of(request),
        .attempts = request->attempt_count,
        .reconnects = request->reconnects,
        .bytes = (int64_t)store_length(&request->response),
        .input_tokens = usage.input_tokens,
        .output_tokens = usage.output_tokens,
        .ttft_ns =
            request->first_content_ns < 0 ? -1 : request->first_content_ns - request->submitted_ns,
        .total_ns = request->ended_ns - request->submitted_ns,
    };
    event_request_ended(events_of(request), wall_of(request), &subject, &end);
    look_at_rates(request->provider);
    if (request->leg && request->leg->target != request->provider)
        look_at_rates(request->leg->target);
}

// ---- breakers ----

void tell_breaker(struct provider *provider, const struct model_state *model,
                  enum breaker_state from, const char *said) {
    struct engine *engine = provider->engine;
    int64_t now_ns = engine_now_ns(engine);
    enum breaker_state now = model->breaker.state;
    const char *cause = said ? said : "recovery_timeout";
    if (now == BREAKER_OPEN) cause = model->breaker_cause;
    if (now == BREAKER_CLOSED) cause = provider->models.commanded ? "command" : "probe";
    struct event_subject subject = { NULL, provider_name(provider), model->model };
    int64_t retry_in_ns = breaker_retry_in_ns(&model->breaker, now_ns);
    event_breaker(engine->events, engine_wall_ns(engine), &subject, breaker_state_name(from),
                  breaker_state_name(now), cause,
                  now == BREAKER_OPEN && retry_in_ns != TIME_NEVER ? retry_in_ns : -1);
    size_t counts[3] = { 0 };
    for (size_t i = 0; i < provider->models.count; i++)
        counts[provider->models.states[i]->breaker.state]++;
    struct alert_change change;
    tell_alert(provider,
               alerts_note_breakers(&provider->alerts, counts[BREAKER_OPEN],
                                    counts[BREAKER_HALF_OPEN], &change),
               &change);
}
