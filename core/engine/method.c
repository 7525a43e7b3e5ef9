/* Which way of going on an attempt may take at a provider, and what is learnt of those it refuses.
 */
#include "core/engine/state.h"
#include "core/providers/capability.h"

// An answer in a form that was asked for is one whole: two halves of two answers may not fit.
static bool asks_for_structure(const struct settings *settings) {
    static const char *const names[] = { "response_format", "text",          "output_format",
                                         "format",          "output_config", "guided_json",
                                         "grammar" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (json_object_get(settings->options, names[i])) return true;
    return false;
}

// A response goes on at its provider only, and only in the background.
static bool has_cursor(const struct request *request, const struct leg *leg) {
    const struct attempt *newest = attempt_newest(request);
    if (!newest || newest->target != leg->target || !request->decoder) return false;
    if (request->seam) return false; // text that it still held is behind the cursor, and gone
    const struct decoder_facts *facts = decoder_facts(request->decoder);
    // Text is never event 0: who says so does not count, and would tell it all again.
    return leg->target->config->background && leg->target->config->wire->write_resume_path &&
           !(leg->model && leg->model->refuses_background) && facts->response_id[0] &&
           facts->sequence_number > 0;
}

static enum recovery_support prefill_at(const struct leg *leg) {
    const struct provider_config *config = leg->target->config;
    if (leg->model && leg->model->refuses_prefill) return RECOVERY_UNSUPPORTED;
    return capability_prefill(&config->dialect, leg->settings->model);
}

enum recovery_method method_at(const struct request *request, const struct leg *leg) {
    struct recovery_facts facts = {
        .policy = request->provider->config->recovery,
        .delivered_bytes = request_is_delivered(request) ? store_length(&request->response) : 0,
        .has_cursor = has_cursor(request, leg),
        .has_tools = request->had_tools,
        .is_structured = asks_for_structure(leg->settings),
        .prefill = prefill_at(leg),
        .refused = leg->refused,
    };
    return recovery_choose(&facts);
}

bool method_can_go_on(const struct request *request, const struct leg *leg) {
    return !request_is_delivered(request) || method_at(request, leg) != RECOVERY_NONE;
}

bool method_learns(struct request *request, struct leg *leg, const struct failure *failure) {
    if (request->is_listing || !leg->model) return false;
    bool is_refused = failure->class == FAILURE_VALIDATION && failure->http_status;
    if (request->method == RECOVERY_PREFILL &&
        (is_refused || capability_refuses_prefill(failure))) {
        leg->model->refuses_prefill = true;
        return true;
    }
    if (request->method != RECOVERY_CURSOR && !leg->model->refuses_background &&
        leg->target->config->background && capability_refuses_background(failure)) {
        leg->model->refuses_background = true;
        return true;
    }
    return false;
}

bool method_is_refused(const struct request *request, const struct failure *failure) {
    if (failure->retryable) return false;
    switch (failure->class) {
    case FAILURE_VALIDATION:
    case FAILURE_NOT_FOUND:
    case FAILURE_CONTEXT_LENGTH:
    case FAILURE_STREAM_TRUNCATED:
        return request->method != RECOVERY_NONE;
    default:
        return false;
    }
}
