/*
 * draft: the text that one open file is being given, until it is known to be whole. Pure.
 *
 * Writes may come anywhere, in any order. The first one that fails spoils the draft: half a text is
 * no text.
 */
#ifndef ASKFS_FS_DRAFT_H
#define ASKFS_FS_DRAFT_H

#include "core/base/bytes.h"
#include "core/base/text.h"

struct draft {
    struct bytes text;
    size_t length_max; /* a newline at the end not counted */
    bool is_prose;     /* UTF-8 without NUL is asked for, as early as it can be told */
    bool written;      /* had a write with at least one byte */
    bool in_order;     /* every write went on where the last one ended: check is good */
    struct text_check check;
    int error; /* of the first write that failed; 0: none */
};

void draft_init(struct draft *draft, size_t length_max, bool is_prose);
void draft_finish(struct draft *draft);

/* Each returns 0 or an errno. append: offset means nothing. */
int draft_write(struct draft *draft, size_t offset, struct slice slice, bool append);
int draft_resize(struct draft *draft, size_t length);

/* ERROR_NOT_TEXT when what was written would be sent, were it text: it stops in the middle of a
 * character, or has a hole. Else 0. */
int draft_problem(const struct draft *draft);

/* Drops one newline at the end. True: what is left is a text to send, in draft->text. */
bool draft_complete(struct draft *draft);

#endif
