/*
 * fault_words: how each wire says what a rehearsed failure has to say. Pure.
 */
#ifndef ASKFS_CORE_TRANSPORT_FAULT_WORDS_H
#define ASKFS_CORE_TRANSPORT_FAULT_WORDS_H

#include "core/transport/fault_target.h"

/* Of a fault that is a reply: rate_limit, server, overloaded. */
int fault_reply_status(const struct fault *fault, const struct wire *wire);
/* Its headers; they borrow from headers_out. */
struct fault_headers {
    struct header headers[3];
    size_t count;
    char seconds[24];
    char milliseconds[24];
};
void fault_write_headers(const struct fault *fault, struct fault_headers *headers_out);
/* Appends its body. False: no memory. */
bool fault_write_reply(const struct fault *fault, const struct wire *wire, struct bytes *out);

/* Appends the event that tells of an error inside a stream. False: no memory. */
bool fault_write_event(enum fault_error error, const struct wire *wire, struct bytes *out);

#endif
