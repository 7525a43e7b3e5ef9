/*
 * frame: what surrounds the text of every delta, written once for an answer and copied for each:
 *
 *     head [sequence number, middle] "text" tail
 */
#ifndef ASKFS_MOUNT_SIM_FRAME_H
#define ASKFS_MOUNT_SIM_FRAME_H

#include "mount/sim/out.h"

enum frame_part { FRAME_HEAD, FRAME_MIDDLE, FRAME_TAIL, FRAME_PARTS };

struct frame {
    char *text;               /* all parts, one behind the other; NULL: not made */
    size_t ends[FRAME_PARTS]; /* of each part; no middle: the wire does not number its events */
};

struct answer;

/* As the answer's wire writes it for the deltas of this phase. False: no memory. */
bool frame_make(struct frame *frame, const struct answer *answer, int phase);
void frame_finish(struct frame *frame); /* accepts zeroed storage */

/* What comes before the text, and behind it. */
void frame_begin(const struct frame *frame, int64_t sequence, struct out *out);
void frame_end(const struct frame *frame, struct out *out);

#endif
