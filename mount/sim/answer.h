/*
 * answer: what will be said, and when. It is settled when the question is read; every event of it
 * follows from its place alone:
 *
 *     open · reasoning: open, deltas, close · text: open, deltas, close · tool: … · close
 *
 * so an answer can be followed from anywhere by any number of streams, and nothing is kept of what
 * was sent. The wire says how many events each phase has and how they are written.
 */
#ifndef ASKFS_MOUNT_SIM_ANSWER_H
#define ASKFS_MOUNT_SIM_ANSWER_H

#include <stdint.h>

#include "mount/sim/frame.h"
#include "mount/sim/out.h"
#include "mount/sim/pieces.h"
#include "mount/sim/question.h"

enum phase {
    PHASE_OPEN,
    PHASE_REASONING_OPEN,
    PHASE_REASONING,
    PHASE_REASONING_CLOSE,
    PHASE_TEXT_OPEN,
    PHASE_TEXT,
    PHASE_TEXT_CLOSE,
    PHASE_TOOL_OPEN,
    PHASE_TOOL,
    PHASE_TOOL_CLOSE,
    PHASE_CLOSE, /* the terminal events */
    PHASES
};

enum { ANSWER_ID_SIZE = 40, ANSWER_TEXTS = 3 };

struct answer {
    int references;
    const struct wire *wire;
    char id[ANSWER_ID_SIZE]; /* without the wire's prefix */
    char *model;
    char *model_json;  /* with its quotes */
    int64_t created_s; /* since 1970 */
    struct pieces reasoning;
    struct pieces text;
    struct pieces arguments;           /* of the tool's call */
    struct frame frames[ANSWER_TEXTS]; /* of these three */
    bool has_reasoning;
    bool has_text;
    bool has_tool;
    bool is_refusal; /* the text is one */
    bool is_stamped;
    bool is_stream;
    bool is_background;
    bool has_usage;
    enum finish finish;
    int64_t input_tokens;
    int64_t output_tokens;
    int64_t started_ns;
    int64_t first_ns;     /* from the start to the first delta */
    int64_t pace_ns;      /* from delta to delta */
    int64_t cancelled_ns; /* TIME_NEVER: it was not */
};

/* One event of an answer; sequence counts them all from 0, deltas only the deltas before it. */
struct place {
    enum phase phase; /* PHASES: at the end */
    size_t index;
    int64_t sequence;
    int64_t deltas;
};

/* The answer to a question, with one reference. NULL: problem says why. scratch is used up. */
struct answer *answer_create(const struct question *question, const char *id, int64_t now_ns,
                             struct bytes *scratch, struct problem *problem);
struct answer *answer_hold(struct answer *answer);
void answer_release(struct answer *answer); /* accepts NULL */

struct place answer_begin(const struct answer *answer);
struct place answer_at(const struct answer *answer, int64_t sequence);
void answer_step(const struct answer *answer, struct place *place);
bool answer_is_delta(const struct place *place);
bool answer_is_over(const struct place *place);

/* When the event is due; TIME_NEVER after a cancel. */
int64_t answer_due_ns(const struct answer *answer, const struct place *place);
int64_t answer_end_ns(const struct answer *answer); /* when the last event is due */

void answer_write_event(const struct answer *answer, const struct place *place, struct out *out,
                        struct bytes *scratch);
/* A whole text as a JSON string. */
void answer_write_all(const struct pieces *pieces, struct out *out, struct bytes *scratch);

extern const char answer_tool_name[];

#endif
