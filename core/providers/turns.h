/*
 * turns: the conversation of a request as a list of {"role", "content"}: the system text where the
 * API has it there, the prompt, and, to go on after a broken stream, what was answered so far.
 */
#ifndef ASKFS_CORE_PROVIDERS_TURNS_H
#define ASKFS_CORE_PROVIDERS_TURNS_H

#include "core/providers/wire.h"

struct turns_style {
    bool has_system;    /* the system text is the first turn */
    bool trims_prefill; /* white space at the end of a prefill is refused */
};

/* Appends the JSON array. False: no memory or no room. */
bool turns_write(struct bytes *out, const struct question *question, const struct dialect *dialect,
                 const struct turns_style *style);

#endif
