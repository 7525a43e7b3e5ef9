#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/policy/limits.h"

enum { HEADERS_MAX = 16 };

static struct limit limits[LIMIT_KINDS];

/* "name: value" lines. */
static void read_limits(const char *const *lines, size_t count, int64_t wall_ns) {
    struct header headers[HEADERS_MAX];
    for (size_t i = 0; i < count; i++) {
        const char *colon = lines[i];
        while (*colon != ':')
            colon++;
        headers[i].name = (struct slice){ lines[i], (size_t)(colon - lines[i]) };
        headers[i].value = slice_of(colon + 1);
    }
    limits_read(headers, count, wall_ns, limits);
}

#define READ(...)                                                                                  \
    do {                                                                                           \
        static const char *const lines[] = { __VA_ARGS__ };                                        \
        read_limits(lines, sizeof(lines) / sizeof(*lines), 0);                                     \
    } while (0)

static void assert_limit(enum limit_kind kind, double limit, double remaining, int64_t reset_ns) {
    assert_true(limits[kind].limit == limit);
    assert_true(limits[kind].remaining == remaining);
    assert_int_equal(limits[kind].reset_ns, reset_ns);
}

static void assert_untold(enum limit_kind kind) {
    assert_limit(kind, 0, -1, -1);
}

static void test_openai_tells_of_requests_and_tokens(void **state) {
    READ("x-ratelimit-limit-requests: 500", "X-RateLimit-Remaining-Requests: 499",
         "x-ratelimit-reset-requests: 120ms", "x-ratelimit-limit-tokens:30000",
         "x-ratelimit-remaining-tokens: 29000 ", "x-ratelimit-reset-tokens: 1m2.5s");
    assert_limit(LIMIT_REQUESTS, 500, 499, 120 * TIME_MS);
    assert_limit(LIMIT_TOKENS, 30000, 29000, 62500 * TIME_MS);
    assert_untold(LIMIT_INPUT_TOKENS);
    assert_untold(LIMIT_OUTPUT_TOKENS);
}

static void test_anthropic_tells_of_four_buckets_and_instants(void **state) {
    READ("date: Wed, 21 Oct 2026 07:28:00 GMT", "anthropic-ratelimit-requests-limit: 50",
         "anthropic-ratelimit-requests-remaining: 0",
         "anthropic-ratelimit-requests-reset: 2026-10-21T07:28:30Z",
         "anthropic-ratelimit-input-tokens-limit: 40000",
         "anthropic-ratelimit-input-tokens-remaining: 39000",
         "anthropic-ratelimit-output-tokens-remaining: 8000",
         "anthropic-ratelimit-tokens-limit: 1");
    assert_limit(LIMIT_REQUESTS, 50, 0, 30 * TIME_S);
    assert_limit(LIMIT_INPUT_TOKENS, 40000, 39000, -1);
    assert_limit(LIMIT_OUTPUT_TOKENS, 0, 8000, -1);
    assert_limit(LIMIT_TOKENS, 1, -1, -1);
}

static void test_names_without_a_bucket_mean_requests(void **state) {
    READ("x-ratelimit-limit: 20", "x-ratelimit-remaining: 3", "x-ratelimit-reset: 7");
    assert_limit(LIMIT_REQUESTS, 20, 3, 7 * TIME_S);
    READ("RateLimit-Limit: 10", "RateLimit-Remaining: 9", "RateLimit-Reset: 60");
    assert_limit(LIMIT_REQUESTS, 10, 9, 60 * TIME_S);
}

static void test_instants_need_a_clock(void **state) {
    static const char *const lines[] = { "x-ratelimit-reset: 1792567710000" };
    read_limits(lines, 1, 0);
    assert_int_equal(limits[LIMIT_REQUESTS].reset_ns, -1);
    read_limits(lines, 1, INT64_C(1792567700) * TIME_S);
    assert_int_equal(limits[LIMIT_REQUESTS].reset_ns, 10 * TIME_S);
}

static void test_what_cannot_be_meant_is_absent(void **state) {
    READ("x-ratelimit-limit-requests: -1", "x-ratelimit-remaining-requests: -1",
         "x-ratelimit-reset-requests: soon", "x-ratelimit-limit-tokens: 10;w=60",
         "x-ratelimit-remaining-tokens: nan", "x-ratelimit-reset-tokens: -5s");
    assert_untold(LIMIT_REQUESTS);
    assert_untold(LIMIT_TOKENS);
}

static void test_limits_of_people_and_other_headers_are_left_out(void **state) {
    READ("anthropic-ratelimit-unified-limit: 5", "anthropic-ratelimit-unified-remaining: 1",
         "x-limit: 7", "remaining: 8", "x-ratelimit-requests: 9", "retry-after: 10");
    for (int kind = 0; kind < LIMIT_KINDS; kind++)
        assert_untold(kind);
}

static void test_very_long_names_are_no_limits(void **state) {
    READ("x-ratelimit-limit-requests-of-the-organization-and-its-projects: 5");
    assert_true(limits[LIMIT_REQUESTS].limit == 5); // 63 bytes
    READ("x-ratelimit-limit-requests-of-the-organization-and-its-projectss: 5");
    assert_untold(LIMIT_REQUESTS);
}

static void test_no_headers_tell_nothing(void **state) {
    limits_read(NULL, 0, 0, limits);
    for (int kind = 0; kind < LIMIT_KINDS; kind++)
        assert_untold(kind);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openai_tells_of_requests_and_tokens),
        cmocka_unit_test(test_anthropic_tells_of_four_buckets_and_instants),
        cmocka_unit_test(test_names_without_a_bucket_mean_requests),
        cmocka_unit_test(test_instants_need_a_clock),
        cmocka_unit_test(test_what_cannot_be_meant_is_absent),
        cmocka_unit_test(test_limits_of_people_and_other_headers_are_left_out),
        cmocka_unit_test(test_very_long_names_are_no_limits),
        cmocka_unit_test(test_no_headers_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
