/*
 * What becomes of a request next: again here, elsewhere, on from where its text broke off, or the
 * end. The ifs live here; what they ask is decided in core/policy.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"
#include "core/policy/route.h"

enum { ATTEMPTS_MAX = 1000 };

static const int64_t drain_ns = TIME_S;

// ---- the end ----

void course_finish(struct request *request, const struct failure *failure) {
    struct failure last = *failure; // may be the request's own
    struct failure shown = request->cause ? *request->cause : last;
    leg_leave(request, request->leg, &last, false);
    request_end(request, REQUEST_FAILED, &shown);
}

void course_note_cause(struct request *request, const struct failure *failure) {
    if (request->cause) return;
    request->cause = malloc(sizeof(*failure));
    if (request->cause) *request->cause = *failure;
}

void course_complete(struct request *request) {
    const struct decoder_facts *facts = decoder_facts(request->decoder);
    struct failure failure;
    if (facts->filtered) {
        failure_from_stream(STREAM_FILTERED, slice_of(facts->finish_reason), &failure);
        endpoint_hide_in_failure(request->leg->target->endpoint, &failure);
        attempt_close(request, &failure);
        leg_note_failure(request, request->leg, &failure);
        leg_leave(request, request->leg, &failure, false);
        request_end(request, REQUEST_FAILED, &failure);
        return;
    }
    if (!answer_fits_schema(request, &failure)) {
        course_attempt_failed(request, &failure);
        return;
    }
    attempt_close(request, NULL);
    leg_leave(request, request->leg, NULL, false);
    // The last bytes of the reply let the connection be used again; the reader need not wait.
    request->draining = request->transfer != NULL;
    if (request->draining)
        attempt_phase_begin(request, PHASE_DRAIN, request_now_ns(request), drain_ns);
    request_end(request, REQUEST_DONE, NULL);
}

// ---- to the next attempt ----

static void count_again(struct request *request, const struct failure *failure, bool broke) {
    const struct attempt *attempt = attempt_newest(request);
    struct stats *stats = &attempt->target->stats;
    int number = attempt->number < RETRY_ATTEMPTS_SHOWN ? attempt->number : RETRY_ATTEMPTS_SHOWN;
    stats->retries_total++;
    stats->retries[failure->class][number]++;
    if (!broke) return;
    stats->reconnects_total++;
    stats->reconnects[request->method]++;
    request->reconnects++;
    request->recovered_by = request->method;
}

void course_set_method(struct request *request, bool broke) {
    bool is_delivered = request_is_delivered(request);
    if (is_delivered)
        request->method = method_at(request, request->leg);
    else
        request->method = broke ? RECOVERY_RESTART : RECOVERY_NONE;
    if (request->method != RECOVERY_CURSOR) upstream_cancel_send(request);
    if (!is_delivered) answer_forget(request);
}

static void go_to(struct request *request, struct leg *leg, const struct failure *failure,
                  const struct retry_decision *decision, bool broke) {
    struct attempt *attempt = attempt_newest(request);
    request->leg = leg;
    course_set_method(request, broke);
    count_again(request, failure, broke);
    attempt->delay_ns = decision->delay_ns;
    attempt->delay_reason = decision->reason;
    request->retry_at_ns = time_after(request_now_ns(request), decision->delay_ns);
    request->state = REQUEST_RETRYING;
    leg->wants_fresh_connection = decision->reason == RETRY_FRESH;
    if (decision->reason == RETRY_FRESH || decision->reason == RETRY_REPAIR) leg->spent.made--;
    if (decision->reason == RETRY_FRESH) leg->spent.free_retry_used = true;
    tell_going_on(request, failure, broke || request_is_delivered(request));
    request_changed(request);
    attempt_phase_begin(request, PHASE_RETRY, request->retry_at_ns, 1);
}

void course_retry_is_due(struct request *request) {
    if (request->is_listing) {
        attempt_start(request);
        return;
    }
    queue_join(request, true);
    queue_release(request->leg->target);
}

// ---- after a failure ----

// Before text was delivered attempts are counted; afterwards reconnects that brought nothing new.
static struct retry_decision decide(struct request *request, struct leg *leg,
                                    const struct failure *failure, bool broke) {
    struct retry_policy policy = *leg_retry_policy(leg);
    struct attempts spent = leg->spent;
    if (broke) {
        memset(policy.class_attempts, 0, sizeof(policy.class_attempts));
        policy.max_attempts = policy.max_reconnect_attempts + 1;
        spent.made = request->idle_reconnects;
    }
    if (request->attempt_count >= ATTEMPTS_MAX) policy.max_attempts = spent.made;
    struct retry_decision decision = retry_decide(&policy, failure, &spent, request_now_ns(request),
                                                  &request->provider->engine->random);
    if (decision.verdict == RETRY_GIVE_UP) return decision;
    if (!leg_has_budget(request, leg, decision.delay_ns))
        return (struct retry_decision){ RETRY_GIVE_UP, RETRY_BUDGET_SPENT, 0 };
    if (decision.reason == RETRY_FRESH) return decision;
    bool has_gained = broke && request->idle_reconnects <= 1;
    double cost = retry_budget_cost(failure, has_gained);
    if (!retry_budget_take(&leg->target->retry_budget, cost, request_now_ns(request))) {
        tell_budget_denied(request);
        decision = (struct retry_decision){ RETRY_GIVE_UP, RETRY_NO_BUDGET, 0 };
    }
    return decision;
}

static void note_limit(struct request *request, struct leg *leg, const struct failure *failure) {
    if (failure->class != FAILURE_RATE_LIMIT || request->is_listing) return;
    struct provider *target = leg->target;
    pacer_note_limited(&target->pacer, &request->ticket, request_now_ns(request),
                       failure->retry_after_ns, &target->engine->random);
    tell_pause(request);
    queue_disperse(target);
}

static void give_up(struct request *request, const struct failure *failure,
                    enum retry_reason reason) {
    attempt_newest(request)->delay_reason = reason;
    if (reason == RETRY_BUDGET_SPENT && !request_is_of_route(request))
        admission_end_for_budget(request);
    else
        course_finish(request, failure);
}

static struct retry_decision decide_here(struct request *request, const struct failure *failure,
                                         bool broke) {
    static const struct retry_decision no_way = { RETRY_GIVE_UP, RETRY_NO_METHOD, 0 };
    static const struct retry_decision other_way = { RETRY_AGAIN, RETRY_OTHER_METHOD, 0 };
    struct leg *leg = request->leg;
    bool delivered = request_is_delivered(request);
    if (broke && request->provider->config->recovery == RECOVERY_POLICY_OFF) return no_way;
    if (!delivered) return decide(request, leg, failure, broke);
    bool refused = method_is_refused(request, failure);
    if (refused) leg->refused |= recovery_bit(request->method);
    if (!method_can_go_on(request, leg)) return no_way;
    return refused ? other_way : decide(request, leg, failure, broke);
}

static void try_elsewhere(struct request *request, const struct failure *failure,
                          const struct retry_decision *same, bool broke) {
    static const struct retry_decision elsewhere = { RETRY_AGAIN, RETRY_ELSEWHERE, 0 };
    struct leg *left = request->leg;
    int64_t window = left->target->config->context_window;
    if (failure->class == FAILURE_CONTEXT_LENGTH && window > request->window_outgrown)
        request->window_outgrown = window;
    struct route_choice choice = admission_choose(request, failure, same);
    struct leg *next = choice.found ? &request->legs[choice.member] : NULL;
    if (next == left) {
        go_to(request, left, failure, same, broke);
        return;
    }
    course_note_cause(request, failure);
    if (!next) {
        give_up(request, failure, same->reason);
        return;
    }
    leg_leave(request, left, failure, false);
    left->is_closed |= same->verdict == RETRY_GIVE_UP;
    go_to(request, next, failure, &elsewhere, broke);
}

static void go_on_or_end(struct request *request, const struct failure *failure, bool broke) {
    static const struct retry_decision repair = { RETRY_AGAIN, RETRY_REPAIR, 0 };
    struct leg *leg = request->leg;
    if (method_learns(request, leg, failure) && method_can_go_on(request, leg)) {
        go_to(request, leg, failure, &repair, false);
        return;
    }
    if (broke) request->idle_reconnects++;
    if (request_is_delivered(request)) course_note_cause(request, failure);
    struct retry_decision decision = decide_here(request, failure, broke);
    // That a way of going on is refused says nothing about the provider.
    bool stays = !request_is_of_route(request) || decision.reason == RETRY_OTHER_METHOD;
    if (!stays)
        try_elsewhere(request, failure, &decision, broke);
    else if (decision.verdict == RETRY_AGAIN)
        go_to(request, leg, failure, &decision, broke);
    else
        give_up(request, failure, decision.reason);
}

void course_attempt_failed(struct request *request, const struct failure *said) {
    struct failure failure = *said; // may lie in what is closed now
    struct provider *target = request->leg->target;
    bool broke = (request->has_content || request_is_delivered(request)) &&
                 failure.class != FAILURE_SCHEMA; // that one came whole
    endpoint_hide_in_failure(target->endpoint, &failure);
    if (request->decoder) request->had_tools |= decoder_facts(request->decoder)->has_tools;
    attempt_close(request, &failure);
    leg_note_failure(request, request->leg, &failure);
    note_limit(request, request->leg, &failure);
    go_on_or_end(request, &failure, broke);
    queue_release(target); // there is room for others now
}
