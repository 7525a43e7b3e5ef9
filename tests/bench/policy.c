/*
 * policy: what a decision costs. A measurement, not a test: prints nanoseconds for each, the median
 * of several rounds. A breaker's decision is to cost under 100 ns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/policy/breaker.h"
#include "core/policy/failure.h"
#include "core/policy/pacer.h"
#include "core/policy/retry.h"
#include "core/policy/retry_budget.h"

enum { ROUNDS = 15 };

static const struct breaker_policy breaker_policy = { .failure_threshold = 64,
                                                      .window_ns = 60 * TIME_S,
                                                      .recovery_timeout_ns = 60 * TIME_S,
                                                      .success_threshold = 2,
                                                      .ratio = 2 };
static const struct retry_policy retry_policy = { .max_attempts = 3,
                                                  .initial_delay_ns = TIME_S / 2,
                                                  .backoff_factor = 2,
                                                  .max_delay_ns = 30 * TIME_S,
                                                  .max_retry_after_ns = 60 * TIME_S };

static struct random seed = { 1 };
static volatile int64_t sink; // what is measured must not be optimised away

// ---- what is measured; each does it so many times ----

static void breaker_closed(int times) {
    struct breaker breaker;
    struct breaker_permit permit;
    breaker_init(&breaker, &breaker_policy);
    for (int i = 0; i < times; i++) {
        sink = breaker_allows(&breaker, i * TIME_MS, &permit);
        breaker_note(&breaker, permit, BREAKER_SUCCESS, i * TIME_MS, &seed);
    }
}

// The window always holds 63 failures, one less than opens it.
static void breaker_failing(int times) {
    struct breaker breaker;
    struct breaker_permit permit;
    breaker_init(&breaker, &breaker_policy);
    for (int i = 0; i < times; i++) {
        int64_t now_ns = i * (60 * TIME_S / 63 + 1);
        sink = breaker_allows(&breaker, now_ns, &permit);
        breaker_note(&breaker, permit, BREAKER_FAILURE, now_ns, &seed);
    }
}

static void breaker_refusing(int times) {
    struct breaker breaker;
    struct breaker_permit permit;
    breaker_init(&breaker, &breaker_policy);
    breaker_command(&breaker, BREAKER_FORCE_OPEN, 0);
    for (int i = 0; i < times; i++)
        sink = breaker_allows(&breaker, i, &permit);
}

static void breaker_probing(int times) {
    struct breaker breaker;
    struct breaker_permit permit;
    breaker_init(&breaker, &breaker_policy);
    breaker_command(&breaker, BREAKER_FORCE_OPEN, 0);
    breaker_command(&breaker, BREAKER_AUTO, 0);
    for (int i = 0; i < times; i++) {
        sink = breaker_allows(&breaker, i, &permit);
        breaker_note(&breaker, permit, BREAKER_NEUTRAL, i, &seed);
    }
}

static void retry(int times) {
    struct failure failure = { .class = FAILURE_SERVER, .retryable = true, .retry_after_ns = -1 };
    struct attempts so_far = { .made = 2, .deadline_ns = TIME_NEVER };
    for (int i = 0; i < times; i++)
        sink = retry_decide(&retry_policy, &failure, &so_far, i, &seed).delay_ns;
}

static void budget(int times) {
    struct retry_budget bucket;
    retry_budget_init(&bucket, &retry_budget_default, 0);
    for (int i = 0; i < times; i++) {
        sink = retry_budget_take(&bucket, 1, i * TIME_MS);
        retry_budget_note_success(&bucket, i * TIME_MS);
    }
}

static void pace_one(struct pacer *pacer, int64_t now_ns) {
    struct pacer_ticket ticket;
    sink = pacer_next_ns(pacer, now_ns);
    pacer_note_sent(pacer, &ticket, now_ns, &seed);
    pacer_note_accepted(pacer, &ticket, now_ns);
    pacer_note_ended(pacer, &ticket);
}

static void pacer_free(int times) {
    struct pacer pacer;
    pacer_init(&pacer, &pacer_default);
    for (int i = 0; i < times; i++)
        pace_one(&pacer, i * TIME_MS);
}

static void pacer_paced(int times) {
    struct pacer pacer;
    struct pacer_ticket ticket;
    pacer_init(&pacer, &pacer_default);
    pacer_note_sent(&pacer, &ticket, 0, &seed);
    pacer_note_limited(&pacer, &ticket, 0, TIME_MS, &seed);
    for (int i = 0; i < times; i++)
        pace_one(&pacer, TIME_S + i * TIME_MS);
}

static void pacer_headers(int times) {
    static const char *const texts[][2] = {
        { "x-ratelimit-limit-requests", "500" },        { "x-ratelimit-remaining-requests", "499" },
        { "x-ratelimit-reset-requests", "120ms" },      { "x-ratelimit-limit-tokens", "30000" },
        { "x-ratelimit-remaining-tokens", "29000" },    { "x-ratelimit-reset-tokens", "2s" },
        { "date", "Wed, 21 Oct 2026 07:28:00 GMT" },    { "content-type", "text/event-stream" },
        { "x-request-id", "req_01234567890123456789" }, { "server", "cloudflare" },
    };
    struct header headers[10];
    struct pacer pacer;
    for (int i = 0; i < 10; i++)
        headers[i] = (struct header){ slice_of(texts[i][0]), slice_of(texts[i][1]) };
    pacer_init(&pacer, &pacer_default);
    for (int i = 0; i < times; i++)
        pacer_note_headers(&pacer, headers, 10, i, 0);
}

static void judge(int times, int status, const char *body) {
    struct failure failure;
    struct failed_reply reply = { .status = status, .body = slice_of(body) };
    for (int i = 0; i < times; i++) {
        failure_from_reply(&reply, &failure);
        sink = failure.class;
    }
}

static void judge_json(int times) {
    judge(
        times, 429,
        "{\"error\":{\"message\":\"Rate limit reached for gpt in organization org on requests per "
        "min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.\",\"type\":\"requests\","
        "\"param\":null,\"code\":\"rate_limit_exceeded\"}}");
}

static void judge_page(int times) {
    judge(times, 502, "<html><head><title>502 Bad Gateway</title></head><body></body></html>");
}

// ---- the table ----

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static double median_ns(void (*measured)(int), int times) {
    double taken[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        measured(times);
        taken[round] = (now_ns() - start) / times;
    }
    qsort(taken, ROUNDS, sizeof(*taken), compare);
    return taken[ROUNDS / 2];
}

int main(void) {
    static const struct {
        const char *what;
        void (*measured)(int);
        int times;
    } rows[] = {
        { "breaker: allows, then a success", breaker_closed, 1000000 },
        { "breaker: allows, then a failure among 63", breaker_failing, 1000000 },
        { "breaker: refuses", breaker_refusing, 1000000 },
        { "breaker: a probe, and its answer", breaker_probing, 1000000 },
        { "retry: decides", retry, 1000000 },
        { "budget: a retry and a success", budget, 1000000 },
        { "pacer: a request without a limit", pacer_free, 1000000 },
        { "pacer: a request at a pace", pacer_paced, 1000000 },
        { "pacer: the headers of a reply", pacer_headers, 20000 },
        { "classifier: a JSON error", judge_json, 20000 },
        { "classifier: a page", judge_page, 20000 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        printf("%-42s %8.1f ns\n", rows[i].what, median_ns(rows[i].measured, rows[i].times));
    return 0;
}
