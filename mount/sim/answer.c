#include "mount/sim/answer.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/time.h"
#include "mount/sim/answer_text.h"
#include "mount/sim/wire.h"

const char answer_tool_name[] = "look_up";
enum { ARGUMENT_BYTES = 8 };

// ---- its life ----

static char *json_string_of(const char *text) {
    struct out out;
    out_init(&out, 1 << 16);
    out_string(&out, slice_of(text));
    char *string = out.good ? bytes_take(&out.bytes) : NULL;
    out_finish(&out);
    return string;
}

static int64_t tokens_of(const struct question *question) {
    size_t bytes = question->system.length;
    for (size_t i = 0; i < question->turn_count; i++)
        bytes += question->turns[i].text.length;
    return (int64_t)bytes / 4 + 1;
}

static bool is_too_long(const struct question *question, struct problem *problem) {
    int64_t max = question->options.context_tokens;
    int64_t tokens = tokens_of(question);
    if (max < 0 || tokens <= max) return false;
    problem_set(problem, 400, "context_length_exceeded",
                "This model's maximum context length is %lld tokens. However, your messages "
                "resulted in %lld tokens. prompt is too long: %lld tokens > %lld maximum",
                (long long)max, (long long)tokens, (long long)tokens, (long long)max);
    return true;
}

static void set_plain(struct answer *answer, const struct question *question) {
    const struct options *options = &question->options;
    answer->is_stamped = options->stamp;
    answer->is_stream = question->stream;
    answer->is_background = question->background;
    answer->has_usage = options->usage < 0 ? question->wants_usage : options->usage;
    answer->finish = (enum finish)options->finish;
    answer->first_ns = options->first_ms * TIME_MS;
    answer->pace_ns = options->ms_per_chunk * TIME_MS;
    answer->has_tool = options->tool;
    answer->has_text = !options->tool || options->text;
    answer->is_refusal = options->refusal;
    answer->input_tokens = tokens_of(question);
}

// ---- its texts ----

static const struct pieces *pieces_of(const struct answer *answer, enum phase phase) {
    if (phase == PHASE_REASONING) return &answer->reasoning;
    if (phase == PHASE_TEXT) return &answer->text;
    if (phase == PHASE_TOOL) return &answer->arguments;
    return NULL;
}

static bool has_phase(const struct answer *answer, enum phase phase) {
    if (phase >= PHASE_REASONING_OPEN && phase <= PHASE_REASONING_CLOSE)
        return answer->has_reasoning;
    if (phase >= PHASE_TEXT_OPEN && phase <= PHASE_TEXT_CLOSE) return answer->has_text;
    if (phase >= PHASE_TOOL_OPEN && phase <= PHASE_TOOL_CLOSE) return answer->has_tool;
    return true;
}

static const enum phase delta_phases[ANSWER_TEXTS] = { PHASE_REASONING, PHASE_TEXT, PHASE_TOOL };

static int text_of(enum phase phase) {
    int text = 0;
    while (delta_phases[text] != phase)
        text++;
    return text;
}

static bool make_frames(struct answer *answer) {
    for (int text = 0; text < ANSWER_TEXTS; text++)
        if (has_phase(answer, delta_phases[text]) &&
            !frame_make(&answer->frames[text], answer, delta_phases[text]))
            return false;
    return true;
}

static bool set_texts(struct answer *answer, const struct question *question, struct bytes *scratch,
                      struct problem *problem) {
    static const char arguments[] = "{\"query\": \"what the simulator was asked\"}";
    struct cut cut = { 0, ARGUMENT_BYTES };
    const char *reasoning = answer_text_reasoning(question);
    answer->has_reasoning = reasoning;
    if (reasoning && !pieces_init(&answer->reasoning, slice_of(reasoning), (struct cut){ 0 }))
        return problem_set(problem, 500, NULL, "askfs-sim has no memory for this");
    if (answer->has_tool && !pieces_init(&answer->arguments, slice_of(arguments), cut))
        return problem_set(problem, 500, NULL, "askfs-sim has no memory for this");
    return !answer->has_text || answer_text_build(&answer->text, question, scratch, problem);
}

struct answer *answer_create(const struct question *question, const char *id, int64_t now_ns,
                             struct bytes *scratch, struct problem *problem) {
    if (is_too_long(question, problem)) return NULL;
    struct answer *answer = calloc(1, sizeof(*answer));
    if (!answer) return NULL;
    answer->references = 1;
    answer->wire = question->wire;
    snprintf(answer->id, sizeof(answer->id), "%s", id);
    answer->created_s = time(NULL);
    answer->started_ns = now_ns;
    answer->cancelled_ns = TIME_NEVER;
    answer->model = strdup(question->model);
    answer->model_json = json_string_of(question->model);
    set_plain(answer, question);
    bool made = answer->model && answer->model_json &&
                set_texts(answer, question, scratch, problem) && make_frames(answer);
    if (!made) {
        answer_release(answer);
        return NULL;
    }
    answer->output_tokens =
        (int64_t)(pieces_count(&answer->reasoning) + pieces_count(&answer->text) +
                  pieces_count(&answer->arguments));
    return answer;
}

struct answer *answer_hold(struct answer *answer) {
    answer->references++;
    return answer;
}

void answer_release(struct answer *answer) {
    if (!answer || --answer->references > 0) return;
    pieces_finish(&answer->reasoning);
    pieces_finish(&answer->text);
    pieces_finish(&answer->arguments);
    for (int text = 0; text < ANSWER_TEXTS; text++)
        frame_finish(&answer->frames[text]);
    free(answer->model);
    free(answer->model_json);
    free(answer);
}

// ---- places ----

static size_t events_in(const struct answer *answer, enum phase phase) {
    const struct pieces *pieces = pieces_of(answer, phase);
    if (!has_phase(answer, phase)) return 0;
    return pieces ? pieces_count(pieces) : answer->wire->events(answer, phase);
}

static void skip_empty_phases(const struct answer *answer, struct place *place) {
    while (place->phase < PHASES && place->index >= events_in(answer, place->phase)) {
        place->phase++;
        place->index = 0;
    }
}

struct place answer_begin(const struct answer *answer) {
    struct place place = { 0 };
    skip_empty_phases(answer, &place);
    return place;
}

struct place answer_at(const struct answer *answer, int64_t sequence) {
    struct place place = { .sequence = sequence };
    int64_t rest = sequence;
    for (; place.phase < PHASES; place.phase++) {
        int64_t count = (int64_t)events_in(answer, place.phase);
        bool ends_here = rest < count;
        if (pieces_of(answer, place.phase)) place.deltas += ends_here ? rest : count;
        if (ends_here) break;
        rest -= count;
    }
    place.index = place.phase < PHASES ? (size_t)rest : 0;
    return place;
}

bool answer_is_delta(const struct place *place) {
    return place->phase == PHASE_REASONING || place->phase == PHASE_TEXT ||
           place->phase == PHASE_TOOL;
}

bool answer_is_over(const struct place *place) {
    return place->phase == PHASES;
}

void answer_step(const struct answer *answer, struct place *place) {
    assert(place->phase < PHASES);
    place->deltas += answer_is_delta(place);
    place->sequence++;
    place->index++;
    skip_empty_phases(answer, place);
}

// ---- time ----

static int64_t delta_due_ns(const struct answer *answer, int64_t delta) {
    int64_t behind_first_ns;
    if (__builtin_mul_overflow(delta, answer->pace_ns, &behind_first_ns)) return TIME_NEVER - 1;
    return time_after(answer->started_ns + answer->first_ns, behind_first_ns);
}

int64_t answer_end_ns(const struct answer *answer) {
    int64_t last = answer->output_tokens ? answer->output_tokens - 1 : 0;
    return delta_due_ns(answer, last);
}

int64_t answer_due_ns(const struct answer *answer, const struct place *place) {
    int64_t due_ns = answer->started_ns;
    if (answer_is_delta(place))
        due_ns = delta_due_ns(answer, place->deltas);
    else if (place->deltas)
        due_ns = delta_due_ns(answer, place->deltas - 1);
    else if (place->phase == PHASE_CLOSE)
        due_ns = delta_due_ns(answer, 0);
    return due_ns > answer->cancelled_ns ? TIME_NEVER : due_ns;
}

// ---- writing ----

// "@<nanoseconds> ": when it was written, by the clock that all programs of this machine share.
static void write_stamp(struct out *out) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    out_text(out, "@");
    out_number(out, (int64_t)now.tv_sec * TIME_S + now.tv_nsec);
    out_text(out, " ");
}

static void write_delta(const struct answer *answer, const struct place *place, struct out *out,
                        struct bytes *scratch) {
    const struct frame *frame = &answer->frames[text_of(place->phase)];
    frame_begin(frame, place->sequence, out);
    out_text(out, "\"");
    if (answer->is_stamped) write_stamp(out);
    out_inside(out, pieces_get(pieces_of(answer, place->phase), place->index, scratch));
    out_text(out, "\"");
    frame_end(frame, out);
}

void answer_write_event(const struct answer *answer, const struct place *place, struct out *out,
                        struct bytes *scratch) {
    if (answer_is_delta(place))
        write_delta(answer, place, out, scratch);
    else
        answer->wire->write_event(answer, place, out, scratch);
}

void answer_write_all(const struct pieces *pieces, struct out *out, struct bytes *scratch) {
    size_t count = pieces_count(pieces);
    out_text(out, "\"");
    for (size_t i = 0; i < count && out->good; i++)
        out_inside(out, pieces_get(pieces, i, scratch));
    out_text(out, "\"");
}
