/* OpenAI's Chat Completions. */
#include "mount/sim/wire.h"

static const char *finish_word(const struct answer *answer) {
    if (answer->finish == FINISH_LENGTH) return "length";
    if (answer->finish == FINISH_FILTER) return "content_filter";
    return answer->has_tool ? "tool_calls" : "stop";
}

static size_t events(const struct answer *answer, enum phase phase) {
    if (phase == PHASE_OPEN || phase == PHASE_TOOL_OPEN) return 1;
    if (phase == PHASE_CLOSE) return answer->has_usage ? 3 : 2;
    return 0;
}

static void begin_chunk(const struct answer *answer, struct out *out) {
    out_text(out, "data: {\"id\":\"chatcmpl-");
    out_text(out, answer->id);
    out_text(out, "\",\"object\":\"chat.completion.chunk\",\"created\":");
    out_number(out, answer->created_s);
    out_text(out, ",\"model\":");
    out_text(out, answer->model_json);
    out_text(out, ",\"choices\":[");
}

static void end_chunk(const struct answer *answer, struct out *out) {
    out_text(out, answer->has_usage ? "],\"usage\":null}\n\n" : "]}\n\n");
}

static void write_frame(const struct answer *answer, enum phase phase, enum frame_part part,
                        struct out *out) {
    bool tool = phase == PHASE_TOOL;
    if (part == FRAME_HEAD) {
        begin_chunk(answer, out);
        out_text(out, "{\"index\":0,\"delta\":{");
        out_text(out, tool ? "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
                      : phase == PHASE_REASONING ? "\"reasoning_content\":"
                      : answer->is_refusal       ? "\"refusal\":"
                                                 : "\"content\":");
    } else if (part == FRAME_TAIL) {
        if (tool) out_text(out, "}}]");
        out_text(out, "},\"finish_reason\":null}");
        end_chunk(answer, out);
    }
}

static void write_usage(const struct answer *answer, struct out *out) {
    out_printf(out,
               "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
               "\"prompt_tokens_details\":{\"cached_tokens\":0},"
               "\"completion_tokens_details\":{\"reasoning_tokens\":%zu}}",
               (long long)answer->input_tokens, (long long)answer->output_tokens,
               (long long)(answer->input_tokens + answer->output_tokens),
               pieces_count(&answer->reasoning));
}

static void write_close(const struct answer *answer, size_t index, struct out *out) {
    if (index + 1 == events(answer, PHASE_CLOSE)) {
        out_text(out, "data: [DONE]\n\n");
        return;
    }
    begin_chunk(answer, out);
    if (index == 0) {
        out_printf(out, "{\"index\":0,\"delta\":{},\"finish_reason\":\"%s\"}", finish_word(answer));
        end_chunk(answer, out);
        return;
    }
    out_text(out, "],\"usage\":");
    write_usage(answer, out);
    out_text(out, "}\n\n");
}

static void write_event(const struct answer *answer, const struct place *place, struct out *out,
                        struct bytes *scratch) {
    if (place->phase == PHASE_CLOSE) {
        write_close(answer, place->index, out);
        return;
    }
    begin_chunk(answer, out);
    out_text(out, "{\"index\":0,\"delta\":{");
    if (place->phase == PHASE_OPEN)
        out_text(out, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
    else
        out_printf(out,
                   "\"tool_calls\":[{\"index\":0,\"id\":\"call_%s\",\"type\":\"function\","
                   "\"function\":{\"name\":\"%s\",\"arguments\":\"\"}}]",
                   answer->id, answer_tool_name);
    out_text(out, "},\"finish_reason\":null}");
    end_chunk(answer, out);
}

static void write_failure(const struct answer *answer, const struct place *place,
                          const struct problem *problem, struct out *out) {
    out_text(out, "data: ");
    problem_write_openai(problem, out);
    out_text(out, "\n\n");
}

static void write_message(const struct answer *answer, struct out *out, struct bytes *scratch) {
    bool plain = answer->has_text && !answer->is_refusal;
    out_text(out, "{\"role\":\"assistant\",\"content\":");
    if (plain)
        answer_write_all(&answer->text, out, scratch);
    else
        out_text(out, "null");
    out_text(out, ",\"refusal\":");
    if (answer->is_refusal)
        answer_write_all(&answer->text, out, scratch);
    else
        out_text(out, "null");
    if (answer->has_reasoning) {
        out_text(out, ",\"reasoning_content\":");
        answer_write_all(&answer->reasoning, out, scratch);
    }
    if (answer->has_tool) {
        out_printf(out,
                   ",\"tool_calls\":[{\"id\":\"call_%s\",\"type\":\"function\",\"function\":"
                   "{\"name\":\"%s\",\"arguments\":",
                   answer->id, answer_tool_name);
        answer_write_all(&answer->arguments, out, scratch);
        out_text(out, "}}]");
    }
    out_text(out, "}");
}

static void write_whole(const struct answer *answer, struct out *out, struct bytes *scratch) {
    out_printf(out, "{\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion\",\"created\":%lld,",
               answer->id, (long long)answer->created_s);
    out_printf(out, "\"model\":%s,\"choices\":[{\"index\":0,\"message\":", answer->model_json);
    write_message(answer, out, scratch);
    out_printf(out, ",\"finish_reason\":\"%s\"}],\"usage\":", finish_word(answer));
    write_usage(answer, out);
    out_text(out, "}");
}

static void write_problem(const struct problem *problem, const char *request_id, struct out *out) {
    (void)request_id; // it has a header only
    problem_write_openai(problem, out);
}

const struct wire wire_chat = {
    .name = "chat",
    .path = "/chat/completions",
    .turns_key = "messages",
    .id_prefix = "chatcmpl-",
    .request_id_header = "x-request-id",
    .overloaded_status = 503,
    .events = events,
    .write_frame = write_frame,
    .write_event = write_event,
    .write_failure = write_failure,
    .write_whole = write_whole,
    .write_problem = write_problem,
};
