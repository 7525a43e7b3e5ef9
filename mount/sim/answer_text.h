/*
 * answer_text: which text answers a question. The same question always gets the same text, and a
 * question that shows the beginning of its answer gets the rest of it.
 */
#ifndef ASKFS_MOUNT_SIM_ANSWER_TEXT_H
#define ASKFS_MOUNT_SIM_ANSWER_TEXT_H

#include "mount/sim/pieces.h"
#include "mount/sim/question.h"

/* False: problem says why, and pieces may hold a part. */
bool answer_text_build(struct pieces *pieces, const struct question *question,
                       struct bytes *scratch, struct problem *problem);

const char *answer_text_reasoning(const struct question *question); /* NULL: none */

#endif
