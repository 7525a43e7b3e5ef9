#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/policy/failure_tables.h"

static void assert_verdict(const char *what, struct verdict verdict, enum failure_class class,
                           bool retryable, bool retry_once, bool counts) {
    if (verdict.class != class || verdict.retryable != retryable ||
        verdict.retry_once != retry_once || verdict.counts != counts)
        fail_msg("%s: %s retryable=%d once=%d counts=%d", what, failure_class_name(verdict.class),
                 verdict.retryable, verdict.retry_once, verdict.counts);
}

static void test_every_code_that_decides_everywhere_has_its_verdict(void **state) {
    static const struct {
        enum failure_class class;
        const char *codes[16];
    } fixed[] = {
        { FAILURE_BILLING,
          { "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
            "billing_not_active", "billing_hard_limit_reached", "billing_error",
            "enforced_spend_limit_reached", "usage_not_included", "budget_exceeded",
            "exceeded_current_quota_error", "Arrearage", "AllocationQuota.FreeTierOnly" } },
        { FAILURE_CONTEXT_LENGTH, { "context_length_exceeded", "exceed_context_size_error" } },
        { FAILURE_CONTENT_FILTER,
          { "content_policy_violation", "content_filter", "invalid_prompt", "bio_policy",
            "cyber_policy", "image_content_policy_violation", "ResponsibleAIPolicyViolation",
            "moderation_blocked", "data_inspection_failed" } },
        { FAILURE_NOT_FOUND,
          { "model_not_found", "previous_response_not_found", "DeploymentNotFound", "invalid_model",
            "image_file_not_found", "model_decommissioned", "model_not_available",
            "unknown_model" } },
        { FAILURE_AUTH, { "invalid_api_key", "ip_not_authorized", "API_KEY_INVALID" } },
        { FAILURE_PERMISSION,
          { "missing_scope", "unsupported_country_region_territory", "data_residency_mismatch",
            "organization_restricted", "model_terms_required", "key_model_access_denied" } },
        { FAILURE_REQUEST_TOO_LARGE, { "image_too_large", "image_file_too_large" } },
        { FAILURE_VALIDATION,
          { "string_above_max_length", "not_supported_error", "NotImplementedError" } },
    };
    struct verdict verdict;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        for (size_t j = 0; fixed[i].codes[j]; j++) {
            assert_true(failure_find_code(fixed[i].codes[j], &verdict));
            assert_verdict(fixed[i].codes[j], verdict, fixed[i].class, false, false, false);
        }
    static const struct {
        const char *code;
        enum failure_class class;
        bool retry_once, counts;
    } retried[] = {
        { "server_is_overloaded", FAILURE_OVERLOADED, false, true },
        { "capacity_exceeded", FAILURE_OVERLOADED, false, true },
        { "slow_down", FAILURE_OVERLOADED, false, true },
        { "tool_use_failed", FAILURE_SERVER, true, false },
        { "json_validate_failed", FAILURE_SERVER, true, false },
        { "vector_store_timeout", FAILURE_TIMEOUT, false, false },
    };
    for (size_t i = 0; i < sizeof(retried) / sizeof(*retried); i++) {
        assert_true(failure_find_code(retried[i].code, &verdict));
        assert_verdict(retried[i].code, verdict, retried[i].class, true, retried[i].retry_once,
                       retried[i].counts);
    }
    assert_false(failure_find_code("", &verdict));
    assert_false(failure_find_code("rate_limit_exceeded", &verdict));
}

static void test_every_text_that_decides_has_its_verdict(void **state) {
    static const struct {
        enum failure_class class;
        const char *texts[24];
    } fixed[] = {
        { FAILURE_BILLING,
          { "Your credit balance is too low to access",
            "You have reached your specified API usage limits",
            "reached your specified workspace API usage limits", "any credits or licenses yet",
            "You have run out of credits", "used all available credits",
            "its monthly spending limit", "Insufficient Balance", "Insufficient credits. Add more",
            "Budget has been exceeded!", "ExceededTokenBudget: Current spend",
            "Your prepayment credits are depleted.",
            "Extra usage is required for long context requests.",
            "Key limit exceeded (total limit).",
            "\xe4\xbd\x99\xe9\xa2\x9d\xe4\xb8\x8d\xe8\xb6\xb3" } },
        { FAILURE_AUTH, { "Incorrect API key provided: x", "API key not valid. Please pass" } },
        { FAILURE_REQUEST_TOO_LARGE,
          { "Request too large for gpt", "Request payload size exceeds the limit: 9 bytes",
            "increase the physical batch size" } },
        { FAILURE_CONTEXT_LENGTH,
          { "This model's maximum context length is 8192",
            "input exceeds the context window",
            "This model's maximum prompt length is 131072",
            "prompt is too long: 200001 tokens",
            "`max_tokens` exceed context limit: 1 + 2",
            "exceeds the available context size",
            "exceeds the maximum number of tokens allowed",
            "the model's context length of 4096",
            "Context size has been exceeded.",
            "is greater than the context length",
            "the first 9 tokens when context the overflows",
            "the first 9 tokens when context overflows",
            "is longer than the maximum model length of 8",
            "`inputs` tokens + `max_new_tokens` must be <= 8",
            "`inputs` must have less than 8 tokens",
            "Input tokens exceed the configured limit of 8",
            "Range of input length should be [1, 8]",
            "Your request exceeded model token limit: 8",
            "Input is too long for requested model.",
            "litellm.ContextWindowExceededError: x" } },
        { FAILURE_CONTENT_FILTER,
          { "Content violates usage guidelines.", "Output blocked by content filtering policy",
            "your input was flagged", "Azure OpenAI's content management policy",
            "litellm.ContentPolicyViolationError: x", "Content Exists Risk",
            "it was considered high risk" } },
        { FAILURE_PERMISSION,
          { "User location is not supported for the API use.",
            "This organization has been disabled." } },
        { FAILURE_NOT_FOUND,
          { "x/y is not a valid model ID", "Invalid model name passed in model=x",
            "Model Not Exist" } },
        { FAILURE_VALIDATION, { "Failed to fetch the image from" } },
    };
    struct verdict verdict;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        for (size_t j = 0; fixed[i].texts[j]; j++) {
            assert_true(failure_find_text(fixed[i].texts[j], &verdict));
            assert_verdict(fixed[i].texts[j], verdict, fixed[i].class, false, false, false);
        }
    assert_true(failure_find_text("model requires more system memory (9 GiB)", &verdict));
    assert_verdict("memory", verdict, FAILURE_SERVER, false, false, true);
    assert_true(failure_find_text("Loading model", &verdict));
    assert_verdict("loading", verdict, FAILURE_OVERLOADED, true, false, false);
    assert_true(failure_find_text("Model x is currently loading", &verdict));
    assert_verdict("loading", verdict, FAILURE_OVERLOADED, true, false, false);
    assert_false(failure_find_text("", &verdict));
    assert_false(
        failure_find_text("You exceeded your current quota", &verdict)); // a minute's, at Gemini
}

static void test_every_status_has_its_verdict(void **state) {
    static const struct {
        int from, to;
        enum failure_class class;
        bool retryable, counts;
    } rows[] = {
        { 202, 202, FAILURE_PENDING, true, false },
        { 300, 399, FAILURE_VALIDATION, false, false },
        { 400, 400, FAILURE_VALIDATION, false, false },
        { 401, 401, FAILURE_AUTH, false, false },
        { 402, 402, FAILURE_BILLING, false, false },
        { 403, 403, FAILURE_PERMISSION, false, false },
        { 404, 404, FAILURE_NOT_FOUND, false, false },
        { 405, 406, FAILURE_VALIDATION, false, false },
        { 407, 407, FAILURE_AUTH, false, false },
        { 408, 408, FAILURE_TIMEOUT, true, true },
        { 409, 409, FAILURE_CONFLICT, true, false },
        { 410, 412, FAILURE_VALIDATION, false, false },
        { 413, 413, FAILURE_REQUEST_TOO_LARGE, false, false },
        { 414, 424, FAILURE_VALIDATION, false, false },
        { 425, 425, FAILURE_SERVER, true, false },
        { 426, 428, FAILURE_VALIDATION, false, false },
        { 429, 429, FAILURE_RATE_LIMIT, true, false },
        { 430, 497, FAILURE_VALIDATION, false, false },
        { 498, 498, FAILURE_OVERLOADED, true, false },
        { 499, 499, FAILURE_CANCELLED, false, false },
        { 500, 500, FAILURE_SERVER, true, true },
        { 501, 501, FAILURE_VALIDATION, false, false },
        { 502, 502, FAILURE_SERVER, true, true },
        { 503, 503, FAILURE_OVERLOADED, true, true },
        { 504, 504, FAILURE_TIMEOUT, true, true },
        { 505, 521, FAILURE_SERVER, true, true },
        { 522, 522, FAILURE_TIMEOUT, true, true },
        { 523, 523, FAILURE_SERVER, true, true },
        { 524, 524, FAILURE_TIMEOUT, true, true },
        { 525, 525, FAILURE_SERVER, true, true },
        { 526, 526, FAILURE_SERVER, false, true },
        { 527, 528, FAILURE_SERVER, true, true },
        { 529, 529, FAILURE_OVERLOADED, true, true },
        { 530, 599, FAILURE_SERVER, true, true },
    };
    struct verdict verdict;
    int seen = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (int status = rows[i].from; status <= rows[i].to; status++, seen++) {
            char what[16];
            snprintf(what, sizeof(what), "%d", status);
            assert_true(failure_find_status(status, &verdict));
            assert_verdict(what, verdict, rows[i].class, rows[i].retryable, false, rows[i].counts);
        }
    assert_int_equal(seen, 301);
    static const int unknown[] = { 0, -1, 100, 200, 201, 203, 299, 600, 999 };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
        assert_false(failure_find_status(unknown[i], &verdict));
}

static void test_words_stand_for_statuses(void **state) {
    static const struct {
        int status;
        const char *words[16];
    } rows[] = {
        { 202, { "queued", "in_progress" } },
        { 400,
          { "invalid_request_error", "bad_request", "BadRequestError", "INVALID_ARGUMENT",
            "FAILED_PRECONDITION", "OUT_OF_RANGE", "Client specified an invalid argument",
            "invalid-argument" } },
        { 401,
          { "authentication_error", "unauthorized", "AuthenticationError", "UNAUTHENTICATED",
            "The request does not have valid authentication credentials" } },
        { 402, { "payment_required", "payment-required" } },
        { 403,
          { "permission_error", "forbidden", "request_forbidden", "PermissionDeniedError",
            "PERMISSION_DENIED", "permission-denied",
            "The caller does not have permission to execute the specified operation" } },
        { 404,
          { "not_found_error", "NotFoundError", "NOT_FOUND", "not-found",
            "Some requested entity was not found" } },
        { 408, { "request_timeout" } },
        { 409, { "conflict_error", "conflict", "ABORTED" } },
        { 413, { "request_too_large" } },
        { 422, { "unprocessable_entity", "UnprocessableEntityError", "validation" } },
        { 429,
          { "rate_limit_error", "rate_limit_exceeded", "rate_limited", "too_many_requests",
            "Too Many Requests", "throttling_error", "tokens", "requests", "RateLimitError",
            "RESOURCE_EXHAUSTED", "Some resource has been exhausted", "resource-exhausted:slow" } },
        { 499, { "cancelled" } },
        { 500,
          { "api_error", "server_error", "internal_server_error", "internal_error",
            "InternalServerError", "INTERNAL", "Internal error", "FAILED" } },
        { 501, { "UNIMPLEMENTED" } },
        { 502, { "bad_gateway" } },
        { 503,
          { "service_unavailable", "service_unavailable_error", "unavailable_error", "UNAVAILABLE",
            "ServiceUnavailableError", "The service is currently unavailable" } },
        { 504,
          { "timeout_error", "timeout", "gateway_timeout", "DEADLINE_EXCEEDED",
            "Deadline expired before operation could complete" } },
        { 529, { "overloaded_error", "overloaded" } },
    };
    struct verdict verdict;
    struct verdict expected;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t j = 0; rows[i].words[j]; j++) {
            if (!failure_find_word(rows[i].words[j], &verdict))
                fail_msg("%s is not known", rows[i].words[j]);
            assert_true(failure_find_status(rows[i].status, &expected));
            assert_verdict(rows[i].words[j], verdict, expected.class, expected.retryable,
                           expected.retry_once, expected.counts);
        }
    assert_true(failure_find_word("EXPIRED", &verdict));
    assert_verdict("EXPIRED", verdict, FAILURE_NOT_FOUND, true, false, false);
    assert_false(failure_find_word("", &verdict));
    assert_false(failure_find_word("brand_new_code", &verdict));
}

static void test_words_are_the_same_in_other_spellings(void **state) {
    static const struct {
        const char *known, *word;
        bool same;
    } rows[] = {
        { "not_found", "not_found", true },   { "not_found", "NOT-FOUND", true },
        { "not_found", "Not Found", true },   { "not_found", "not_found:model", true },
        { "not_found", "not_foundx", false }, { "not_found", "not_foun", false },
        { "not_found", "", false },           { "not_found", "xnot_found", false },
        { "not_found", ":", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(failure_same_word(rows[i].known, rows[i].word), rows[i].same);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_that_decides_everywhere_has_its_verdict),
        cmocka_unit_test(test_every_text_that_decides_has_its_verdict),
        cmocka_unit_test(test_every_status_has_its_verdict),
        cmocka_unit_test(test_words_stand_for_statuses),
        cmocka_unit_test(test_words_are_the_same_in_other_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
