/*
 * out: what is being written, JSON mostly. One failure (no room, no memory) spoils all of it, so
 * that only the end needs a question: good.
 */
#ifndef ASKFS_MOUNT_SIM_OUT_H
#define ASKFS_MOUNT_SIM_OUT_H

#include <stdint.h>
#include <string.h>

#include "core/base/bytes.h"

struct out {
    struct bytes bytes;
    bool good;
};

void out_init(struct out *out, size_t length_max);
void out_finish(struct out *out); /* accepts zeroed storage */
void out_clear(struct out *out);  /* empty and good; keeps the memory, if it is not much */

void out_printf(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_number(struct out *out, int64_t number);
/* A JSON string with its quotes, and the inside of one. The text is UTF-8. */
void out_string(struct out *out, struct slice text);
void out_inside(struct out *out, struct slice text);

void out_grow_by(struct out *out, struct slice slice); /* out_slice's, when there is no room */

/* Inline, for the sake of millions of short pieces: when there is room, a copy is all. */
static inline void out_slice(struct out *out, struct slice slice) {
    struct bytes *bytes = &out->bytes;
    if (slice.length >= bytes->capacity - bytes->length) {
        out_grow_by(out, slice);
        return;
    }
    if (slice.length) memcpy(bytes->data + bytes->length, slice.data, slice.length);
    bytes->length += slice.length;
    bytes->data[bytes->length] = '\0';
}

static inline void out_text(struct out *out, const char *text) {
    out_slice(out, (struct slice){ text, strlen(text) });
}

#endif
