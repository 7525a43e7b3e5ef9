/*
 * json_text: JSON strings to UTF-8 and back. Pure, and never refuses: what is no character becomes
 * U+FFFD, so that one odd byte does not end a stream.
 */
#ifndef ASKFS_CORE_STREAM_JSON_TEXT_H
#define ASKFS_CORE_STREAM_JSON_TEXT_H

#include <stdint.h>

#include "core/base/bytes.h"

/* A character split over two strings: the high half that ended the first. 0: none waits. */
struct half {
    uint16_t high;
};

/* Appends what the inside of a JSON string says. A high surrogate at its end is held in *half and
 * joined to a low one that begins the next string; what stays alone, and bytes that are not UTF-8,
 * become U+FFFD (one for each maximal part of a character). \u0000 is one byte 0. False: no memory
 * or no room; out may hold a part. */
bool json_unescape(struct slice inside, struct half *half, struct bytes *out);

/* The same for one UTF-16 unit or character that came otherwise. */
bool json_append_unit(unsigned long unit, struct half *half, struct bytes *out);
/* A half that waits will not be joined any more: U+FFFD. */
bool json_end_half(struct half *half, struct bytes *out);

/* Appends text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
bool json_append_string(struct bytes *out, struct slice text);

/* How many bytes at the front are one well-formed character; 0: none are, and *bad_out bytes go
 * together as one U+FFFD. Not for empty slices. */
size_t json_character(struct slice text, size_t *bad_out);

/* Four hexadecimal digits; -1: they are not. */
long json_hex4(struct slice text);

#endif
