#include "mount/sim/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "mount/sim/out.h"

static const struct {
    int status;
    const char *openai;
    const char *anthropic;
} types[] = {
    { 401, "invalid_request_error", "authentication_error" },
    { 402, "insufficient_quota", "billing_error" },
    { 403, "invalid_request_error", "permission_error" },
    { 404, "invalid_request_error", "not_found_error" },
    { 409, "invalid_request_error", "conflict_error" },
    { 413, "invalid_request_error", "request_too_large" },
    { 429, "rate_limit_error", "rate_limit_error" },
    { 503, "service_unavailable_error", "api_error" },
    { 504, "server_error", "timeout_error" },
    { 529, "service_unavailable_error", "overloaded_error" },
};

bool problem_set(struct problem *problem, int status, const char *code, const char *format, ...) {
    va_list arguments;
    problem->status = status;
    problem->code = code;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
    return false;
}

const char *problem_type_openai(int status) {
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].status == status) return types[i].openai;
    return status < 500 ? "invalid_request_error" : "server_error";
}

static const char *type_anthropic(int status) {
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].status == status) return types[i].anthropic;
    return status < 500 ? "invalid_request_error" : "api_error";
}

void problem_write_openai(const struct problem *problem, struct out *out) {
    out_text(out, "{\"error\":{\"message\":");
    out_string(out, slice_of(problem->text));
    out_printf(out,
               ",\"type\":\"%s\",\"param\":null,\"code\":", problem_type_openai(problem->status));
    if (problem->code)
        out_string(out, slice_of(problem->code));
    else
        out_text(out, "null");
    out_text(out, "}}");
}

void problem_write_anthropic(const struct problem *problem, const char *request_id,
                             struct out *out) {
    out_printf(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":",
               type_anthropic(problem->status));
    out_string(out, slice_of(problem->text));
    out_text(out, "},\"request_id\":");
    out_string(out, slice_of(request_id));
    out_text(out, "}");
}
