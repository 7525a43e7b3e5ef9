#include "core/policy/failure_rules.h"

#include <string.h>
#include <strings.h>

#define FIXED(class) { class, false, false, false }
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// ---- 1. known codes ----

struct word_rule {
    const char *word;
    struct verdict verdict;
};

static const struct word_rule code_rules[] = {
    { "insufficient_quota", FIXED(FAILURE_BILLING) },
    { "credit_balance_exhausted", FIXED(FAILURE_BILLING) },
    { "organization_spend_limit_exceeded", FIXED(FAILURE_BILLING) },
    { "project_spend_limit_exceeded", FIXED(FAILURE_BILLING) },
    { "organization_usage_limit_exceeded", FIXED(FAILURE_BILLING) },
    { "billing_not_active", FIXED(FAILURE_BILLING) },
    { "billing_hard_limit_reached", FIXED(FAILURE_BILLING) },
    { "billing_error", FIXED(FAILURE_BILLING) },
    { "enforced_spend_limit_reached", FIXED(FAILURE_BILLING) },
    { "usage_not_included", FIXED(FAILURE_BILLING) },
    { "budget_exceeded", FIXED(FAILURE_BILLING) },
    { "context_length_exceeded", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceed_context_size_error", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "content_policy_violation", FIXED(FAILURE_CONTENT_FILTER) },
    { "content_filter", FIXED(FAILURE_CONTENT_FILTER) },
    { "invalid_prompt", FIXED(FAILURE_CONTENT_FILTER) },
    { "bio_policy", FIXED(FAILURE_CONTENT_FILTER) },
    { "image_content_policy_violation", FIXED(FAILURE_CONTENT_FILTER) },
    { "model_not_found", FIXED(FAILURE_NOT_FOUND) },
    { "previous_response_not_found", FIXED(FAILURE_NOT_FOUND) },
    { "DeploymentNotFound", FIXED(FAILURE_NOT_FOUND) },
    { "invalid_model", FIXED(FAILURE_NOT_FOUND) },
    { "image_file_not_found", FIXED(FAILURE_NOT_FOUND) },
    { "invalid_api_key", FIXED(FAILURE_AUTH) },
    { "ip_not_authorized", FIXED(FAILURE_AUTH) },
    { "API_KEY_INVALID", FIXED(FAILURE_AUTH) },
    { "missing_scope", FIXED(FAILURE_PERMISSION) },
    { "unsupported_country_region_territory", FIXED(FAILURE_PERMISSION) },
    { "data_residency_mismatch", FIXED(FAILURE_PERMISSION) },
    { "image_too_large", FIXED(FAILURE_REQUEST_TOO_LARGE) },
    { "image_file_too_large", FIXED(FAILURE_REQUEST_TOO_LARGE) },
    { "string_above_max_length", FIXED(FAILURE_VALIDATION) },
    { "not_supported_error", FIXED(FAILURE_VALIDATION) },
    { "NotImplementedError", FIXED(FAILURE_VALIDATION) },
    { "server_is_overloaded", { FAILURE_OVERLOADED, true, false, true } },
    { "capacity_exceeded", { FAILURE_OVERLOADED, true, false, true } },
    { "slow_down", { FAILURE_OVERLOADED, true, false, true } },
    { "tool_use_failed", { FAILURE_SERVER, true, true, false } },
    { "vector_store_timeout", { FAILURE_TIMEOUT, true, false, false } },
};

static bool find_word(const struct word_rule *rules, size_t count, const char *word,
                      struct verdict *verdict_out) {
    for (size_t i = 0; i < count && word[0]; i++) {
        if (strcasecmp(rules[i].word, word) != 0) continue;
        *verdict_out = rules[i].verdict;
        return true;
    }
    return false;
}

static bool judge_code(const char *code, int status, struct verdict *verdict_out) {
    static const struct verdict permission = FIXED(FAILURE_PERMISSION);
    static const struct verdict slow = { FAILURE_RATE_LIMIT, true, false, false };
    static const struct verdict auth = FIXED(FAILURE_AUTH);
    if (strncmp(code, "unauthenticated", 15) == 0) {
        *verdict_out = auth;
        return true;
    }
    if (!find_word(code_rules, LENGTH(code_rules), code, verdict_out)) return false;
    if (strcmp(code, "model_not_found") == 0 && status == 403) *verdict_out = permission;
    if (strcmp(code, "slow_down") == 0 && status == 429) *verdict_out = slow;
    return true;
}

// ---- 2. texts, inside error messages only ----

static const struct word_rule text_rules[] = {
    { "credit balance is too low", FIXED(FAILURE_BILLING) },
    { "specified api usage limits", FIXED(FAILURE_BILLING) },
    { "workspace api usage limits", FIXED(FAILURE_BILLING) },
    { "credits or licenses", FIXED(FAILURE_BILLING) },
    { "run out of credits", FIXED(FAILURE_BILLING) },
    { "all available credits", FIXED(FAILURE_BILLING) },
    { "monthly spending limit", FIXED(FAILURE_BILLING) },
    { "insufficient balance", FIXED(FAILURE_BILLING) },
    { "insufficient credits", FIXED(FAILURE_BILLING) },
    { "budget has been exceeded", FIXED(FAILURE_BILLING) },
    { "incorrect api key", FIXED(FAILURE_AUTH) },
    { "api key not valid", FIXED(FAILURE_AUTH) },
    { "request too large", FIXED(FAILURE_REQUEST_TOO_LARGE) },
    { "maximum context length", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceeds the context window", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "maximum prompt length", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "prompt is too long", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceed context limit", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceeds the available context size", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceeds the maximum number of tokens allowed", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "model's context length", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "usage guidelines", FIXED(FAILURE_CONTENT_FILTER) },
    { "content filtering policy", FIXED(FAILURE_CONTENT_FILTER) },
    { "input was flagged", FIXED(FAILURE_CONTENT_FILTER) },
    { "location is not supported", FIXED(FAILURE_PERMISSION) },
    { "more system memory", { FAILURE_SERVER, false, false, true } },
    { "loading model", { FAILURE_OVERLOADED, true, false, false } },
    { "failed to fetch the image", FIXED(FAILURE_VALIDATION) },
};

static bool judge_text(const struct failure_body *body, struct verdict *verdict_out) {
    struct slice message = slice_of(body->message);
    static const struct verdict billing = FIXED(FAILURE_BILLING);
    static const struct verdict context = FIXED(FAILURE_CONTEXT_LENGTH);
    if (body->is_daily_quota) {
        *verdict_out = billing;
        return true;
    }
    for (size_t i = 0; i < LENGTH(text_rules); i++) {
        if (!slice_contains_nocase(message, text_rules[i].word)) continue;
        *verdict_out = text_rules[i].verdict;
        return true;
    }
    if (slice_contains_nocase(message, "current length is") &&
        slice_contains_nocase(message, "while limit is")) { // Cerebras
        *verdict_out = context;
        return true;
    }
    return false;
}

// ---- 3. special statuses ----

static bool judge_special(const struct failed_reply *reply, const struct failure_body *body,
                          int status, struct verdict *verdict_out) {
    static const struct verdict rate_limit = { FAILURE_RATE_LIMIT, true, false, false };
    static const struct verdict filter = FIXED(FAILURE_CONTENT_FILTER);
    static const struct verdict overloaded = { FAILURE_OVERLOADED, true, false, false };
    struct slice message = slice_of(body->message);
    bool told = false;
    for (size_t i = 0; i < reply->header_count; i++)
        told |= slice_equals_nocase(reply->headers[i].name, "retry-after");
    if (status == 402 && told) {
        *verdict_out = rate_limit;
        return true;
    }
    if (status == 403 && body->has_flag_reasons) {
        *verdict_out = filter;
        return true;
    }
    if (status == 429 && (slice_contains_nocase(message, "capacity exceeded") ||
                          slice_contains_nocase(message, "no deployments available"))) {
        *verdict_out = overloaded;
        return true;
    }
    return false;
}

// ---- 4. the status ----

static const struct {
    int from, to;
    struct verdict verdict;
} status_rules[] = {
    { 202, 202, { FAILURE_PENDING, true, false, false } },
    { 300, 399, FIXED(FAILURE_VALIDATION) },
    { 401, 401, FIXED(FAILURE_AUTH) },
    { 402, 402, FIXED(FAILURE_BILLING) },
    { 403, 403, FIXED(FAILURE_PERMISSION) },
    { 404, 404, FIXED(FAILURE_NOT_FOUND) },
    { 407, 407, FIXED(FAILURE_AUTH) },
    { 408, 408, { FAILURE_TIMEOUT, true, false, true } },
    { 409, 409, { FAILURE_CONFLICT, true, false, false } },
    { 410, 410, FIXED(FAILURE_NOT_FOUND) },
    { 413, 413, FIXED(FAILURE_REQUEST_TOO_LARGE) },
    { 425, 425, { FAILURE_SERVER, true, false, false } },
    { 429, 429, { FAILURE_RATE_LIMIT, true, false, false } },
    { 498, 498, { FAILURE_OVERLOADED, true, false, false } },
    { 499, 499, FIXED(FAILURE_CANCELLED) },
    { 400, 499, FIXED(FAILURE_VALIDATION) },
    { 501, 501, FIXED(FAILURE_VALIDATION) },
    { 503, 503, { FAILURE_OVERLOADED, true, false, true } },
    { 504, 504, { FAILURE_TIMEOUT, true, false, true } },
    { 522, 522, { FAILURE_TIMEOUT, true, false, true } },
    { 524, 524, { FAILURE_TIMEOUT, true, false, true } },
    { 526, 526, { FAILURE_SERVER, false, false, true } },
    { 529, 529, { FAILURE_OVERLOADED, true, false, true } },
    { 500, 599, { FAILURE_SERVER, true, false, true } },
};

static bool judge_status(int status, struct verdict *verdict_out) {
    for (size_t i = 0; i < LENGTH(status_rules); i++) {
        if (status < status_rules[i].from || status > status_rules[i].to) continue;
        *verdict_out = status_rules[i].verdict;
        return true;
    }
    return false;
}

// ---- 5. errors inside a 200: the type stands for the status ----

static const struct word_rule type_rules[] = {
    { "overloaded_error", { FAILURE_OVERLOADED, true, false, true } },
    { "overloaded", { FAILURE_OVERLOADED, true, false, true } },
    { "service_unavailable", { FAILURE_OVERLOADED, true, false, true } },
    { "unavailable_error", { FAILURE_OVERLOADED, true, false, true } },
    { "The service is currently unavailable", { FAILURE_OVERLOADED, true, false, true } },
    { "api_error", { FAILURE_SERVER, true, false, true } },
    { "server_error", { FAILURE_SERVER, true, false, true } },
    { "internal_server_error", { FAILURE_SERVER, true, false, true } },
    { "internal_error", { FAILURE_SERVER, true, false, true } },
    { "timeout_error", { FAILURE_TIMEOUT, true, false, true } },
    { "timeout", { FAILURE_TIMEOUT, true, false, true } },
    { "Deadline expired before operation could complete", { FAILURE_TIMEOUT, true, false, true } },
    { "rate_limit_error", { FAILURE_RATE_LIMIT, true, false, false } },
    { "rate_limit_exceeded", { FAILURE_RATE_LIMIT, true, false, false } },
    { "rate_limited", { FAILURE_RATE_LIMIT, true, false, false } },
    { "too_many_requests", { FAILURE_RATE_LIMIT, true, false, false } },
    { "tokens", { FAILURE_RATE_LIMIT, true, false, false } },
    { "requests", { FAILURE_RATE_LIMIT, true, false, false } },
    { "Some resource has been exhausted", { FAILURE_RATE_LIMIT, true, false, false } },
    { "conflict_error", { FAILURE_CONFLICT, true, false, false } },
    { "authentication_error", FIXED(FAILURE_AUTH) },
    { "permission_error", FIXED(FAILURE_PERMISSION) },
    { "permission_denied", FIXED(FAILURE_PERMISSION) },
    { "not_found_error", FIXED(FAILURE_NOT_FOUND) },
    { "NotFoundError", FIXED(FAILURE_NOT_FOUND) },
    { "request_too_large", FIXED(FAILURE_REQUEST_TOO_LARGE) },
    { "invalid_request_error", FIXED(FAILURE_VALIDATION) },
    { "BadRequestError", FIXED(FAILURE_VALIDATION) },
    { "Client specified an invalid argument", FIXED(FAILURE_VALIDATION) },
    { "FAILED", { FAILURE_SERVER, true, false, true } },
    { "EXPIRED", { FAILURE_NOT_FOUND, true, false, true } },
    { "cancelled", FIXED(FAILURE_CANCELLED) },
    { "queued", { FAILURE_PENDING, true, false, false } },
    { "in_progress", { FAILURE_PENDING, true, false, false } },
};

static bool starts_validation(const char *code) {
    static const char *const starts[] = { "invalid_", "image_", "empty_", "unsupported_",
                                          "failed_to_download" };
    for (size_t i = 0; i < LENGTH(starts); i++)
        if (strncmp(code, starts[i], strlen(starts[i])) == 0) return true;
    return false;
}

static struct verdict judge_inside_200(const struct failure_body *body) {
    static const struct verdict validation = FIXED(FAILURE_VALIDATION);
    static const struct verdict timeout = { FAILURE_TIMEOUT, true, false, true };
    static const struct verdict server = { FAILURE_SERVER, true, false, true };
    static const struct verdict not_a_reply = FIXED(FAILURE_PROTOCOL);
    struct verdict verdict;
    if (!body->root && body->is_html) return not_a_reply;
    if (slice_contains_nocase(slice_of(body->message), "timed out")) return timeout;
    if (body->inner_status && judge_status(body->inner_status, &verdict)) return verdict;
    if (find_word(type_rules, LENGTH(type_rules), body->code, &verdict)) return verdict;
    if (starts_validation(body->code)) return validation;
    if (find_word(type_rules, LENGTH(type_rules), body->type, &verdict)) return verdict;
    return server;
}

// An overloaded verdict by code counts when the provider failed, not when it declined.
static struct verdict weigh(struct verdict verdict, int status) {
    if (verdict.class == FAILURE_OVERLOADED && (status == 429 || status == 498))
        verdict.counts = false;
    return verdict;
}

struct verdict failure_rules_judge(const struct failed_reply *reply,
                                   const struct failure_body *body, bool *by_status_out) {
    bool failing = reply->status < 200 || reply->status == 202 || reply->status >= 300;
    int status = failing && !reply->in_stream ? reply->status : body->inner_status;
    struct verdict verdict;
    *by_status_out = false;
    if (judge_code(body->detail_code, status, &verdict) ||
        judge_code(body->code, status, &verdict) || judge_code(body->type, status, &verdict) ||
        judge_text(body, &verdict) || judge_special(reply, body, status, &verdict))
        return weigh(verdict, status);
    *by_status_out = true;
    if (failing && !reply->in_stream && judge_status(reply->status, &verdict)) return verdict;
    return judge_inside_200(body);
}
