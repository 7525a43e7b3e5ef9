#include "core/policy/failure_tables.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define FIXED(class)                                                                               \
    { class, false, false, false }
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

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
    { "exceeded_current_quota_error", FIXED(FAILURE_BILLING) }, // Moonshot
    { "Arrearage", FIXED(FAILURE_BILLING) },                    // DashScope
    { "AllocationQuota.FreeTierOnly", FIXED(FAILURE_BILLING) },
    { "context_length_exceeded", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceed_context_size_error", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "content_policy_violation", FIXED(FAILURE_CONTENT_FILTER) },
    { "content_filter", FIXED(FAILURE_CONTENT_FILTER) },
    { "ResponsibleAIPolicyViolation", FIXED(FAILURE_CONTENT_FILTER) }, // Azure
    { "invalid_prompt", FIXED(FAILURE_CONTENT_FILTER) },
    { "bio_policy", FIXED(FAILURE_CONTENT_FILTER) },
    { "cyber_policy", FIXED(FAILURE_CONTENT_FILTER) },
    { "image_content_policy_violation", FIXED(FAILURE_CONTENT_FILTER) },
    { "moderation_blocked", FIXED(FAILURE_CONTENT_FILTER) },
    { "data_inspection_failed", FIXED(FAILURE_CONTENT_FILTER) }, // DashScope
    { "model_not_found", FIXED(FAILURE_NOT_FOUND) },
    { "previous_response_not_found", FIXED(FAILURE_NOT_FOUND) },
    { "DeploymentNotFound", FIXED(FAILURE_NOT_FOUND) },
    { "invalid_model", FIXED(FAILURE_NOT_FOUND) },
    { "image_file_not_found", FIXED(FAILURE_NOT_FOUND) },
    { "model_decommissioned", FIXED(FAILURE_NOT_FOUND) }, // Groq
    { "model_not_available", FIXED(FAILURE_NOT_FOUND) },  // Together
    { "unknown_model", FIXED(FAILURE_NOT_FOUND) },
    { "invalid_api_key", FIXED(FAILURE_AUTH) },
    { "ip_not_authorized", FIXED(FAILURE_AUTH) },
    { "API_KEY_INVALID", FIXED(FAILURE_AUTH) },
    { "missing_scope", FIXED(FAILURE_PERMISSION) },
    { "unsupported_country_region_territory", FIXED(FAILURE_PERMISSION) },
    { "data_residency_mismatch", FIXED(FAILURE_PERMISSION) },
    { "organization_restricted", FIXED(FAILURE_PERMISSION) }, // Groq
    { "model_terms_required", FIXED(FAILURE_PERMISSION) },
    { "key_model_access_denied", FIXED(FAILURE_PERMISSION) }, // LiteLLM
    { "image_too_large", FIXED(FAILURE_REQUEST_TOO_LARGE) },
    { "image_file_too_large", FIXED(FAILURE_REQUEST_TOO_LARGE) },
    { "string_above_max_length", FIXED(FAILURE_VALIDATION) },
    { "not_supported_error", FIXED(FAILURE_VALIDATION) },
    { "NotImplementedError", FIXED(FAILURE_VALIDATION) },
    { "server_is_overloaded", { FAILURE_OVERLOADED, true, false, true } },
    { "capacity_exceeded", { FAILURE_OVERLOADED, true, false, true } },
    { "slow_down", { FAILURE_OVERLOADED, true, false, true } },
    { "tool_use_failed", { FAILURE_SERVER, true, true, false } },
    { "json_validate_failed", { FAILURE_SERVER, true, true, false } },
    { "vector_store_timeout", { FAILURE_TIMEOUT, true, false, false } },
};

static const struct word_rule text_rules[] = {
    { "credit balance is too low", FIXED(FAILURE_BILLING) },
    { "specified api usage limits", FIXED(FAILURE_BILLING) },
    { "workspace api usage limits", FIXED(FAILURE_BILLING) },
    { "credits or licenses", FIXED(FAILURE_BILLING) },
    { "run out of credits", FIXED(FAILURE_BILLING) },
    { "all available credits", FIXED(FAILURE_BILLING) },
    { "spending limit", FIXED(FAILURE_BILLING) },
    { "insufficient balance", FIXED(FAILURE_BILLING) },
    { "insufficient credits", FIXED(FAILURE_BILLING) },
    { "budget has been exceeded", FIXED(FAILURE_BILLING) },
    { "exceededtokenbudget", FIXED(FAILURE_BILLING) }, // LiteLLM
    { "credits are depleted", FIXED(FAILURE_BILLING) },
    { "extra usage is required", FIXED(FAILURE_BILLING) }, // Anthropic, of a plan
    { "key limit exceeded (", FIXED(FAILURE_BILLING) },    // OpenRouter
    { "余额不足", FIXED(FAILURE_BILLING) },                // Zhipu: insufficient balance
    { "incorrect api key", FIXED(FAILURE_AUTH) },
    { "api key not valid", FIXED(FAILURE_AUTH) },
    { "request too large", FIXED(FAILURE_REQUEST_TOO_LARGE) },
    { "payload size exceeds the limit", FIXED(FAILURE_REQUEST_TOO_LARGE) },   // Gemini
    { "increase the physical batch size", FIXED(FAILURE_REQUEST_TOO_LARGE) }, // llama.cpp
    { "maximum context length", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceeds the context window", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "maximum prompt length", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "prompt is too long", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceed context limit", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceeds the available context size", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "exceeds the maximum number of tokens allowed", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "model's context length", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "context size has been exceeded", FIXED(FAILURE_CONTEXT_LENGTH) },  // llama.cpp
    { "greater than the context length", FIXED(FAILURE_CONTEXT_LENGTH) }, // LM Studio
    { "when context the overflows", FIXED(FAILURE_CONTEXT_LENGTH) }, // the same, as it was spelt
    { "when context overflows", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "longer than the maximum model length", FIXED(FAILURE_CONTEXT_LENGTH) }, // vLLM
    { "`max_new_tokens` must be", FIXED(FAILURE_CONTEXT_LENGTH) },             // TGI
    { "`inputs` must have less than", FIXED(FAILURE_CONTEXT_LENGTH) },
    { "input tokens exceed the configured limit", FIXED(FAILURE_CONTEXT_LENGTH) }, // OpenAI
    { "range of input length should be", FIXED(FAILURE_CONTEXT_LENGTH) },          // DashScope
    { "exceeded model token limit", FIXED(FAILURE_CONTEXT_LENGTH) },               // Moonshot
    { "input is too long for requested model", FIXED(FAILURE_CONTEXT_LENGTH) },    // Bedrock
    { "contextwindowexceedederror", FIXED(FAILURE_CONTEXT_LENGTH) },               // LiteLLM
    { "usage guidelines", FIXED(FAILURE_CONTENT_FILTER) },
    { "content filtering policy", FIXED(FAILURE_CONTENT_FILTER) },
    { "input was flagged", FIXED(FAILURE_CONTENT_FILTER) },
    { "content management policy", FIXED(FAILURE_CONTENT_FILTER) },   // Azure
    { "contentpolicyviolationerror", FIXED(FAILURE_CONTENT_FILTER) }, // LiteLLM
    { "content exists risk", FIXED(FAILURE_CONTENT_FILTER) },         // DeepSeek
    { "considered high risk", FIXED(FAILURE_CONTENT_FILTER) },        // Moonshot
    { "location is not supported", FIXED(FAILURE_PERMISSION) },
    { "organization has been disabled", FIXED(FAILURE_PERMISSION) }, // Anthropic, as a 400
    { "is not a valid model id", FIXED(FAILURE_NOT_FOUND) },         // OpenRouter, as a 400
    { "invalid model name passed in", FIXED(FAILURE_NOT_FOUND) },    // LiteLLM, as a 400
    { "model not exist", FIXED(FAILURE_NOT_FOUND) },                 // DeepSeek, as a 400
    { "more system memory", { FAILURE_SERVER, false, false, true } },
    { "loading model", { FAILURE_OVERLOADED, true, false, false } },
    { "is currently loading", { FAILURE_OVERLOADED, true, false, false } }, // Hugging Face
    { "failed to fetch the image", FIXED(FAILURE_VALIDATION) },
};

// The first that fits decides.
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

// A word stands for the status that its server would have sent.
static const struct {
    const char *word;
    int status;
} status_words[] = {
    // OpenAI, Anthropic and those who speak like them
    { "overloaded_error", 529 },
    { "overloaded", 529 },
    { "service_unavailable_error", 503 },
    { "service_unavailable", 503 },
    { "unavailable_error", 503 },
    { "api_error", 500 },
    { "server_error", 500 },
    { "internal_server_error", 500 },
    { "internal_error", 500 },
    { "bad_gateway", 502 },
    { "timeout_error", 504 },
    { "timeout", 504 },
    { "gateway_timeout", 504 },
    { "request_timeout", 408 },
    { "rate_limit_error", 429 },
    { "rate_limit_exceeded", 429 },
    { "rate_limited", 429 },
    { "throttling_error", 429 },
    { "too_many_requests", 429 },
    { "tokens", 429 },
    { "requests", 429 },
    { "conflict_error", 409 },
    { "conflict", 409 },
    { "authentication_error", 401 },
    { "unauthorized", 401 },
    { "payment_required", 402 },
    { "permission_error", 403 },
    { "request_forbidden", 403 },
    { "forbidden", 403 },
    { "not_found_error", 404 },
    { "request_too_large", 413 },
    { "invalid_request_error", 400 },
    { "bad_request", 400 },
    { "unprocessable_entity", 422 },
    { "validation", 422 }, // TGI
    { "cancelled", 499 },
    // vLLM, SGLang: names of classes
    { "BadRequestError", 400 },
    { "AuthenticationError", 401 },
    { "PermissionDeniedError", 403 },
    { "NotFoundError", 404 },
    { "UnprocessableEntityError", 422 },
    { "RateLimitError", 429 },
    { "InternalServerError", 500 },
    { "ServiceUnavailableError", 503 },
    // gRPC: Gemini's words, xAI's sentences
    { "INVALID_ARGUMENT", 400 },
    { "Client specified an invalid argument", 400 },
    { "FAILED_PRECONDITION", 400 },
    { "OUT_OF_RANGE", 400 },
    { "UNAUTHENTICATED", 401 },
    { "The request does not have valid authentication credentials", 401 },
    { "PERMISSION_DENIED", 403 },
    { "The caller does not have permission to execute the specified operation", 403 },
    { "NOT_FOUND", 404 },
    { "Some requested entity was not found", 404 },
    { "ABORTED", 409 },
    { "RESOURCE_EXHAUSTED", 429 },
    { "Some resource has been exhausted", 429 },
    { "INTERNAL", 500 },
    { "UNIMPLEMENTED", 501 },
    { "UNAVAILABLE", 503 },
    { "The service is currently unavailable", 503 },
    { "DEADLINE_EXCEEDED", 504 },
    { "Deadline expired before operation could complete", 504 },
    // states of jobs
    { "FAILED", 500 },
    { "queued", 202 },
    { "in_progress", 202 },
};

static char folded(char c) {
    return c == '-' || c == ' ' ? '_' : (char)tolower((unsigned char)c);
}

bool failure_same_word(const char *known, const char *word) {
    while (*known && folded(*known) == folded(*word)) {
        known++;
        word++;
    }
    return !*known && (!*word || *word == ':');
}

bool failure_find_code(const char *code, struct verdict *verdict_out) {
    for (size_t i = 0; i < LENGTH(code_rules); i++) {
        if (!failure_same_word(code_rules[i].word, code)) continue;
        *verdict_out = code_rules[i].verdict;
        return true;
    }
    return false;
}

bool failure_find_text(const char *message, struct verdict *verdict_out) {
    for (size_t i = 0; i < LENGTH(text_rules); i++) {
        if (!strcasestr(message, text_rules[i].word)) continue;
        *verdict_out = text_rules[i].verdict;
        return true;
    }
    return false;
}

bool failure_find_status(int status, struct verdict *verdict_out) {
    for (size_t i = 0; i < LENGTH(status_rules); i++) {
        if (status < status_rules[i].from || status > status_rules[i].to) continue;
        *verdict_out = status_rules[i].verdict;
        return true;
    }
    return false;
}

bool failure_find_word(const char *word, struct verdict *verdict_out) {
    // The result of a job is gone: only a new one can help, and its loss says nothing of the
    // server.
    static const struct verdict expired = { FAILURE_NOT_FOUND, true, false, false };
    if (failure_same_word("EXPIRED", word)) {
        *verdict_out = expired;
        return true;
    }
    for (size_t i = 0; i < LENGTH(status_words); i++)
        if (failure_same_word(status_words[i].word, word))
            return failure_find_status(status_words[i].status, verdict_out);
    return false;
}
