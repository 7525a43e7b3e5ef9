/*
 * What becomes of a request next: again here, elsewhere, on from where its text broke off, or the
 * end. The ifs live here; what they ask is decided in core/policy.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"
#include "core/policy/route.h"
#include "core/providers/capability.h"

enum { ATTEMPTS_MAX = 1000, ROUTE_MEMBERS_MAX = 64 };

static const int64_t drain_ns = TIME_S;

static int64_t now_of(const struct request *request) {
    return engine_now_ns(request->provider->engine);
}

static bool is_route(const struct request *request) {
    return request->provider->members != NULL;
}

static const struct retry_policy *policy_of(const struct leg *leg) {
    return &leg->target->config->retry;
}

// ---- how to go on from delivered text ----

// An answer in a form that was asked for is one whole: two halves of two answers may not fit.
static bool asks_for_structure(const struct settings *settings) {
    static const char *const names[] = { "response_format", "text",          "output_format",
                                         "format",          "output_config", "guided_json",
                                         "grammar" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (json_object_get(settings->options, names[i])) return true;
    return false;
}

// A response goes on at its provider only, and only in the background.
static bool has_cursor(const struct request *request, const struct leg *leg) {
    const struct attempt *newest = attempt_newest(request);
    if (!newest || newest->target != leg->target || !request->decoder) return false;
    if (request->seam) return false; // text that it still held is behind the cursor, and gone
    const struct decoder_facts *facts = decoder_facts(request->decoder);
    // Text is never event 0: who says so does not count, and would tell it all again.
    return leg->target->config->background && leg->target->config->wire->write_resume_path &&
           !(leg->model && leg->model->refuses_background) && facts->response_id[0] &&
           facts->sequence_number > 0;
}

static enum recovery_support prefill_at(const struct leg *leg) {
    const struct provider_config *config = leg->target->config;
    if (leg->model && leg->model->refuses_prefill) return RECOVERY_UNSUPPORTED;
    return capability_prefill(&config->dialect, leg->settings->model);
}

static enum recovery_method method_at(const struct request *request, const struct leg *leg) {
    struct recovery_facts facts = {
        .policy = request->provider->config->recovery,
        .delivered_bytes = request_is_delivered(request) ? store_length(&request->response) : 0,
        .has_cursor = has_cursor(request, leg),
        .has_tools = request->had_tools,
        .is_structured = asks_for_structure(leg->settings),
        .prefill = prefill_at(leg),
        .refused = leg->refused,
    };
    return recovery_choose(&facts);
}

// Delivered text is gone on from; text that nobody saw, or none, is asked for again.
static bool can_go_on(const struct request *request, const struct leg *leg) {
    return !request_is_delivered(request) || method_at(request, leg) != RECOVERY_NONE;
}

// ---- the end ----

static void finish(struct request *request, const struct failure *failure) {
    struct failure last = *failure; // may be the request's own
    struct failure shown = request->cause ? *request->cause : last;
    leg_leave(request, request->leg, &last, false);
    request_end(request, REQUEST_FAILED, &shown);
}

static void note_cause(struct request *request, const struct failure *failure) {
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
    attempt_close(request, NULL);
    leg_leave(request, request->leg, NULL, false);
    // The last bytes of the reply let the connection be used again; the reader need not wait.
    request->draining = request->transfer != NULL;
    if (request->draining) attempt_watch(request, PHASE_DRAIN, now_of(request), drain_ns);
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

// What the next attempt is, and what may be forgotten for it.
static void set_method(struct request *request, bool broke) {
    if (request_is_delivered(request)) {
        request->method = method_at(request, request->leg);
    } else {
        request->method = broke ? RECOVERY_RESTART : RECOVERY_NONE;
        farewell_send(request);
        answer_forget(request);
        return;
    }
    if (request->method != RECOVERY_CURSOR) farewell_send(request);
}

static void go_to(struct request *request, struct leg *leg, const struct failure *failure,
                  const struct retry_decision *decision, bool broke) {
    struct attempt *attempt = attempt_newest(request);
    request->leg = leg;
    set_method(request, broke);
    count_again(request, failure, broke);
    attempt->delay_ns = decision->delay_ns;
    attempt->delay_reason = decision->reason;
    request->retry_at_ns = time_after(now_of(request), decision->delay_ns);
    request->state = REQUEST_RETRYING;
    leg->wants_fresh_connection = decision->reason == RETRY_FRESH;
    if (decision->reason == RETRY_FRESH || decision->reason == RETRY_REPAIR) leg->spent.made--;
    if (decision->reason == RETRY_FRESH) leg->spent.free_retry_used = true;
    tell_going_on(request, failure, broke || request_is_delivered(request));
    request_changed(request);
    attempt_watch(request, PHASE_RETRY, request->retry_at_ns, 1);
}

void course_retry_is_due(struct request *request) {
    if (request->is_listing) {
        attempt_start(request);
        return;
    }
    queue_join(request, true);
    queue_release(request->leg->target);
}

// ---- which provider ----

static bool has_room(const struct provider *target) {
    return target->queue.count < (size_t)target->config->max_queued || queue_has_room(target);
}

// Who was asked already is let in whatever waits there.
static bool may_join(const struct request *request, const struct leg *leg) {
    return request->attempt_count || leg == request->leg || has_room(leg->target);
}

// The same question as leg_is_admitted's, without asking for a permit.
static bool would_admit(const struct leg *leg, int64_t now_ns) {
    const struct model_state *model =
        leg->model ? leg->model : model_states_find(&leg->target->models, leg->settings->model);
    if (!model) return true;
    if (leg->has_permit && leg->permit.generation == model->breaker.generation) return true;
    return breaker_would_allow(&model->breaker, now_ns);
}

// What was too long for one provider is asked only of a larger one, or one that nobody knows.
static bool has_window(const struct request *request, const struct leg *leg) {
    int64_t window = leg->target->config->context_window;
    return window == 0 || window > request->window_outgrown;
}

static void describe(const struct request *request, size_t i, struct route_member *member) {
    const struct leg *leg = &request->legs[i];
    int64_t now_ns = now_of(request);
    enum failure_class class = leg->failure ? leg->failure->class : FAILURE_NONE;
    int attempts = retry_attempts_of(policy_of(leg), class);
    bool has_attempts = leg == request->leg || leg->spent.made < attempts;
    *member = (struct route_member){
        .usable =
            !leg->is_closed && has_attempts && has_window(request, leg) && can_go_on(request, leg),
        .admits = would_admit(leg, now_ns),
        .tried = leg->spent.made > 0,
        .silent = leg->is_silent,
        .wait_ns = pacer_pause_left_ns(&leg->target->pacer, now_ns),
    };
    member->usable &= may_join(request, leg);
}

static struct route_choice choose(const struct request *request, const struct failure *failed,
                                  const struct retry_decision *same) {
    struct route_member members[ROUTE_MEMBERS_MAX];
    const struct provider_config *config = request->provider->config;
    size_t count = request->leg_count < ROUTE_MEMBERS_MAX ? request->leg_count : ROUTE_MEMBERS_MAX;
    for (size_t i = 0; i < count; i++)
        describe(request, i, &members[i]);
    size_t last = request->leg ? (size_t)(request->leg - request->legs) : 0;
    return route_choose(members, count, last, failed, same, config->fallback_wait_max_ns,
                        config->retry.max_retry_after_ns);
}

static void refuse(struct request *request, enum failure_class class, const char *message) {
    struct failure failure;
    failure_from_us(class, message, &failure);
    request_end(request, REQUEST_FAILED, request->cause ? request->cause : &failure);
}

static void find_first_leg(struct request *request) {
    struct route_choice choice = choose(request, NULL, NULL);
    if (choice.found)
        request->leg = &request->legs[choice.member];
    else if (choice.all_refused)
        refuse(request, FAILURE_BREAKER_OPEN,
               "the breakers of all providers of this route are open; nothing was sent");
    else
        refuse(request, FAILURE_RATE_LIMIT,
               "no provider of this route can be asked now: see the status of each");
}

// A wait that would not be waited out after a 429 of its own is not waited out for another's.
static bool rests_too_long(const struct leg *leg, int64_t now_ns) {
    return pacer_pause_left_ns(&leg->target->pacer, now_ns) > policy_of(leg)->max_retry_after_ns;
}

static void refuse_to_rest(struct request *request) {
    struct failure failure;
    failure_from_us(FAILURE_RATE_LIMIT, "the key rests after a 429; nothing was sent", &failure);
    failure.retry_after_ns = pacer_pause_left_ns(&request->leg->target->pacer, now_of(request));
    finish(request, &failure);
}

static void join_first_queue(struct request *request) {
    if (!has_room(request->leg->target)) {
        refuse(request, FAILURE_RATE_LIMIT, "too many requests wait here already");
        return;
    }
    if (rests_too_long(request->leg, now_of(request))) {
        refuse_to_rest(request);
        return;
    }
    queue_join(request, false);
    queue_release(request->leg->target);
}

void course_begin(struct request *request) {
    if (request->provider->key_problem) {
        refuse(request, FAILURE_AUTH, request->provider->key_problem);
        return;
    }
    if (is_route(request))
        find_first_leg(request);
    else
        request->leg = &request->legs[0];
    if (request_has_ended(request)) return;
    if (request->is_listing) // free, and no prompt: it waits for nobody
        attempt_start(request);
    else
        join_first_queue(request);
}

static void move_to(struct request *request, struct leg *leg) {
    if (leg == request->leg) return;
    request->leg = leg;
    if (request->attempt_count) set_method(request, request->reconnects > 0);
}

static bool looks_elsewhere(struct request *request) {
    struct route_choice choice = choose(request, NULL, NULL);
    struct leg *leg = choice.found ? &request->legs[choice.member] : request->leg;
    if (leg == request->leg) return false;
    queue_leave(request);
    move_to(request, leg);
    queue_join(request, request->attempt_count > 0);
    queue_release(leg->target);
    return true;
}

void course_wait_is_longer(struct request *request) {
    int64_t pause_ns = pacer_pause_left_ns(&request->leg->target->pacer, now_of(request));
    int64_t patience_ns = request->provider->config->fallback_wait_max_ns;
    if (is_route(request) && pause_ns > patience_ns && looks_elsewhere(request)) return;
    if (rests_too_long(request->leg, now_of(request))) refuse_to_rest(request);
}

// The breaker may have opened, or closed, while the request waited.
void course_go_on(struct request *request) {
    struct leg *leg = request->leg;
    if (leg_is_admitted(request, leg)) {
        attempt_start(request);
        return;
    }
    if (is_route(request)) {
        struct route_choice choice = choose(request, NULL, NULL);
        if (choice.found) {
            move_to(request, &request->legs[choice.member]);
            queue_join(request, request->attempt_count > 0);
            queue_release(request->leg->target);
            return;
        }
    }
    if (leg->failure)
        finish(request, leg->failure);
    else
        refuse(request, FAILURE_BREAKER_OPEN,
               "the breaker of this provider is open; nothing was sent");
}

// ---- after a failure ----

// What the provider does not take is left out from now on; that is no retry.
static bool learns(struct request *request, struct leg *leg, const struct failure *failure) {
    if (request->is_listing || !leg->model) return false;
    bool is_refused = failure->class == FAILURE_VALIDATION && failure->http_status;
    if (request->method == RECOVERY_PREFILL &&
        (is_refused || capability_refuses_prefill(failure))) {
        leg->model->refuses_prefill = true;
        return true;
    }
    if (request->method != RECOVERY_CURSOR && !leg->model->refuses_background &&
        leg->target->config->background && capability_refuses_background(failure)) {
        leg->model->refuses_background = true;
        return true;
    }
    return false;
}

// Before text was delivered attempts are counted; afterwards reconnects that brought nothing new.
static struct retry_decision decide(struct request *request, struct leg *leg,
                                    const struct failure *failure, bool broke) {
    struct retry_policy policy = *policy_of(leg);
    struct attempts spent = leg->spent;
    if (broke) {
        memset(policy.class_attempts, 0, sizeof(policy.class_attempts));
        policy.max_attempts = policy.max_reconnect_attempts + 1;
        spent.made = request->idle_reconnects;
    }
    if (request->attempt_count >= ATTEMPTS_MAX) policy.max_attempts = spent.made;
    struct retry_decision decision =
        retry_decide(&policy, failure, &spent, now_of(request), &request->provider->engine->random);
    if (decision.verdict == RETRY_GIVE_UP || decision.reason == RETRY_FRESH) return decision;
    bool has_gained = broke && request->idle_reconnects <= 1;
    double cost = retry_budget_cost(failure, has_gained);
    if (!retry_budget_take(&leg->target->budget, cost, now_of(request))) {
        leg->target->stats.budget_denials++;
        tell_budget_denied(request);
        decision = (struct retry_decision){ RETRY_GIVE_UP, RETRY_NO_BUDGET, 0 };
    }
    return decision;
}

static void note_limit(struct request *request, struct leg *leg, const struct failure *failure) {
    if (failure->class != FAILURE_RATE_LIMIT || request->is_listing) return;
    struct provider *target = leg->target;
    pacer_note_limited(&target->pacer, &request->ticket, now_of(request), failure->retry_after_ns,
                       &target->engine->random);
    tell_pause(request);
    queue_disperse(target);
}

static void give_up(struct request *request, const struct failure *failure,
                    enum retry_reason reason) {
    attempt_newest(request)->delay_reason = reason;
    finish(request, failure);
}

// Not the request is at fault, nor the provider: it does not take this way of going on.
static bool refuses_method(const struct request *request, const struct failure *failure) {
    if (failure->retryable) return false;
    switch (failure->class) {
    case FAILURE_VALIDATION:
    case FAILURE_NOT_FOUND:
    case FAILURE_CONTEXT_LENGTH:
    case FAILURE_STREAM_TRUNCATED:
        return request->method != RECOVERY_NONE;
    default:
        return false;
    }
}

static struct retry_decision decide_here(struct request *request, const struct failure *failure,
                                         bool broke) {
    static const struct retry_decision no_way = { RETRY_GIVE_UP, RETRY_NO_METHOD, 0 };
    static const struct retry_decision other_way = { RETRY_AGAIN, RETRY_OTHER_METHOD, 0 };
    struct leg *leg = request->leg;
    bool delivered = request_is_delivered(request);
    if (broke && request->provider->config->recovery == RECOVERY_POLICY_OFF) return no_way;
    if (!delivered) return decide(request, leg, failure, broke);
    bool refused = refuses_method(request, failure);
    if (refused) leg->refused |= recovery_bit(request->method);
    if (!can_go_on(request, leg)) return no_way;
    return refused ? other_way : decide(request, leg, failure, broke);
}

static void try_elsewhere(struct request *request, const struct failure *failure,
                          const struct retry_decision *same, bool broke) {
    static const struct retry_decision elsewhere = { RETRY_AGAIN, RETRY_ELSEWHERE, 0 };
    struct leg *left = request->leg;
    int64_t window = left->target->config->context_window;
    if (failure->class == FAILURE_CONTEXT_LENGTH && window > request->window_outgrown)
        request->window_outgrown = window;
    struct route_choice choice = choose(request, failure, same);
    struct leg *next = choice.found ? &request->legs[choice.member] : NULL;
    if (next == left) {
        go_to(request, left, failure, same, broke);
        return;
    }
    note_cause(request, failure);
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
    if (learns(request, leg, failure) && can_go_on(request, leg)) {
        go_to(request, leg, failure, &repair, false);
        return;
    }
    if (broke) request->idle_reconnects++;
    if (request_is_delivered(request)) note_cause(request, failure);
    struct retry_decision decision = decide_here(request, failure, broke);
    // That a way of going on is refused says nothing about the provider.
    bool stays = !is_route(request) || decision.reason == RETRY_OTHER_METHOD;
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
    bool broke = request->has_content || request_is_delivered(request);
    endpoint_hide_in_failure(target->endpoint, &failure);
    if (request->decoder) request->had_tools |= decoder_facts(request->decoder)->has_tools;
    attempt_close(request, &failure);
    leg_note_failure(request, request->leg, &failure);
    note_limit(request, request->leg, &failure);
    go_on_or_end(request, &failure, broke);
    queue_release(target); // there is room for others now
}
