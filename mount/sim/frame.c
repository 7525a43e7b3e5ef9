#include "mount/sim/frame.h"

#include <stdlib.h>

#include "mount/sim/wire.h"

enum { FRAME_BYTES_MAX = 64 << 10 };

bool frame_make(struct frame *frame, const struct answer *answer, int phase) {
    struct out out;
    out_init(&out, FRAME_BYTES_MAX);
    for (int part = 0; part < FRAME_PARTS; part++) {
        answer->wire->write_frame(answer, (enum phase)phase, (enum frame_part)part, &out);
        frame->ends[part] = out.bytes.length;
    }
    frame->text = out.good ? bytes_take(&out.bytes) : NULL;
    out_finish(&out);
    return frame->text;
}

void frame_finish(struct frame *frame) {
    free(frame->text);
    *frame = (struct frame){ 0 };
}

static void write_part(const struct frame *frame, enum frame_part part, struct out *out) {
    size_t from = part ? frame->ends[part - 1] : 0;
    out_slice(out, (struct slice){ frame->text + from, frame->ends[part] - from });
}

void frame_begin(const struct frame *frame, int64_t sequence, struct out *out) {
    write_part(frame, FRAME_HEAD, out);
    if (frame->ends[FRAME_MIDDLE] == frame->ends[FRAME_HEAD]) return;
    out_number(out, sequence);
    write_part(frame, FRAME_MIDDLE, out);
}

void frame_end(const struct frame *frame, struct out *out) {
    write_part(frame, FRAME_TAIL, out);
}
