/* Anthropic's Messages. */
#include "mount/sim/wire.h"

static const char *stop_word(const struct answer *answer) {
    if (answer->finish == FINISH_LENGTH) return "max_tokens";
    if (answer->finish == FINISH_FILTER || answer->is_refusal) return "refusal";
    return answer->has_tool ? "tool_use" : "end_turn";
}

static size_t events(const struct answer *answer, enum phase phase) {
    switch (phase) {
    case PHASE_OPEN:
    case PHASE_REASONING_CLOSE: // the signature, and the end of the block
    case PHASE_CLOSE:
        return 2;
    default:
        return 1;
    }
}

// The number of the block that a phase belongs to.
static int block_of(const struct answer *answer, enum phase phase) {
    int block = 0;
    if (phase > PHASE_REASONING_CLOSE) block += answer->has_reasoning;
    if (phase > PHASE_TEXT_CLOSE) block += answer->has_text;
    return block;
}

static void write_frame(const struct answer *answer, enum phase phase, enum frame_part part,
                        struct out *out) {
    if (part == FRAME_TAIL) out_text(out, "}}\n\n");
    if (part != FRAME_HEAD) return;
    out_text(out, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
    out_number(out, block_of(answer, phase));
    if (phase == PHASE_REASONING)
        out_text(out, ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":");
    else if (phase == PHASE_TOOL)
        out_text(out, ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":");
    else
        out_text(out, ",\"delta\":{\"type\":\"text_delta\",\"text\":");
}

static void write_open(const struct answer *answer, size_t index, struct out *out) {
    if (index == 1) {
        out_text(out, "event: ping\ndata: {\"type\": \"ping\"}\n\n");
        return;
    }
    out_printf(out,
               "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"
               "\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":%s,"
               "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"
               "{\"input_tokens\":%lld,\"cache_creation_input_tokens\":0,"
               "\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n",
               answer->id, answer->model_json, (long long)answer->input_tokens);
}

static void write_block_open(const struct answer *answer, enum phase phase, struct out *out) {
    out_printf(out,
               "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":%d,"
               "\"content_block\":",
               block_of(answer, phase));
    if (phase == PHASE_REASONING_OPEN)
        out_text(out, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
    else if (phase == PHASE_TOOL_OPEN)
        out_printf(out, "{\"type\":\"tool_use\",\"id\":\"toolu_%s\",\"name\":\"%s\",\"input\":{}}",
                   answer->id, answer_tool_name);
    else
        out_text(out, "{\"type\":\"text\",\"text\":\"\"}");
    out_text(out, "}\n\n");
}

static void write_block_close(const struct answer *answer, const struct place *place,
                              struct out *out) {
    int block = block_of(answer, place->phase);
    if (place->phase == PHASE_REASONING_CLOSE && place->index == 0)
        out_printf(out,
                   "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
                   "\"index\":%d,\"delta\":{\"type\":\"signature_delta\",\"signature\":"
                   "\"c2ltLXNpZ25hdHVyZQ==\"}}\n\n",
                   block);
    else
        out_printf(out,
                   "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
                   "\"index\":%d}\n\n",
                   block);
}

static void write_close(const struct answer *answer, size_t index, struct out *out) {
    if (index == 1) {
        out_text(out, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        return;
    }
    out_printf(out,
               "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"
               "{\"stop_reason\":\"%s\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":%lld}}"
               "\n\n",
               stop_word(answer), (long long)answer->output_tokens);
}

static void write_event(const struct answer *answer, const struct place *place, struct out *out,
                        struct bytes *scratch) {
    switch (place->phase) {
    case PHASE_OPEN:
        write_open(answer, place->index, out);
        break;
    case PHASE_REASONING_OPEN:
    case PHASE_TEXT_OPEN:
    case PHASE_TOOL_OPEN:
        write_block_open(answer, place->phase, out);
        break;
    case PHASE_REASONING_CLOSE:
    case PHASE_TEXT_CLOSE:
    case PHASE_TOOL_CLOSE:
        write_block_close(answer, place, out);
        break;
    case PHASE_CLOSE:
        write_close(answer, place->index, out);
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
    out_text(out, "event: error\ndata: ");
    problem_write_anthropic(problem, answer->id, out);
    out_text(out, "\n\n");
}

static void write_blocks(const struct answer *answer, struct out *out, struct bytes *scratch) {
    const char *comma = "";
    if (answer->has_reasoning) {
        out_text(out, "{\"type\":\"thinking\",\"thinking\":");
        answer_write_all(&answer->reasoning, out, scratch);
        out_text(out, ",\"signature\":\"c2ltLXNpZ25hdHVyZQ==\"}");
        comma = ",";
    }
    if (answer->has_text) {
        out_printf(out, "%s{\"type\":\"text\",\"text\":", comma);
        answer_write_all(&answer->text, out, scratch);
        out_text(out, "}");
        comma = ",";
    }
    if (answer->has_tool)
        out_printf(out,
                   "%s{\"type\":\"tool_use\",\"id\":\"toolu_%s\",\"name\":\"%s\",\"input\":%s}",
                   comma, answer->id, answer_tool_name, answer->arguments.text);
}

static void write_whole(const struct answer *answer, struct out *out, struct bytes *scratch) {
    out_printf(out,
               "{\"id\":\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":%s,"
               "\"content\":[",
               answer->id, answer->model_json);
    write_blocks(answer, out, scratch);
    out_printf(out,
               "],\"stop_reason\":\"%s\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":%lld,"
               "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
               "\"output_tokens\":%lld}}",
               stop_word(answer), (long long)answer->input_tokens,
               (long long)answer->output_tokens);
}

const struct wire wire_messages = {
    .name = "messages",
    .path = "/messages",
    .turns_key = "messages",
    .system_key = "system",
    .id_prefix = "msg_",
    .request_id_header = "request-id",
    .needs_max_tokens = true,
    .refuses_trailing_blanks = true,
    .overloaded_status = 529,
    .events = events,
    .write_frame = write_frame,
    .write_event = write_event,
    .write_failure = write_failure,
    .write_whole = write_whole,
    .write_problem = problem_write_anthropic,
};
