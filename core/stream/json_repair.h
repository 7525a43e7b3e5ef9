/*
 * json_repair: rewrites JSON that real servers send into JSON that a strict parser takes, and cuts
 * values out of a stream of them. Pure.
 */
#ifndef ASKFS_CORE_STREAM_JSON_REPAIR_H
#define ASKFS_CORE_STREAM_JSON_REPAIR_H

#include "core/base/bytes.h"
#include "core/stream/json_text.h"

/* Appends text with these changed: a lone surrogate \udXXX becomes a character of its own that
 * json_unmark knows (so that it can still be joined to its other half in a later event), bytes that
 * are not UTF-8 become U+FFFD, raw control characters are escaped, unknown escapes stand for
 * themselves, numbers that no 64 bits hold become real numbers, NaN and Infinity become null, and
 * what is nested deeper than JSON_DEPTH_MAX becomes null. The structure is not checked. */
bool json_repair(struct slice text, struct bytes *out);

enum { JSON_DEPTH_MAX = 1000 };

/* Like json_unescape for a text that came through json_repair: plain UTF-8 in which marked
 * characters are halves. */
bool json_unmark(struct slice text, struct half *half, struct bytes *out);

/* Finds the end of JSON values that follow each other, fed in pieces. */
struct json_span {
    unsigned depth;
    bool in_string;
    bool escaped;
};

/* Takes from the front of *input up to the end of the value under way (its closing bracket
 * included). True: it ended. The value must begin with '{' or '['. */
bool json_span_next(struct json_span *span, struct slice *input);

#endif
