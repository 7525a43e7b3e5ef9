/*
 * upstream: the providers of a simulation, as a transport. Each transfer plays a part that a seed
 * has chosen: an answer in the wire's form, cut, stalled, slow or malformed anywhere, or a refusal.
 *
 * An answer is a function of its prompt, so that what a reader got can be checked to the byte.
 */
#ifndef ASKFS_TESTS_SIM_UPSTREAM_H
#define ASKFS_TESTS_SIM_UPSTREAM_H

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/base/timers.h"
#include "core/transport/transport.h"

enum wire_kind { WIRE_CHAT, WIRE_RESPONSES, WIRE_MESSAGES, WIRE_KINDS };

/* How a provider answers a continuation. */
enum habit { HABIT_EXACT, HABIT_OVERLAP, HABIT_RESTART, HABIT_PREAMBLE, HABIT_REFUSE, HABITS };

/* One provider's character, drawn from the seed: each fault has its own rate. */
struct character {
    enum wire_kind wire;
    enum habit prefill;
    enum habit continuation;
    bool has_cursor;
    double refuse_rate;  /* connection refused */
    double reset_rate;   /* before headers */
    double silence_rate; /* no headers ever */
    double error_rate;   /* 5xx */
    double limit_rate;   /* 429 */
    double caller_rate;  /* 400, 401 … */
    double cut_rate;     /* somewhere in the body */
    double stall_rate;
    double malformed_rate;
    double slow_rate;
    bool tells_retry_after;
    uint64_t budget; /* answers that its user wants to pay for; 0: any number */
};

enum { UPSTREAM_PROVIDERS = 3, UPSTREAM_PROMPTS = 8, UPSTREAM_STORED = 64 };

/* A response that can be attached to again. */
struct stored {
    size_t prompt;
    size_t length;
    char text[2048];
};

struct exchange;

struct upstream {
    struct transport transport; /* first */
    struct clock *clock;
    struct timers *timers;
    struct random random;
    bool is_well; /* faults are over */
    struct character characters[UPSTREAM_PROVIDERS];
    struct exchange *exchanges; /* under way */
    size_t under_way;
    uint64_t started; /* POSTs and resumes; neither listings nor cancels */
    uint64_t started_for[UPSTREAM_PROMPTS];
    uint64_t answers_begun[UPSTREAM_PROVIDERS]; /* that are paid for */
    bool forbidden[UPSTREAM_PROMPTS];           /* cancelled or ended: nothing may be sent for it */
    struct stored stored[UPSTREAM_STORED];
    size_t stored_count;
    const char *wrong; /* first thing that must never happen; NULL: all is well */
};

void upstream_init(struct upstream *upstream, struct clock *clock, struct timers *timers,
                   uint64_t seed);
void upstream_finish(struct upstream *upstream); /* nothing is under way any more */

/* "http://127.0.0.1:PORT/v1" of provider i ends in this port. */
int upstream_port(size_t i);

/* The one right answer to prompt number i. */
size_t upstream_answer(size_t prompt, char *text, size_t size);

#endif
