/*
 * What an attempt brings, on its way to the readers: the decoder makes text of the bytes, and where
 * a reader was given text of an earlier attempt, the seam sees to it that nothing is said twice or
 * left out.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/state.h"
#include "core/providers/json_schema.h"

enum { GRACE_NS = 3 * TIME_S / 2 };

// ---- before ----

void answer_forget(struct request *request) {
    store_clear(&request->response);
    if (!request->given[REQUEST_REASONING]) store_clear(&request->reasoning);
    decoder_destroy(request->decoder);
    request->decoder = NULL;
    request->has_opened = false;
}

static struct slice read_delivered(void *owner, size_t offset, size_t size) {
    struct request *request = owner;
    return store_read(&request->response, offset, size);
}

static enum seam_kind seam_kind_of(enum recovery_method method) {
    switch (method) {
    case RECOVERY_PREFILL:
        return SEAM_PREFILL;
    case RECOVERY_CONTINUE:
        return SEAM_CONTINUE;
    case RECOVERY_REPLAY:
        return SEAM_REPLAY;
    case RECOVERY_NONE:
    case RECOVERY_RESTART:
    case RECOVERY_CURSOR:
    case RECOVERY_METHOD_COUNT:
        break;
    }
    return SEAM_EXACT;
}

static void drop_seam(struct request *request) {
    if (!request->seam) return;
    seam_finish(request->seam);
    free(request->seam);
    request->seam = NULL;
}

bool answer_begin(struct request *request) {
    drop_seam(request);
    if (request->is_listing) return true;
    enum seam_kind kind = seam_kind_of(request->method);
    if (kind == SEAM_EXACT) return true;
    request->seam = malloc(sizeof(*request->seam));
    if (!request->seam) return false;
    const struct wire *wire = request->leg->target->config->wire;
    struct seam_text delivered = { store_length(&request->response), read_delivered, request };
    seam_init(request->seam, kind, &delivered, kind == SEAM_PREFILL && wire->trims_prefill);
    return true;
}

// What readers have of the reasoning stays: only its own continuation, or a new text that nobody
// has seen the beginning of, may follow.
static bool reasoning_fits(const struct request *request) {
    return request->method == RECOVERY_NONE ||
           (request->method == RECOVERY_RESTART && !request->given[REQUEST_REASONING]);
}

// Behind every text: until the seam says where the new one joins, it is no part of the message.
static const ptrdiff_t unjoined = PTRDIFF_MAX / 2;

bool answer_open(struct request *request, struct slice content_type) {
    const struct provider_config *config = request->leg->target->config;
    if (request->method == RECOVERY_CURSOR && request->decoder) {
        decoder_resume(request->decoder, content_type);
    } else {
        decoder_destroy(request->decoder);
        request->decoder = config->wire->decoder_create(&config->dialect, content_type);
        if (!request->decoder) return false;
        if (request->seam) decoder_shift_text(request->decoder, unjoined);
        request->keeps_reasoning = reasoning_fits(request);
        if (!request->keeps_reasoning) decoder_leave_out_reasoning(request->decoder);
    }
    request->has_opened = true;
    request->progress = decoder_facts(request->decoder)->progress;
    return true;
}

// ---- joining ----

static void note_seam(struct request *request) {
    const struct seam *seam = request->seam;
    size_t count = request->seam_count + 1;
    struct seam_record *seams = realloc(request->seams, count * sizeof(*seams));
    decoder_shift_text(request->decoder, seam_shift(seam));
    request->recovered_by = seam->restarted ? RECOVERY_REPLAY : request->method;
    if (!seams) return; // the text is joined all the same
    request->seams = seams;
    seams[request->seam_count++] =
        (struct seam_record){ store_length(&request->response), request->recovered_by,
                              seam->overlap_bytes };
}

static void refuse_seam(struct request *request) {
    struct failure failure;
    char said[128];
    const char *words = seam_problem_words(request->seam->problem);
    request->leg->target->stats.seams_refused++;
    tell_seam_refused(request, words);
    snprintf(said, sizeof(said), "%s: %s", recovery_method_name(request->method), words);
    failure_from_stream(STREAM_SEAM, slice_of(said), &failure);
    course_attempt_failed(request, &failure);
}

static bool append(struct request *request, struct slice text) {
    if (!store_append(&request->response, text)) return false;
    struct attempt *attempt = attempt_newest(request);
    attempt->bytes += text.length;
    if (store_length(&request->response) > request->grown_to) {
        request->grown_to = store_length(&request->response);
        request->idle_reconnects = 0;
    }
    return true;
}

enum joining { JOINING_GOOD, JOINING_REFUSED, JOINING_FULL };

static enum joining after_seam(struct request *request, enum seam_status status) {
    struct bytes *joined = &request->provider->engine->joined;
    bool was_joined = status == SEAM_JOINED;
    if (status == SEAM_REFUSED)
        return request->seam->problem == SEAM_NO_MEMORY ? JOINING_FULL : JOINING_REFUSED;
    if (was_joined) note_seam(request);
    bool kept = append(request, bytes_slice(joined));
    bytes_clear(joined);
    if (was_joined) drop_seam(request);
    return kept ? JOINING_GOOD : JOINING_FULL;
}

static enum joining keep_text(struct request *request, struct slice text) {
    if (!request->seam) return append(request, text) ? JOINING_GOOD : JOINING_FULL;
    if (text.length == 0) return JOINING_GOOD;
    struct bytes *joined = &request->provider->engine->joined;
    bytes_clear(joined);
    return after_seam(request, seam_feed(request->seam, text, joined));
}

static bool keep_reasoning(struct request *request, struct slice reasoning) {
    return !request->keeps_reasoning || store_append(&request->reasoning, reasoning);
}

// ---- what came ----

static void note_progress(struct request *request, uint64_t progress) {
    struct attempt *attempt = attempt_newest(request);
    struct stats *stats = &attempt->target->stats;
    int64_t now_ns = request_now_ns(request);
    if (!request->has_content) {
        request->has_content = true;
        attempt->first_content_ns = now_ns;
        histogram_note(&stats->ttft, now_ns - attempt->started_ns);
        recent_note(&stats->ttft_recent, now_ns - attempt->started_ns);
        request->state = REQUEST_STREAMING;
        if (request->first_content_ns < 0) request->first_content_ns = now_ns;
        request->progress_ns = now_ns;
        attempt_phase_begin_stream(request, PHASE_READ);
    } else {
        histogram_note(&stats->inter_token, now_ns - request->progress_ns);
    }
    request->progress = progress;
    request->progress_ns = now_ns;
    request_changed(request);
}

static void fail_full(struct request *request) {
    request_fail_with_us(request, FAILURE_INTERNAL,
                         "the answer passed max_response_bytes, or memory or disk space is short");
}

// False: the attempt is over, and was judged.
static bool keep_gain(struct request *request, struct gain *gain) {
    enum joining joining = keep_text(request, bytes_slice(&gain->text));
    bool kept = keep_reasoning(request, bytes_slice(&gain->reasoning));
    bytes_clear(&gain->text);
    bytes_clear(&gain->reasoning);
    if (joining == JOINING_REFUSED) {
        refuse_seam(request);
        return false;
    }
    if (joining == JOINING_GOOD && kept) return true;
    fail_full(request);
    return false;
}

// The new attempt is whole, so what its seam still holds is all that there is.
static bool end_seam(struct request *request) {
    if (!request->seam) return true;
    struct bytes *joined = &request->provider->engine->joined;
    bytes_clear(joined);
    enum joining joining = after_seam(request, seam_end(request->seam, joined));
    if (joining == JOINING_REFUSED) refuse_seam(request);
    if (joining == JOINING_FULL) fail_full(request);
    return joining == JOINING_GOOD;
}

static void judge(struct request *request, enum decoder_status status, struct gain *gain) {
    const struct decoder_facts *facts = decoder_facts(request->decoder);
    if (!keep_gain(request, gain)) return;
    if (facts->progress != request->progress) note_progress(request, facts->progress);
    switch (status) {
    case DECODER_MORE:
        break;
    case DECODER_FINISHING:
        if (request->phase == PHASE_GRACE || !end_seam(request)) break;
        attempt_phase_begin(request, PHASE_GRACE, request_now_ns(request), GRACE_NS);
        break;
    case DECODER_DONE:
        if (end_seam(request)) course_complete(request);
        break;
    case DECODER_FAILED: {
        struct failure failure = facts->failure;
        course_attempt_failed(request, &failure);
        break;
    }
    }
}

void answer_feed(struct request *request, struct slice bytes) {
    struct gain *gain = &request->provider->engine->gain;
    judge(request, decoder_feed(request->decoder, bytes, gain), gain);
}

void answer_end(struct request *request) {
    struct gain *gain = &request->provider->engine->gain;
    judge(request, decoder_end(request->decoder, gain), gain);
}

void answer_note_text_ended(struct request *request) {
    drop_seam(request);
    store_shrink(&request->response);
    store_shrink(&request->reasoning);
}

// ---- the form that was asked for ----

enum { CHECKED_BYTES_MAX = 16 << 20 };

// An answer that was cut by its token limit is complete as far as it goes.
static bool is_cut_short(const char *finish_reason) {
    return strstr(finish_reason, "length") || strstr(finish_reason, "max_") ||
           strstr(finish_reason, "incomplete");
}

bool answer_fits_schema(const struct request *request, struct failure *failure_out) {
    const struct leg *leg = request->leg;
    const struct decoder_facts *facts = decoder_facts(request->decoder);
    const json_t *schema;
    char problem[JSON_SCHEMA_PROBLEM_SIZE] = "";
    size_t length;
    if (!leg->target->config->check_schema ||
        !json_schema_is_asked_for(leg->settings->options, &schema))
        return true;
    if (facts->has_tools || is_cut_short(facts->finish_reason) ||
        store_length(&request->response) > CHECKED_BYTES_MAX)
        return true;
    char *text = store_copy(&request->response, &length);
    bool fits = !text || json_schema_fits_text(schema, (struct slice){ text, length }, problem);
    free(text);
    if (fits) return true;
    failure_from_us(FAILURE_SCHEMA, problem, failure_out);
    failure_out->billed = BILLED_YES;
    failure_out->retryable =
        leg_retry_policy(leg)->class_attempts[FAILURE_SCHEMA] > 1 && !request_is_delivered(request);
    return false;
}
