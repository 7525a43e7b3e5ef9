/* The order of decision of an error reply, with replies that are in no catalogue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/policy/failure_rules.h"

// Rows leave out what they do not need.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct row {
    int status;
    const char *body;
    enum failure_class class;
    const char *verdict;   /* "retry", "counts", "retry counts", … */
    const char *header[2]; /* one */
    bool in_stream;
};

static bool says(const struct row *row, const char *word) {
    return slice_contains_nocase(slice_of(row->verdict), word);
}

static void judge(const struct row *row, struct failure *failure_out) {
    struct header header = { slice_of(row->header[0]), slice_of(row->header[1]) };
    struct failed_reply reply = { .status = row->status,
                                  .headers = &header,
                                  .header_count = row->header[0] != NULL,
                                  .body = slice_of(row->body),
                                  .in_stream = row->in_stream };
    failure_from_reply(&reply, failure_out);
}

static void check_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct failure failure;
        judge(&rows[i], &failure);
        if (failure.class != rows[i].class || failure.retryable != says(&rows[i], "retry") ||
            failure.retry_once != says(&rows[i], "once") ||
            failure.counts_for_breaker != says(&rows[i], "counts"))
            fail_msg("%d %s: %s retryable=%d once=%d counts=%d", rows[i].status, rows[i].body,
                     failure_class_name(failure.class), failure.retryable, failure.retry_once,
                     failure.counts_for_breaker);
    }
}

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const struct row rows[] = { __VA_ARGS__ };                                          \
        check_rows(rows, sizeof(rows) / sizeof(*rows));                                            \
    } while (0)

#define ERROR(members) "{\"error\":{" members "}}"

static void test_known_codes_win_over_everything(void **state) {
    CHECK(
        // over the status
        { 429, ERROR("\"code\":\"insufficient_quota\""), FAILURE_BILLING, "" },
        { 500, ERROR("\"code\":\"context_length_exceeded\""), FAILURE_CONTEXT_LENGTH, "" },
        { 503, ERROR("\"code\":\"invalid_api_key\""), FAILURE_AUTH, "" },
        { 400, ERROR("\"code\":\"invalid_model\""), FAILURE_NOT_FOUND, "" },
        // over the text
        { 400, ERROR("\"code\":\"string_above_max_length\",\"message\":\"maximum context length\""),
          FAILURE_VALIDATION, "" },
        // in the type, when the code says nothing
        { 429, ERROR("\"type\":\"insufficient_quota\",\"code\":null"), FAILURE_BILLING, "" },
        { 402, ERROR("\"type\":\"billing_error\""), FAILURE_BILLING, "" },
        { 429, ERROR("\"type\":\"tokens\",\"code\":\"billing_not_active\""), FAILURE_BILLING, "" },
        // code before type, details before both
        { 400, ERROR("\"type\":\"content_filter\",\"code\":\"invalid_api_key\""), FAILURE_AUTH,
          "" },
        { 429,
          ERROR("\"type\":\"rate_limit_error\",\"details\":{\"error_code\":"
                "\"enforced_spend_limit_reached\"}"),
          FAILURE_BILLING, "" },
        { 400,
          "[{\"error\":{\"code\":400,\"details\":[{\"reason\":\"X\"},{\"reason\":"
          "\"API_KEY_INVALID\"}]}}]",
          FAILURE_AUTH, "" },
        { 400, ERROR("\"code\":\"400\",\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\"}"),
          FAILURE_CONTENT_FILTER, "" },
        // whatever else was said
        { 403, "{\"code\":\"unauthenticated:bad-credentials\",\"error\":\"m\"}", FAILURE_AUTH, "" },
        { 403, "{\"code\":\"unauthenticated\",\"error\":\"m\"}", FAILURE_AUTH, "" },
        { 403, "{\"code\":\"unauthenticate\",\"error\":\"m\"}", FAILURE_PERMISSION, "" },
        { 400, "{\"error\":\"insufficient_quota\",\"message\":\"m\"}", FAILURE_BILLING, "" });
}

static void test_codes_that_depend_on_the_status(void **state) {
    CHECK({ 404, ERROR("\"code\":\"model_not_found\""), FAILURE_NOT_FOUND, "" },
          { 403, ERROR("\"code\":\"model_not_found\""), FAILURE_PERMISSION, "" },
          { 429, ERROR("\"code\":\"slow_down\""), FAILURE_RATE_LIMIT, "retry" },
          { 503, ERROR("\"code\":\"slow_down\""), FAILURE_OVERLOADED, "retry counts" },
          { 200, ERROR("\"code\":\"slow_down\""), FAILURE_OVERLOADED, "retry counts",
            .in_stream = true },
          { 403, ERROR("\"code\":\"slow_down\""), FAILURE_OVERLOADED, "retry" },
          { 429, ERROR("\"code\":\"model_not_found\""), FAILURE_NOT_FOUND, "" });
}

static void test_no_capacity_counts_when_the_provider_failed_not_when_it_declined(void **state) {
    CHECK({ 503, ERROR("\"code\":\"server_is_overloaded\""), FAILURE_OVERLOADED, "retry counts" },
          { 500, ERROR("\"code\":\"server_is_overloaded\""), FAILURE_OVERLOADED, "retry counts" },
          { 429, ERROR("\"code\":\"server_is_overloaded\""), FAILURE_OVERLOADED, "retry" },
          { 498, ERROR("\"code\":\"capacity_exceeded\""), FAILURE_OVERLOADED, "retry" },
          { 400, ERROR("\"code\":\"capacity_exceeded\""), FAILURE_OVERLOADED, "retry" },
          { 499, ERROR("\"code\":\"capacity_exceeded\""), FAILURE_OVERLOADED, "retry" },
          { 200, ERROR("\"code\":\"capacity_exceeded\""), FAILURE_OVERLOADED, "retry counts",
            .in_stream = true },
          { 200, ERROR("\"code\":\"capacity_exceeded\",\"status\":429"), FAILURE_OVERLOADED,
            "retry", .in_stream = true },
          { 503, ERROR("\"message\":\"Loading model\""), FAILURE_OVERLOADED, "retry" });
}

static void test_texts_decide_where_codes_do_not(void **state) {
    CHECK({ 400, ERROR("\"message\":\"Your credit balance is too low\""), FAILURE_BILLING, "" },
          { 403, "{\"error\":\"PROMPT IS TOO LONG: 9 tokens\"}", FAILURE_CONTEXT_LENGTH, "" },
          { 500, ERROR("\"message\":\"requires more system memory\""), FAILURE_SERVER, "counts" },
          { 500, "failed to fetch the image from there", FAILURE_VALIDATION, "" },
          { 400, ERROR("\"message\":\"current length is 9 while limit is 8\""),
            FAILURE_CONTEXT_LENGTH, "" },
          { 400, ERROR("\"message\":\"current length is 9\""), FAILURE_VALIDATION, "" },
          { 400, ERROR("\"message\":\"while limit is 9, current length is 8\""), FAILURE_VALIDATION,
            "" },
          { 400, ERROR("\"message\":\"m\",\"metadata\":{\"raw\":\"maximum context length\"}"),
            FAILURE_CONTEXT_LENGTH, "" },
          { 429,
            "[{\"error\":{\"code\":429,\"message\":\"quota\",\"details\":[{\"violations\":[{"
            "\"quotaId\":\"RequestsPerDay\"}]}]}}]",
            FAILURE_BILLING, "" });
}

static void test_more_than_the_limit_can_never_pass(void **state) {
    CHECK({ 429,
            ERROR("\"code\":\"rate_limit_exceeded\",\"message\":\"Rate limit reached for gpt in "
                  "org on TPM: Limit 30000, Used 5, Requested 30601.\""),
            FAILURE_REQUEST_TOO_LARGE, "" },
          { 413, ERROR("\"message\":\"Limit: 10, Requested: 11\""), FAILURE_REQUEST_TOO_LARGE, "" },
          { 429,
            ERROR("\"message\":\"Rate limit reached: Limit 30000, Used 29000, Requested 3000\""),
            FAILURE_RATE_LIMIT, "retry" },
          { 429, ERROR("\"message\":\"Limit 10, Requested 10\""), FAILURE_RATE_LIMIT, "retry" },
          { 429, ERROR("\"message\":\"Limit reached, requested too much\""), FAILURE_RATE_LIMIT,
            "retry" },
          { 429, ERROR("\"message\":\"Limit 10 reached\""), FAILURE_RATE_LIMIT, "retry" },
          { 429, ERROR("\"message\":\"Requested 10\""), FAILURE_RATE_LIMIT, "retry" },
          { 400, ERROR("\"message\":\"limit 10, requested 20 images\""), FAILURE_VALIDATION, "" },
          { 500, ERROR("\"message\":\"limit 10, requested 20\""), FAILURE_SERVER, "retry counts" });
}

static void test_xai_hides_missing_credit_in_other_sentences(void **state) {
    CHECK({ 429, "{\"code\":\"Some resource has been exhausted\",\"error\":\"No credits left\"}",
            FAILURE_BILLING, "" },
          { 429, "{\"code\":\"resource-exhausted\",\"error\":\"buy more credits\"}",
            FAILURE_BILLING, "" },
          { 403,
            "{\"code\":\"The caller does not have permission to execute the specified "
            "operation\",\"error\":\"no credits\"}",
            FAILURE_BILLING, "" },
          { 403, "{\"code\":\"permission-denied\",\"error\":\"no credits\"}", FAILURE_BILLING, "" },
          { 403, "{\"code\":\"permission-denied\",\"error\":\"team is blocked\"}",
            FAILURE_PERMISSION, "" },
          { 429, "{\"code\":\"Some resource has been exhausted\",\"error\":\"too fast\"}",
            FAILURE_RATE_LIMIT, "retry" },
          { 429,
            ERROR("\"code\":429,\"message\":\"Add 10 credits to unlock 1000 requests per day\""),
            FAILURE_RATE_LIMIT, "retry" });
}

static void test_special_statuses(void **state) {
    CHECK({ 402, ERROR("\"code\":402,\"message\":\"m\""), FAILURE_RATE_LIMIT, "retry",
            .header = { "Retry-After", "4" } },
          { 402, ERROR("\"code\":402,\"message\":\"m\""), FAILURE_RATE_LIMIT, "retry",
            .header = { "retry-after-ms", "4" } },
          { 402, ERROR("\"code\":402,\"message\":\"m\""), FAILURE_BILLING, "",
            .header = { "retry-after", "" } },
          { 402, ERROR("\"message\":\"Insufficient credits\""), FAILURE_BILLING, "",
            .header = { "retry-after", "4" } },
          { 403, ERROR("\"code\":403,\"metadata\":{\"reasons\":[\"x\"]}"), FAILURE_CONTENT_FILTER,
            "" },
          { 403, ERROR("\"code\":403,\"metadata\":{\"reasons\":[]}"), FAILURE_PERMISSION, "" },
          { 403, "{\"error\":\"Failed check: SAFETY_CHECK_TYPE_X\"}", FAILURE_CONTENT_FILTER, "" },
          { 400, ERROR("\"metadata\":{\"reasons\":[\"x\"]}"), FAILURE_VALIDATION, "" },
          { 429, "{\"message\":\"Service tier capacity exceeded for this model.\"}",
            FAILURE_OVERLOADED, "retry" },
          { 429, ERROR("\"message\":\"No deployments available, try again in 5 seconds\""),
            FAILURE_OVERLOADED, "retry" },
          { 400, ERROR("\"message\":\"capacity exceeded\""), FAILURE_VALIDATION, "" });
}

static void test_status_beats_a_generic_type(void **state) {
    CHECK({ 401, ERROR("\"type\":\"invalid_request_error\""), FAILURE_AUTH, "" },
          { 429, ERROR("\"type\":\"invalid_request_error\""), FAILURE_RATE_LIMIT, "retry" },
          { 500, ERROR("\"type\":\"rate_limit_error\",\"code\":429"), FAILURE_SERVER,
            "retry counts" },
          { 404, "{\"error\":\"model 'x' not found\"}", FAILURE_NOT_FOUND, "" });
}

static void test_unknown_replies_get_the_verdict_of_their_status(void **state) {
    CHECK({ 418, "", FAILURE_VALIDATION, "" }, { 451, "{}", FAILURE_VALIDATION, "" },
          { 599, "x", FAILURE_SERVER, "retry counts" },
          { 502, "<html><title>502 Bad Gateway</title></html>", FAILURE_SERVER, "retry counts" },
          { 403, "<html><title>Just a moment...</title></html>", FAILURE_PERMISSION, "" },
          { 429, "", FAILURE_RATE_LIMIT, "retry" }, { 301, "", FAILURE_VALIDATION, "" },
          { 202, "", FAILURE_PENDING, "retry" }, { 503, "[]", FAILURE_OVERLOADED, "retry counts" },
          { 522, "{\"title\":\"t\",\"status\":522,\"error_name\":\"x\",\"cloudflare_error\":true}",
            FAILURE_TIMEOUT, "retry counts" },
          { 429, "{\"title\":\"t\",\"status\":429,\"error_code\":1015,\"cloudflare_error\":true}",
            FAILURE_RATE_LIMIT, "retry" },
          { 999, "{}", FAILURE_SERVER, "retry counts" }, // no status that anybody knows
          { 0, "x", FAILURE_PROTOCOL, "" });
}

static void test_inside_a_200_the_named_status_decides_then_the_words(void **state) {
    CHECK(
        { 200, ERROR("\"code\":502,\"message\":\"upstream timed out\""), FAILURE_SERVER,
          "retry counts" },
        { 200, ERROR("\"code\":\"429\""), FAILURE_RATE_LIMIT, "retry", .in_stream = true },
        { 200, ERROR("\"code\":400,\"type\":\"overloaded_error\""), FAILURE_VALIDATION, "",
          .in_stream = true },
        { 200,
          "{\"code\":\"The service is currently unavailable\",\"error\":\"Timed out waiting\"}",
          FAILURE_TIMEOUT, "retry counts" },
        { 200, ERROR("\"type\":\"overloaded_error\""), FAILURE_OVERLOADED, "retry counts",
          .in_stream = true },
        { 200, ERROR("\"type\":\"rate_limit_error\""), FAILURE_RATE_LIMIT, "retry",
          .in_stream = true },
        { 200, ERROR("\"type\":\"t\",\"code\":\"rate_limit_exceeded\""), FAILURE_RATE_LIMIT,
          "retry", .in_stream = true },
        { 200, ERROR("\"type\":\"server_error\",\"code\":\"invalid_image\""), FAILURE_VALIDATION,
          "", .in_stream = true },
        { 200, ERROR("\"code\":\"image_parse_error\""), FAILURE_VALIDATION, "", .in_stream = true },
        { 200, ERROR("\"code\":\"empty_image_file\""), FAILURE_VALIDATION, "", .in_stream = true },
        { 200, ERROR("\"code\":\"unsupported_x\""), FAILURE_VALIDATION, "", .in_stream = true },
        { 200, ERROR("\"code\":\"failed_to_download_image\""), FAILURE_VALIDATION, "",
          .in_stream = true },
        { 200, ERROR("\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"m\""), FAILURE_RATE_LIMIT,
          "retry", .in_stream = true },
        { 200,
          "{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":"
          "\"server_is_overloaded\"}}}",
          FAILURE_OVERLOADED, "retry counts", .in_stream = true },
        { 200, "{\"status\":\"cancelled\",\"error\":null}", FAILURE_CANCELLED, "" },
        { 200, "{\"status\":\"in_progress\"}", FAILURE_PENDING, "retry" },
        { 200, "{\"status\":\"FAILED\"}", FAILURE_SERVER, "retry counts" },
        { 200, ERROR("\"code\":\"tool_use_failed\",\"status_code\":400"), FAILURE_SERVER,
          "retry once", .in_stream = true });
}

static void test_an_unknown_error_inside_a_200_is_the_servers(void **state) {
    CHECK({ 200, ERROR("\"code\":\"brand_new_code\""), FAILURE_SERVER, "retry counts",
            .in_stream = true },
          { 200, "{\"error\":\"it broke\"}", FAILURE_SERVER, "retry counts" },
          { 200, "it broke", FAILURE_SERVER, "retry counts", .in_stream = true },
          { 201, "{\"error\":\"it broke\"}", FAILURE_SERVER, "retry counts" });
}

static void test_a_200_that_is_neither_json_nor_a_stream_is_not_understood(void **state) {
    CHECK({ 200, "<html><title>Log in</title></html>", FAILURE_PROTOCOL, "" },
          { 200, "<html>", FAILURE_PROTOCOL, "", .in_stream = true },
          { 200, "Welcome to the hotel", FAILURE_PROTOCOL, "" }, { 204, "", FAILURE_PROTOCOL, "" },
          { 206, "x", FAILURE_PROTOCOL, "" });
}

static void test_x_should_retry_changes_the_retry_of_a_status_only(void **state) {
    CHECK({ 500, "", FAILURE_SERVER, "counts", .header = { "x-should-retry", "false" } },
          { 429, "", FAILURE_RATE_LIMIT, "", .header = { "X-Should-Retry", "False" } },
          { 400, "", FAILURE_VALIDATION, "retry", .header = { "x-should-retry", "true" } },
          { 501, "", FAILURE_VALIDATION, "retry", .header = { "x-should-retry", "true" } },
          { 500, "", FAILURE_SERVER, "retry counts", .header = { "x-should-retry", "perhaps" } },
          // not where a code, a text or a special status decided
          { 429, ERROR("\"code\":\"insufficient_quota\""), FAILURE_BILLING, "",
            .header = { "x-should-retry", "true" } },
          { 400, ERROR("\"message\":\"prompt is too long\""), FAILURE_CONTEXT_LENGTH, "",
            .header = { "x-should-retry", "true" } },
          { 503, ERROR("\"code\":\"server_is_overloaded\""), FAILURE_OVERLOADED, "retry counts",
            .header = { "x-should-retry", "false" } },
          { 429, ERROR("\"code\":\"slow_down\""), FAILURE_RATE_LIMIT, "retry",
            .header = { "x-should-retry", "false" } },
          { 403, ERROR("\"code\":\"model_not_found\""), FAILURE_PERMISSION, "",
            .header = { "x-should-retry", "true" } },
          { 429, ERROR("\"message\":\"no deployments available\""), FAILURE_OVERLOADED, "retry",
            .header = { "x-should-retry", "false" } },
          { 403, ERROR("\"metadata\":{\"reasons\":[\"x\"]}"), FAILURE_CONTENT_FILTER, "",
            .header = { "x-should-retry", "true" } });
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_codes_win_over_everything),
        cmocka_unit_test(test_codes_that_depend_on_the_status),
        cmocka_unit_test(test_no_capacity_counts_when_the_provider_failed_not_when_it_declined),
        cmocka_unit_test(test_texts_decide_where_codes_do_not),
        cmocka_unit_test(test_more_than_the_limit_can_never_pass),
        cmocka_unit_test(test_xai_hides_missing_credit_in_other_sentences),
        cmocka_unit_test(test_special_statuses),
        cmocka_unit_test(test_status_beats_a_generic_type),
        cmocka_unit_test(test_unknown_replies_get_the_verdict_of_their_status),
        cmocka_unit_test(test_inside_a_200_the_named_status_decides_then_the_words),
        cmocka_unit_test(test_an_unknown_error_inside_a_200_is_the_servers),
        cmocka_unit_test(test_a_200_that_is_neither_json_nor_a_stream_is_not_understood),
        cmocka_unit_test(test_x_should_retry_changes_the_retry_of_a_status_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
