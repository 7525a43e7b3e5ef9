#include "core/policy/failure_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/policy/hint.h"

#define FIXED(class)                                                                               \
    { class, false, false, false }
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// ---- 1. known codes ----

static bool judge_code(const char *code, int status, struct verdict *verdict_out) {
    static const struct verdict auth = FIXED(FAILURE_AUTH);
    static const struct {
        const char *code;
        int status;
        struct verdict verdict;
    } exceptions[] = {
        { "model_not_found", 403, FIXED(FAILURE_PERMISSION) },
        { "slow_down", 429, { FAILURE_RATE_LIMIT, true, false, false } },
    };
    for (size_t i = 0; i < LENGTH(exceptions); i++) {
        if (status != exceptions[i].status || !failure_same_word(exceptions[i].code, code))
            continue;
        *verdict_out = exceptions[i].verdict;
        return true;
    }
    if (strncasecmp(code, "unauthenticated", strlen("unauthenticated")) == 0) {
        *verdict_out = auth;
        return true;
    }
    return failure_find_code(code, verdict_out);
}

// What says most comes first.
static bool judge_codes(const struct failure_body *body, int status, struct verdict *verdict_out) {
    for (int i = 0; i < body->detail_code_count; i++)
        if (judge_code(body->detail_codes[i], status, verdict_out)) return true;
    return judge_code(body->code, status, verdict_out) ||
           judge_code(body->type, status, verdict_out);
}

// ---- 2. texts, inside error messages only ----

// The number behind the first such word that has one: "Limit 30000"; 0: none.
static long long number_after(const char *message, const char *word) {
    long long number = 0;
    while (number <= 0 && (message = strcasestr(message, word))) {
        message += strlen(word);
        number = strtoll(message + strspn(message, " :"), NULL, 10);
    }
    return number;
}

// More tokens than the limit of a minute can never pass, whatever the code says.
static bool asks_more_than_limit(const char *message, int status) {
    long long limit = number_after(message, "limit");
    return status == 429 && limit > 0 && number_after(message, "requested") > limit;
}

// xAI reports missing credit under the sentence for a rate limit, or for a missing right.
static bool is_xai_credit(const struct failure_body *body) {
    static const char *const codes[] = {
        "Some resource has been exhausted", "resource_exhausted", "permission_denied",
        "The caller does not have permission to execute the specified operation"
    };
    for (size_t i = 0; i < LENGTH(codes); i++)
        if (failure_same_word(codes[i], body->code)) return strcasestr(body->message, "credits");
    return false;
}

static bool judge_text(const struct failure_body *body, int status, struct verdict *verdict_out) {
    static const struct verdict billing = FIXED(FAILURE_BILLING);
    static const struct verdict context = FIXED(FAILURE_CONTEXT_LENGTH);
    static const struct verdict too_large = FIXED(FAILURE_REQUEST_TOO_LARGE);
    if (body->is_daily_quota || is_xai_credit(body)) {
        *verdict_out = billing;
        return true;
    }
    if (failure_find_text(body->message, verdict_out)) return true;
    const char *length = strcasestr(body->message, "current length is"); // Cerebras
    if (length && strcasestr(length, "while limit is")) {
        *verdict_out = context;
        return true;
    }
    if (asks_more_than_limit(body->message, status)) {
        *verdict_out = too_large;
        return true;
    }
    return false;
}

// ---- 3. special statuses ----

static bool is_told(const struct failed_reply *reply) {
    static const char *const names[] = { "retry-after", "retry-after-ms" };
    for (size_t i = 0; i < LENGTH(names); i++)
        if (header_find(reply->headers, reply->header_count, names[i]).length) return true;
    return false;
}

static bool judge_special(const struct failed_reply *reply, const struct failure_body *body,
                          int status, struct verdict *verdict_out) {
    static const struct verdict rate_limit = { FAILURE_RATE_LIMIT, true, false, false };
    static const struct verdict filter = FIXED(FAILURE_CONTENT_FILTER);
    static const struct verdict overloaded = { FAILURE_OVERLOADED, true, false, false };
    bool flagged = body->has_flag_reasons || strcasestr(body->message, "safety");
    bool full = strcasestr(body->message, "capacity exceeded") ||
                strcasestr(body->message, "no deployments available");
    if (status == 402 && is_told(reply))
        *verdict_out = rate_limit;
    else if (status == 403 && flagged)
        *verdict_out = filter;
    else if (status == 429 && full)
        *verdict_out = overloaded;
    else
        return false;
    return true;
}

// ---- 4. errors inside a 200 ----

static bool starts_validation(const char *code) {
    static const char *const starts[] = { "invalid_", "image_", "empty_", "unsupported_",
                                          "failed_to_download" };
    for (size_t i = 0; i < LENGTH(starts); i++)
        if (strncmp(code, starts[i], strlen(starts[i])) == 0) return true;
    return false;
}

static struct verdict judge_inside_200(const struct failed_reply *reply,
                                       const struct failure_body *body) {
    static const struct verdict validation = FIXED(FAILURE_VALIDATION);
    static const struct verdict timeout = { FAILURE_TIMEOUT, true, false, true };
    static const struct verdict server = { FAILURE_SERVER, true, false, true };
    static const struct verdict not_a_reply = FIXED(FAILURE_PROTOCOL);
    struct verdict verdict;
    if (!body->root && (body->is_html || !reply->in_stream)) return not_a_reply;
    if (failure_find_status(body->inner_status, &verdict)) return verdict;
    if (strcasestr(body->message, "timed out")) return timeout; // xAI: no first token in time
    if (failure_find_word(body->code, &verdict)) return verdict;
    if (starts_validation(body->code)) return validation;
    if (failure_find_word(body->type, &verdict)) return verdict;
    return server;
}

// ---- all together ----

// No capacity counts when the provider failed, not when it declined.
static struct verdict weigh(struct verdict verdict, int status) {
    if (verdict.class == FAILURE_OVERLOADED && status >= 400 && status < 500)
        verdict.counts = false;
    return verdict;
}

struct verdict failure_rules_judge(const struct failed_reply *reply,
                                   const struct failure_body *body, bool *by_status_out) {
    bool failing =
        !reply->in_stream && (reply->status < 200 || reply->status == 202 || reply->status >= 300);
    int status = failing ? reply->status : body->inner_status;
    struct verdict verdict;
    *by_status_out = false;
    if (judge_codes(body, status, &verdict) || judge_text(body, status, &verdict) ||
        judge_special(reply, body, status, &verdict))
        return weigh(verdict, status);
    *by_status_out = true;
    if (failing && failure_find_status(status, &verdict)) return verdict;
    return judge_inside_200(reply, body);
}
