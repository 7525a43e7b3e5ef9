/*
 * question: what a request body asks, the same for all wires.
 */
#ifndef ASKFS_MOUNT_SIM_QUESTION_H
#define ASKFS_MOUNT_SIM_QUESTION_H

#include <jansson.h>

#include "core/base/bytes.h"
#include "mount/sim/options.h"
#include "mount/sim/problem.h"

struct wire;

struct turn {
    bool by_assistant;
    struct slice text; /* of all its parts */
};

struct question {
    const struct wire *wire;
    const char *model;
    struct slice system;
    struct turn *turns;
    size_t turn_count;
    bool stream;
    bool wants_usage;
    bool background;
    struct options options;
    json_t *body; /* what the above borrows from */
    json_t *options_body;
    struct bytes joined; /* texts that came in parts */
};

/* Reads a body, and the text of the header x-sim, which may be NULL. False: problem says why.
 * Either way question_finish is due. */
bool question_read(struct question *question, const struct wire *wire, struct slice body,
                   const char *options_text, struct problem *problem);
void question_finish(struct question *question); /* accepts zeroed storage */

/* The newest text of the user; empty when there is none. Only turns before `count`. */
struct slice question_prompt(const struct question *question, size_t count);

#endif
