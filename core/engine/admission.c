/*
 * From the prompt, or from a wait, to the next attempt: at which provider, and whether at all. The
 * queue of a provider is in core/engine/queue.c.
 */
#include "core/engine/state.h"
#include "core/policy/route.h"

enum { ROUTE_MEMBERS_MAX = 64 };

// ---- which provider ----

// Who was asked already is let in whatever waits there.
static bool may_join(const struct request *request, const struct leg *leg) {
    return request->attempt_count || leg == request->leg || leg_has_room(leg);
}

static void describe(const struct request *request, size_t i, struct route_member *member) {
    const struct leg *leg = &request->legs[i];
    int64_t now_ns = request_now_ns(request);
    enum failure_class class = leg->failure ? leg->failure->class : FAILURE_NONE;
    int attempts = retry_attempts_of(leg_retry_policy(leg), class);
    bool has_attempts = leg == request->leg || leg->spent.made < attempts;
    *member = (struct route_member){
        .usable = !leg->is_closed && has_attempts && leg_has_window(request, leg) &&
                  method_can_go_on(request, leg),
        .admits = leg_would_be_admitted(leg, now_ns) && leg_has_budget(request, leg, 0),
        .tried = leg->spent.made > 0,
        .silent = leg->is_silent,
        .wait_ns = pacer_hold_left_ns(&leg->target->pacer, now_ns),
    };
    member->usable &= may_join(request, leg) && !leg_is_paused_past_deadline(request, leg);
}

struct route_choice admission_choose(const struct request *request, const struct failure *failed,
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

// ---- refusals ----

// That it is spent is what the user can help, whatever failed before; of a route, the first cause.
void admission_end_for_budget(struct request *request) {
    struct leg *leg = request->leg;
    struct failure failure;
    tell_spending_denied(request);
    spending_failure(leg, &failure);
    struct failure last = leg->failure ? *leg->failure : failure;
    leg_leave(request, leg, &last, false);
    if (request_is_of_route(request) && request->cause) failure = *request->cause;
    request_end(request, REQUEST_FAILED, &failure);
}

static void refuse(struct request *request, enum failure_class class, const char *message) {
    struct failure failure;
    failure_from_us(class, message, &failure);
    request_end(request, REQUEST_FAILED, request->cause ? request->cause : &failure);
}

// Each of its providers refuses; the first one's reason is told.
static void refuse_everywhere(struct request *request) {
    struct leg *leg = request->legs;
    while (leg->is_closed ||
           (leg_would_be_admitted(leg, request_now_ns(request)) && leg_has_budget(request, leg, 0)))
        leg++;
    request->leg = leg_would_be_admitted(leg, request_now_ns(request)) ? leg : NULL;
    if (request->leg)
        admission_end_for_budget(request);
    else
        refuse(request, FAILURE_BREAKER_OPEN,
               "the breakers of all providers of this route are open; nothing was sent");
}

static void find_first_leg(struct request *request) {
    struct route_choice choice = admission_choose(request, NULL, NULL);
    if (choice.found)
        request->leg = &request->legs[choice.member];
    else if (choice.all_refused)
        refuse_everywhere(request);
    else
        refuse(request, FAILURE_RATE_LIMIT,
               "no provider of this route can be asked now: see the status of each");
}

// ---- the beginning ----

// A wait that would not be waited out after a 429 of its own is not waited out for another's.
static bool pause_is_too_long(const struct request *request) {
    const struct leg *leg = request->leg;
    int64_t pause_ns = pacer_pause_left_ns(&leg->target->pacer, request_now_ns(request));
    return pause_ns > leg_retry_policy(leg)->max_retry_after_ns ||
           leg_is_paused_past_deadline(request, leg);
}

static void refuse_for_pause(struct request *request) {
    struct failure failure;
    failure_from_us(FAILURE_RATE_LIMIT, "the key is paused after a 429; nothing was sent",
                    &failure);
    failure.retry_after_ns =
        pacer_pause_left_ns(&request->leg->target->pacer, request_now_ns(request));
    course_finish(request, &failure);
}

static void join_first_queue(struct request *request) {
    if (!leg_has_budget(request, request->leg, 0)) {
        admission_end_for_budget(request);
        return;
    }
    if (!leg_has_room(request->leg)) {
        refuse(request, FAILURE_RATE_LIMIT, "too many requests wait here already");
        return;
    }
    if (pause_is_too_long(request)) {
        refuse_for_pause(request);
        return;
    }
    queue_join(request, false);
    queue_release(request->leg->target);
}

void admission_begin(struct request *request) {
    if (request->provider->key_problem) {
        refuse(request, FAILURE_AUTH, request->provider->key_problem);
        return;
    }
    if (request_is_of_route(request))
        find_first_leg(request);
    else
        request->leg = &request->legs[0];
    if (request_has_ended(request)) return;
    if (request->is_listing) // free, and no prompt: it waits for nobody
        attempt_start(request);
    else
        join_first_queue(request);
}

// ---- waits ----

static void move_to(struct request *request, struct leg *leg) {
    struct leg *left = request->leg;
    if (leg == left) return;
    if (left->failure) {
        course_note_cause(request, left->failure);
        leg_leave(request, left, left->failure, false);
    }
    request->leg = leg;
    if (request->attempt_count) course_set_method(request, request->reconnects > 0);
}

static void join_queue_of(struct request *request, struct leg *leg) {
    move_to(request, leg);
    queue_join(request, request->attempt_count > 0);
    queue_release(leg->target);
}

static bool looks_elsewhere(struct request *request) {
    struct route_choice choice = admission_choose(request, NULL, NULL);
    struct leg *leg = choice.found ? &request->legs[choice.member] : request->leg;
    if (leg == request->leg) return false;
    queue_leave(request);
    join_queue_of(request, leg);
    return true;
}

void admission_wait_is_longer(struct request *request) {
    int64_t pause_ns = pacer_pause_left_ns(&request->leg->target->pacer, request_now_ns(request));
    int64_t patience_ns = request->provider->config->fallback_wait_max_ns;
    if (request_is_of_route(request) && pause_ns > patience_ns && looks_elsewhere(request)) return;
    if (pause_is_too_long(request)) refuse_for_pause(request);
}

static bool goes_elsewhere(struct request *request) {
    if (!request_is_of_route(request)) return false;
    struct route_choice choice = admission_choose(request, NULL, NULL);
    if (choice.found) join_queue_of(request, &request->legs[choice.member]);
    return choice.found;
}

// The breaker may have opened, or closed, and the budget been spent while the request waited.
void admission_go_on(struct request *request) {
    struct leg *leg = request->leg;
    bool has_means = leg_has_budget(request, leg, 0);
    if (has_means && leg_is_admitted(request, leg)) {
        attempt_start(request);
        return;
    }
    if (goes_elsewhere(request)) return;
    if (!has_means)
        admission_end_for_budget(request);
    else if (leg->failure)
        course_finish(request, leg->failure);
    else
        refuse(request, FAILURE_BREAKER_OPEN,
               "the breaker of this provider is open; nothing was sent");
}
