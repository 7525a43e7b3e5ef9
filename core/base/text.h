/*
 * text: UTF-8, and bytes made safe to show. Pure.
 */
#ifndef ASKFS_CORE_BASE_TEXT_H
#define ASKFS_CORE_BASE_TEXT_H

#include "core/base/bytes.h"

/* Well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF) without NUL. */
bool text_is_valid(struct slice slice);

/* Like text_is_valid for text that comes in pieces, each call going on where the last one ended. */
struct text_check {
    unsigned char needed; /* continuation bytes still to come */
    unsigned char low;    /* bounds of the next one */
    unsigned char high;
};
bool text_check_feed(struct text_check *check, struct slice slice); /* false: bad for ever */
bool text_check_ended(const struct text_check *check); /* not inside a character */

/* Appends one character as UTF-8. A surrogate or a number past U+10FFFF becomes U+FFFD. */
bool text_append_character(struct bytes *out, unsigned long character);

/* Copies for display on a terminal or in a log: control characters (escapes included) become '?',
 * bad UTF-8 becomes '?', line ends become a space; cut to fit at a character, always NUL-ended. */
void text_printable(char *out, size_t size, struct slice slice);

/* One trailing newline (LF or CRLF) dropped. */
struct slice text_without_newline(struct slice slice);

#endif
