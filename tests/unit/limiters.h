/*
 * limiters: servers that turn requests away, and a crowd that asks them through a pacer. Time is
 * simulated.
 */
#ifndef ASKFS_TESTS_UNIT_LIMITERS_H
#define ASKFS_TESTS_UNIT_LIMITERS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/policy/pacer.h"

enum limiter_kind { LIMITER_NONE, LIMITER_FIXED, LIMITER_SLIDING, LIMITER_BUCKET, LIMITER_STRAY };
enum telling { TELLS_NOTHING, TELLS_EXACTLY, TELLS_SECONDS };

enum { LIMITER_LOG = 4096, CROWD_MAX = 10000 };

struct limiter {
    enum limiter_kind kind;
    double limit;    /* requests in a window, or what the bucket holds */
    double window_s; /* of the window, or until an empty bucket is full */
    double phase_s;  /* fixed windows begin then */
    double stray;    /* STRAY: the part that is turned away by chance */
    enum telling tells;
    bool has_headers;
    /* state */
    int64_t window_number;
    double used;
    double level;
    int64_t filled_ns;
    int64_t log[LIMITER_LOG]; /* sliding: ring of accepted times */
    int log_next;
};

struct limiter_answer {
    bool accepted;
    int64_t told_ns; /* -1: nothing */
    double remaining;
    double reset_s;
};

static inline double limiter_seconds(int64_t ns) {
    return (double)ns / 1e9;
}

static inline struct limiter_answer limiter_fixed(struct limiter *limiter, int64_t now_ns) {
    double at = limiter_seconds(now_ns) + limiter->window_s - limiter->phase_s;
    int64_t number = (int64_t)floor(at / limiter->window_s);
    if (number != limiter->window_number) limiter->used = 0;
    limiter->window_number = number;
    bool accepted = limiter->used < limiter->limit;
    limiter->used += accepted;
    double left_s = (double)(number + 1) * limiter->window_s - at;
    return (struct limiter_answer){ accepted, -1, limiter->limit - limiter->used, left_s };
}

static inline struct limiter_answer limiter_sliding(struct limiter *limiter, int64_t now_ns) {
    int64_t window_ns = (int64_t)(limiter->window_s * 1e9);
    int count = 0;
    int64_t oldest_ns = now_ns;
    for (int i = 1; i <= (int)limiter->limit; i++) {
        int64_t at_ns = limiter->log[(limiter->log_next + LIMITER_LOG - i) % LIMITER_LOG];
        if (at_ns < 0 || now_ns - at_ns >= window_ns) break;
        count++;
        oldest_ns = at_ns;
    }
    bool accepted = count < (int)limiter->limit;
    if (accepted) {
        limiter->log[limiter->log_next] = now_ns;
        limiter->log_next = (limiter->log_next + 1) % LIMITER_LOG;
        count++;
    }
    double left_s = limiter_seconds(oldest_ns + window_ns - now_ns);
    return (struct limiter_answer){ accepted, -1, limiter->limit - count, left_s };
}

static inline struct limiter_answer limiter_bucket(struct limiter *limiter, int64_t now_ns) {
    double rate = limiter->limit / limiter->window_s;
    limiter->level += rate * limiter_seconds(now_ns - limiter->filled_ns);
    if (limiter->level > limiter->limit) limiter->level = limiter->limit;
    limiter->filled_ns = now_ns;
    bool accepted = limiter->level >= 1;
    limiter->level -= accepted;
    struct limiter_answer answer = { accepted, -1, floor(limiter->level),
                                     (limiter->limit - limiter->level) / rate };
    if (!accepted) answer.told_ns = (int64_t)((1 - limiter->level) / rate * 1e9) + 1;
    return answer;
}

static inline struct limiter_answer limiter_ask(struct limiter *limiter, int64_t now_ns,
                                                struct random *random) {
    struct limiter_answer answer = { true, -1, 1e9, 1 };
    if (limiter->kind == LIMITER_FIXED) answer = limiter_fixed(limiter, now_ns);
    if (limiter->kind == LIMITER_SLIDING) answer = limiter_sliding(limiter, now_ns);
    if (limiter->kind == LIMITER_BUCKET) answer = limiter_bucket(limiter, now_ns);
    if (limiter->kind == LIMITER_STRAY) answer.accepted = random_unit(random) >= limiter->stray;
    if (!answer.accepted && limiter->tells != TELLS_NOTHING) {
        if (answer.told_ns < 0) answer.told_ns = (int64_t)(answer.reset_s * 1e9) + 1;
        if (limiter->tells == TELLS_SECONDS)
            answer.told_ns = (int64_t)ceil(limiter_seconds(answer.told_ns)) * TIME_S;
    } else {
        answer.told_ns = -1;
    }
    return answer;
}

static inline void limiter_init(struct limiter *limiter) {
    limiter->window_number = -1;
    limiter->used = 0;
    limiter->level = limiter->limit;
    limiter->filled_ns = 0;
    limiter->log_next = 0;
    for (int i = 0; i < LIMITER_LOG; i++)
        limiter->log[i] = -1;
}

// ---- the crowd ----

/* An event of the simulation: a reply, or a request that may be asked again. */
struct crowd_event {
    int64_t at_ns;
    int64_t order;
    int request;
    bool is_reply;
    struct limiter_answer answer;
};

struct crowd {
    struct limiter *limiter;
    struct pacer pacer;
    struct random random;
    double latency_s;
    int requests;
    /* results */
    int sent;
    int limited;
    int accepted;
    int first_sent_all; /* sent once each */
    int64_t all_sent_ns;
    int64_t ended_ns;
    int attempts_most;
    int early; /* sent before a time that was told */
    /* state */
    int64_t now_ns;
    int64_t told_until_ns;
    int fresh;            /* not asked yet */
    int again[CROWD_MAX]; /* turned away and due, a ring */
    int again_first;
    int again_count;
    int attempts[CROWD_MAX];
    struct pacer_ticket tickets[CROWD_MAX];
    struct crowd_event heap[2 * CROWD_MAX];
    int heap_count;
    int64_t order;
};

static inline bool crowd_before(const struct crowd_event *left, const struct crowd_event *right) {
    return left->at_ns < right->at_ns ||
           (left->at_ns == right->at_ns && left->order < right->order);
}

static inline void crowd_push(struct crowd *crowd, struct crowd_event event) {
    event.order = crowd->order++;
    int i = crowd->heap_count++;
    while (i > 0 && crowd_before(&event, &crowd->heap[(i - 1) / 2])) {
        crowd->heap[i] = crowd->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    crowd->heap[i] = event;
}

static inline struct crowd_event crowd_pop(struct crowd *crowd) {
    struct crowd_event first = crowd->heap[0];
    struct crowd_event last = crowd->heap[--crowd->heap_count];
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= crowd->heap_count) break;
        if (child + 1 < crowd->heap_count &&
            crowd_before(&crowd->heap[child + 1], &crowd->heap[child]))
            child++;
        if (!crowd_before(&crowd->heap[child], &last)) break;
        crowd->heap[i] = crowd->heap[child];
        i = child;
    }
    crowd->heap[i] = last;
    return first;
}

static inline void crowd_send(struct crowd *crowd, int request) {
    int64_t half_ns = (int64_t)(crowd->latency_s * 5e8);
    crowd->sent++;
    if (crowd->attempts[request]++ == 0) crowd->first_sent_all++;
    if (crowd->first_sent_all == crowd->requests && !crowd->all_sent_ns)
        crowd->all_sent_ns = crowd->now_ns;
    if (crowd->attempts[request] > crowd->attempts_most)
        crowd->attempts_most = crowd->attempts[request];
    pacer_note_sent(&crowd->pacer, &crowd->tickets[request], crowd->now_ns, &crowd->random);
    crowd->early += crowd->now_ns < crowd->told_until_ns;
    struct limiter_answer answer =
        limiter_ask(crowd->limiter, crowd->now_ns + half_ns, &crowd->random);
    crowd_push(crowd,
               (struct crowd_event){ crowd->now_ns + 2 * half_ns, 0, request, true, answer });
}

static inline void crowd_headers(struct crowd *crowd, const struct limiter_answer *answer) {
    char texts[3][32];
    if (!crowd->limiter->has_headers) return;
    snprintf(texts[0], sizeof(texts[0]), "%.0f", crowd->limiter->limit);
    snprintf(texts[1], sizeof(texts[1]), "%.0f", answer->remaining);
    snprintf(texts[2], sizeof(texts[2]), "%.0fms", answer->reset_s * 1000);
    struct header headers[] = {
        { slice_of("x-ratelimit-limit-requests"), slice_of(texts[0]) },
        { slice_of("x-ratelimit-remaining-requests"), slice_of(texts[1]) },
        { slice_of("x-ratelimit-reset-requests"), slice_of(texts[2]) },
    };
    pacer_note_headers(&crowd->pacer, headers, 3, crowd->now_ns, 0);
}

/* As retry_decide does: what is told with up to a tenth on top, else one to two seconds. */
static inline void crowd_reply(struct crowd *crowd, const struct crowd_event *event) {
    struct pacer_ticket *ticket = &crowd->tickets[event->request];
    if (event->answer.accepted) {
        crowd->accepted++;
        crowd->ended_ns = crowd->now_ns;
        pacer_note_accepted(&crowd->pacer, ticket, crowd->now_ns);
        crowd_headers(crowd, &event->answer);
        return;
    }
    int64_t told_ns = event->answer.told_ns;
    crowd->limited++;
    if (told_ns > 0 && crowd->now_ns + told_ns > crowd->told_until_ns)
        crowd->told_until_ns = crowd->now_ns + told_ns;
    pacer_note_limited(&crowd->pacer, ticket, crowd->now_ns, told_ns, &crowd->random);
    crowd_headers(crowd, &event->answer);
    int64_t wait_ns = told_ns > 0 ? told_ns + random_between(&crowd->random, 0, told_ns / 10)
                                  : random_between(&crowd->random, TIME_S, 2 * TIME_S);
    crowd_push(crowd,
               (struct crowd_event){ .at_ns = crowd->now_ns + wait_ns, .request = event->request });
}

static inline int crowd_next(struct crowd *crowd) {
    if (!crowd->again_count) return crowd->requests - crowd->fresh--;
    int request = crowd->again[crowd->again_first];
    crowd->again_first = (crowd->again_first + 1) % CROWD_MAX;
    crowd->again_count--;
    return request;
}

static inline int64_t crowd_release(struct crowd *crowd) {
    while (crowd->fresh || crowd->again_count) {
        int64_t at_ns = pacer_next_ns(&crowd->pacer, crowd->now_ns);
        if (at_ns > crowd->now_ns) return at_ns;
        crowd_send(crowd, crowd_next(crowd));
        if (crowd->latency_s == 0) break; // its reply comes before the next is sent
    }
    return crowd->fresh || crowd->again_count ? crowd->now_ns : TIME_NEVER;
}

/* All requests wait at once; runs until each was accepted, or time is up. */
static inline bool crowd_run(struct crowd *crowd, struct limiter *limiter, int requests,
                             double latency_s, uint64_t seed, double seconds_max) {
    memset(crowd, 0, sizeof(*crowd));
    crowd->limiter = limiter;
    crowd->latency_s = latency_s;
    crowd->requests = crowd->fresh = requests;
    crowd->random.state = seed;
    limiter_init(limiter);
    limiter->phase_s = limiter->window_s * random_unit(&crowd->random);
    pacer_init(&crowd->pacer, &pacer_default);
    crowd->now_ns = TIME_S; // not the beginning of all time
    while (crowd->accepted < requests) {
        int64_t at_ns = crowd_release(crowd);
        if (crowd->heap_count && crowd->heap[0].at_ns <= at_ns) at_ns = crowd->heap[0].at_ns;
        if (at_ns == TIME_NEVER || limiter_seconds(at_ns) > seconds_max) return false;
        crowd->now_ns = at_ns;
        while (crowd->heap_count && crowd->heap[0].at_ns <= crowd->now_ns) {
            struct crowd_event event = crowd_pop(crowd);
            if (event.is_reply)
                crowd_reply(crowd, &event);
            else
                crowd->again[(crowd->again_first + crowd->again_count++) % CROWD_MAX] =
                    event.request;
            crowd_release(crowd);
        }
    }
    return true;
}

#endif
