/* OpenAI's Responses. Each event has its number, so that a stream can be taken up again. */
#include "mount/sim/wire.h"

static size_t events(const struct answer *answer, enum phase phase) {
    switch (phase) {
    case PHASE_OPEN:           // created, in_progress
    case PHASE_REASONING_OPEN: // the item, its part
    case PHASE_TEXT_OPEN:
    case PHASE_TOOL_CLOSE: // the arguments, the item
        return 2;
    case PHASE_REASONING_CLOSE: // the text, the part, the item
    case PHASE_TEXT_CLOSE:
        return 3;
    default:
        return 1;
    }
}

// ---- items ----

// The place of a phase's item in the output.
static int item_of(const struct answer *answer, enum phase phase) {
    int item = 0;
    if (phase > PHASE_REASONING_CLOSE) item += answer->has_reasoning;
    if (phase > PHASE_TEXT_CLOSE) item += answer->has_text;
    return item;
}

static const char *item_prefix(enum phase phase) {
    if (phase <= PHASE_REASONING_CLOSE) return "rs";
    return phase <= PHASE_TEXT_CLOSE ? "msg" : "fc";
}

// A stamped text differs each time it is written, so it is not told a second time.
static bool can_repeat(const struct answer *answer) {
    return !answer->is_stamped;
}

static void write_text_part(const struct answer *answer, bool whole, struct out *out,
                            struct bytes *scratch) {
    bool refusal = answer->is_refusal;
    out_text(out, refusal
                      ? "{\"type\":\"refusal\",\"refusal\":"
                      : "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":");
    if (whole)
        answer_write_all(&answer->text, out, scratch);
    else
        out_text(out, "\"\"");
    out_text(out, "}");
}

static void write_summary_part(const struct answer *answer, bool whole, struct out *out,
                               struct bytes *scratch) {
    out_text(out, "{\"type\":\"summary_text\",\"text\":");
    if (whole)
        answer_write_all(&answer->reasoning, out, scratch);
    else
        out_text(out, "\"\"");
    out_text(out, "}");
}

static void write_item(const struct answer *answer, enum phase phase, bool whole, struct out *out,
                       struct bytes *scratch) {
    const char *status = whole ? "completed" : "in_progress";
    out_printf(out, "{\"id\":\"%s_%s\",", item_prefix(phase), answer->id);
    if (phase <= PHASE_REASONING_CLOSE) {
        out_text(out, "\"type\":\"reasoning\",\"summary\":[");
        if (whole) write_summary_part(answer, whole, out, scratch);
    } else if (phase <= PHASE_TEXT_CLOSE) {
        out_printf(out,
                   "\"type\":\"message\",\"role\":\"assistant\",\"status\":\"%s\","
                   "\"content\":[",
                   status);
        if (whole) write_text_part(answer, whole, out, scratch);
    } else {
        out_printf(out,
                   "\"type\":\"function_call\",\"status\":\"%s\",\"call_id\":\"call_%s\","
                   "\"name\":\"%s\",\"arguments\":",
                   status, answer->id, answer_tool_name);
        if (whole)
            answer_write_all(&answer->arguments, out, scratch);
        else
            out_text(out, "\"\"");
        out_text(out, "}");
        return;
    }
    out_text(out, "]}");
}

// ---- the response object ----

const char *wire_responses_final_status(const struct answer *answer) {
    return answer->finish == FINISH_STOP ? "completed" : "incomplete";
}

static void write_output(const struct answer *answer, struct out *out, struct bytes *scratch) {
    static const enum phase phases[] = { PHASE_REASONING_OPEN, PHASE_TEXT_OPEN, PHASE_TOOL_OPEN };
    const bool has[] = { answer->has_reasoning, answer->has_text, answer->has_tool };
    const char *comma = "";
    for (int i = 0; i < 3; i++) {
        if (!has[i]) continue;
        out_text(out, comma);
        write_item(answer, phases[i], true, out, scratch);
        comma = ",";
    }
}

static void write_usage(const struct answer *answer, struct out *out) {
    out_printf(out,
               "{\"input_tokens\":%lld,\"input_tokens_details\":{\"cached_tokens\":0},"
               "\"output_tokens\":%lld,\"output_tokens_details\":{\"reasoning_tokens\":%zu},"
               "\"total_tokens\":%lld}",
               (long long)answer->input_tokens, (long long)answer->output_tokens,
               pieces_count(&answer->reasoning),
               (long long)(answer->input_tokens + answer->output_tokens));
}

static void write_ending(const struct answer *answer, const char *status,
                         const struct problem *problem, struct out *out) {
    bool incomplete = status[0] == 'i' && status[3] == 'o'; // "incomplete", not "in_progress"
    out_text(out, ",\"error\":");
    if (problem) {
        out_printf(out, "{\"code\":\"%s\",\"message\":", problem->code);
        out_string(out, slice_of(problem->text));
        out_text(out, "}");
    } else {
        out_text(out, "null");
    }
    out_text(out, ",\"incomplete_details\":");
    if (incomplete)
        out_printf(out, "{\"reason\":\"%s\"}",
                   answer->finish == FINISH_LENGTH ? "max_output_tokens" : "content_filter");
    else
        out_text(out, "null");
}

static void write_object(const struct answer *answer, const char *status, bool output,
                         const struct problem *problem, struct out *out, struct bytes *scratch) {
    out_printf(out,
               "{\"id\":\"resp_%s\",\"object\":\"response\",\"created_at\":%lld,\"status\":\"%s\","
               "\"background\":%s,\"model\":%s",
               answer->id, (long long)answer->created_s, status,
               answer->is_background ? "true" : "false", answer->model_json);
    write_ending(answer, status, problem, out);
    out_text(out, ",\"output\":[");
    if (output && can_repeat(answer)) write_output(answer, out, scratch);
    out_text(out, "],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],"
                  "\"usage\":");
    if (output)
        write_usage(answer, out);
    else
        out_text(out, "null");
    out_text(out, "}");
}

void wire_responses_write_object(const struct answer *answer, const char *status, bool output,
                                 struct out *out, struct bytes *scratch) {
    write_object(answer, status, output, NULL, out, scratch);
}

// ---- events ----

static void begin_numbered(const char *type, struct out *out) {
    out_text(out, "event: response.");
    out_text(out, type);
    out_text(out, "\ndata: {\"type\":\"response.");
    out_text(out, type);
    out_text(out, "\",\"sequence_number\":");
}

static void begin_event(const char *type, int64_t sequence, struct out *out) {
    begin_numbered(type, out);
    out_number(out, sequence);
}

static void end_event(struct out *out) {
    out_text(out, "}\n\n");
}

static void write_names(const struct answer *answer, enum phase phase, struct out *out) {
    out_text(out, ",\"item_id\":\"");
    out_text(out, item_prefix(phase));
    out_text(out, "_");
    out_text(out, answer->id);
    out_text(out, "\",\"output_index\":");
    out_number(out, item_of(answer, phase));
    if (phase <= PHASE_REASONING_CLOSE)
        out_text(out, ",\"summary_index\":0");
    else if (phase <= PHASE_TEXT_CLOSE)
        out_text(out, ",\"content_index\":0");
}

static const char *delta_type(const struct answer *answer, enum phase phase) {
    if (phase == PHASE_REASONING) return "reasoning_summary_text.delta";
    if (phase == PHASE_TOOL) return "function_call_arguments.delta";
    return answer->is_refusal ? "refusal.delta" : "output_text.delta";
}

static void write_frame(const struct answer *answer, enum phase phase, enum frame_part part,
                        struct out *out) {
    switch (part) {
    case FRAME_HEAD:
        begin_numbered(delta_type(answer, phase), out);
        break;
    case FRAME_MIDDLE:
        write_names(answer, phase, out);
        out_text(out, ",\"delta\":");
        break;
    case FRAME_TAIL:
    case FRAME_PARTS:
        end_event(out);
        break;
    }
}

static void write_item_event(const struct answer *answer, const struct place *place, bool done,
                             struct out *out, struct bytes *scratch) {
    begin_event(done ? "output_item.done" : "output_item.added", place->sequence, out);
    out_printf(out, ",\"output_index\":%d,\"item\":", item_of(answer, place->phase));
    write_item(answer, place->phase, done && can_repeat(answer), out, scratch);
    end_event(out);
}

static void write_part_event(const struct answer *answer, const struct place *place, bool done,
                             struct out *out, struct bytes *scratch) {
    bool reasoning = place->phase <= PHASE_REASONING_CLOSE;
    const char *types[2][2] = { { "content_part.added", "content_part.done" },
                                { "reasoning_summary_part.added", "reasoning_summary_part.done" } };
    begin_event(types[reasoning][done], place->sequence, out);
    write_names(answer, place->phase, out);
    out_text(out, ",\"part\":");
    if (reasoning)
        write_summary_part(answer, done && can_repeat(answer), out, scratch);
    else
        write_text_part(answer, done && can_repeat(answer), out, scratch);
    end_event(out);
}

static void write_text_done(const struct answer *answer, const struct place *place, struct out *out,
                            struct bytes *scratch) {
    static const struct {
        enum phase phase;
        const char *type;
        const char *member;
    } kinds[] = { { PHASE_REASONING_CLOSE, "reasoning_summary_text.done", "text" },
                  { PHASE_TOOL_CLOSE, "function_call_arguments.done", "arguments" },
                  { PHASE_TEXT_CLOSE, "output_text.done", "text" },
                  { PHASES, "refusal.done", "refusal" } };
    const struct pieces *texts[] = { &answer->reasoning, &answer->arguments, &answer->text,
                                     &answer->text };
    int kind = 0;
    while (kinds[kind].phase != place->phase)
        kind++;
    if (place->phase == PHASE_TEXT_CLOSE && answer->is_refusal) kind++;
    begin_event(kinds[kind].type, place->sequence, out);
    write_names(answer, place->phase, out);
    if (can_repeat(answer)) {
        out_printf(out, ",\"%s\":", kinds[kind].member);
        answer_write_all(texts[kind], out, scratch);
    }
    end_event(out);
}

static void write_response_event(const struct answer *answer, const struct place *place,
                                 struct out *out, struct bytes *scratch) {
    bool ends = place->phase == PHASE_CLOSE;
    const char *type = ends                ? wire_responses_final_status(answer)
                       : place->index == 0 ? "created"
                                           : "in_progress";
    begin_event(type, place->sequence, out);
    out_text(out, ",\"response\":");
    write_object(answer, ends ? type : "in_progress", ends, NULL, out, scratch);
    end_event(out);
}

static void write_event(const struct answer *answer, const struct place *place, struct out *out,
                        struct bytes *scratch) {
    switch (place->phase) {
    case PHASE_OPEN:
    case PHASE_CLOSE:
        write_response_event(answer, place, out, scratch);
        break;
    case PHASE_REASONING_OPEN:
    case PHASE_TEXT_OPEN:
    case PHASE_TOOL_OPEN:
        if (place->index == 0)
            write_item_event(answer, place, false, out, scratch);
        else
            write_part_event(answer, place, false, out, scratch);
        break;
    case PHASE_REASONING_CLOSE:
    case PHASE_TEXT_CLOSE:
    case PHASE_TOOL_CLOSE:
        if (place->index == 0)
            write_text_done(answer, place, out, scratch);
        else if (place->index + 1 == events(answer, place->phase))
            write_item_event(answer, place, true, out, scratch);
        else
            write_part_event(answer, place, true, out, scratch);
        break;
    case PHASE_REASONING:
    case PHASE_TEXT:
    case PHASE_TOOL:
    case PHASES:
        break;
    }
}

static void write_failure(const struct answer *answer, const struct place *place,
                          const struct problem *problem, struct out *out) {
    struct bytes none = { 0 };
    out_printf(out,
               "event: error\ndata: {\"type\":\"error\",\"sequence_number\":%lld,\"error\":{"
               "\"type\":\"%s\",\"code\":\"%s\",\"param\":null,\"message\":",
               (long long)place->sequence, problem_type_openai(problem->status), problem->code);
    out_string(out, slice_of(problem->text));
    out_text(out, "}}\n\n");
    begin_event("failed", place->sequence + 1, out);
    out_text(out, ",\"response\":");
    write_object(answer, "failed", false, problem, out, &none);
    end_event(out);
}

static void write_whole(const struct answer *answer, struct out *out, struct bytes *scratch) {
    write_object(answer, wire_responses_final_status(answer), true, NULL, out, scratch);
}

static void write_problem(const struct problem *problem, const char *request_id, struct out *out) {
    (void)request_id; // it has a header only
    problem_write_openai(problem, out);
}

const struct wire wire_responses = {
    .name = "responses",
    .path = "/responses",
    .turns_key = "input",
    .system_key = "instructions",
    .id_prefix = "resp_",
    .request_id_header = "x-request-id",
    .overloaded_status = 503,
    .events = events,
    .write_frame = write_frame,
    .write_event = write_event,
    .write_failure = write_failure,
    .write_whole = write_whole,
    .write_problem = write_problem,
};
