/*
 * The phases of an attempt and how long each may take: until it is connected, until the first
 * token, between two pieces of content, and so on. One timer a request waits for all of them.
 */
#include "core/engine/state.h"

static struct timers *timers_of(const struct request *request) {
    return request->provider->engine->parts.timers;
}

void attempt_phase_begin(struct request *request, enum phase phase, int64_t from_ns,
                         int64_t limit_ns) {
    request->phase = phase;
    if (limit_ns > 0)
        timer_arm(timers_of(request), &request->phase_timer, time_after(from_ns, limit_ns));
    else
        timer_disarm(timers_of(request), &request->phase_timer);
}

void attempt_phase_begin_stream(struct request *request, enum phase phase) {
    request->phase = phase;
    timer_disarm(timers_of(request), &request->phase_timer);
    attempt_phase_timer(request);
}

void attempt_phase_stop(struct request *request) {
    timer_disarm(timers_of(request), &request->phase_timer);
}

// ---- time is up ----

static void time_is_up(struct request *request, enum timer_end timer, int64_t limit_ns) {
    struct failure failure;
    failure_from_timer(timer, limit_ns, &failure);
    course_attempt_failed(request, &failure);
}

// Content and bytes move their limits without moving the timer, which would cost more with each
// token than looking now does.
static void look_at_stream(struct request *request, enum timer_end timer, int64_t from_ns,
                           int64_t limit_ns) {
    int64_t idle_ns = request->reply_status ? leg_timeouts(request->leg)->idle_ns : 0;
    int64_t due_ns = limit_ns ? time_after(from_ns, limit_ns) : TIME_NEVER;
    int64_t idle_due_ns = idle_ns ? time_after(request->byte_ns, idle_ns) : TIME_NEVER;
    int64_t next_ns = due_ns < idle_due_ns ? due_ns : idle_due_ns;
    if (request_now_ns(request) >= due_ns)
        time_is_up(request, timer, limit_ns);
    else if (request_now_ns(request) >= idle_due_ns)
        time_is_up(request, TIMER_IDLE, idle_ns);
    else if (next_ns != TIME_NEVER)
        timer_arm(timers_of(request), &request->phase_timer, next_ns);
}

void attempt_phase_timer(void *owner) {
    struct request *request = owner;
    const struct timeouts *limits = leg_timeouts(request->leg);
    switch (request->phase) {
    case PHASE_CONNECT:
        time_is_up(request, TIMER_CONNECT, limits->connection_ns);
        break;
    case PHASE_HEADERS:
        time_is_up(request, TIMER_HEADERS, limits->headers_ns);
        break;
    case PHASE_REFUSAL:
        attempt_reply_judge(request);
        break;
    case PHASE_FIRST_TOKEN:
        look_at_stream(request, request->reply_status ? TIMER_FIRST_TOKEN : TIMER_HEADERS,
                       attempt_newest(request)->connected_ns, limits->first_token_ns);
        break;
    case PHASE_READ:
        look_at_stream(request, TIMER_READ, request->progress_ns, limits->read_ns);
        break;
    case PHASE_GRACE:
        course_complete(request);
        break;
    case PHASE_DRAIN:
        attempt_abandon(request);
        break;
    case PHASE_RETRY:
        course_retry_is_due(request);
        break;
    }
}
