/*
 * failure: from what happened to what kind of failure it is, and what it is good for.
 *
 * Pure. The rules are tables; their order is: known codes, then texts, then special statuses, then
 * the status, then x-should-retry. Unknown errors get the safe verdict of their status.
 */
#ifndef ASKFS_CORE_POLICY_FAILURE_H
#define ASKFS_CORE_POLICY_FAILURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"

enum failure_class {
    FAILURE_NONE,
    FAILURE_AUTH,
    FAILURE_PERMISSION,
    FAILURE_BILLING,
    FAILURE_NOT_FOUND,
    FAILURE_VALIDATION,
    FAILURE_CONTEXT_LENGTH,
    FAILURE_REQUEST_TOO_LARGE,
    FAILURE_CONTENT_FILTER,
    FAILURE_RATE_LIMIT,
    FAILURE_CONFLICT,
    FAILURE_OVERLOADED,
    FAILURE_SERVER,
    FAILURE_NETWORK,
    FAILURE_TIMEOUT,
    FAILURE_STREAM_TRUNCATED,
    FAILURE_STREAM_STALLED,
    FAILURE_PROTOCOL,
    FAILURE_BREAKER_OPEN,
    FAILURE_BUDGET,
    FAILURE_SCHEMA,
    FAILURE_PENDING, /* not ready yet: ask again */
    FAILURE_CANCELLED,
    FAILURE_INTERNAL,
    FAILURE_CLASS_COUNT
};

/* The word of the contract, "rate_limit"; "ok" for FAILURE_NONE. */
const char *failure_class_name(enum failure_class class);

/* What exactly a failure of class network, timeout or internal was; decides the errno. */
enum failure_cause {
    CAUSE_NONE,
    CAUSE_RESOLVE,     /* name not found */
    CAUSE_REFUSED,     /* nobody listens there */
    CAUSE_UNREACHABLE, /* no route */
    CAUSE_RESET,       /* the connection broke */
    CAUSE_CERTIFICATE, /* not the server that we trust, or our CA file */
    CAUSE_PROXY,
    CAUSE_MEMORY
};

enum billed { BILLED_NO, BILLED_MAYBE, BILLED_YES };
const char *billed_name(enum billed billed); /* "no", "maybe", "yes" */

struct failure {
    enum failure_class class;
    enum failure_cause cause;
    bool retryable;  /* the same request may help, at the same provider */
    bool retry_once; /* retryable, but at most one time for each request */
    bool counts_for_breaker;
    enum billed billed;     /* may the provider have charged for the attempt? */
    int http_status;        /* 0: no reply */
    int64_t retry_after_ns; /* told by the provider, never earlier; -1: not told */
    char type[64];          /* as on the wire, printable, cut to fit; "" when absent */
    char code[96];
    char message[512]; /* what the provider said, printable */
    char provider_request_id[96];
};

/* A reply header. Names compare without case. */
struct header {
    struct slice name;
    struct slice value;
};

/* How a transfer ended below HTTP, in our words: core/io/http_result.c has them from libcurl's. */
enum transport_end {
    TRANSPORT_OK,      /* framing ended properly; says nothing about the answer */
    TRANSPORT_RESOLVE, /* host name */
    TRANSPORT_RESOLVE_PROXY,
    TRANSPORT_REFUSED,
    TRANSPORT_UNREACHABLE,
    TRANSPORT_CONNECT_TIMEOUT,
    TRANSPORT_TLS_HANDSHAKE,
    TRANSPORT_CERTIFICATE,
    TRANSPORT_CA_FILE,
    TRANSPORT_BAD_URL,
    TRANSPORT_EMPTY_REPLY, /* closed before a byte of reply */
    TRANSPORT_SEND,
    TRANSPORT_RECEIVE, /* reset or closed early */
    TRANSPORT_PARTIAL, /* body shorter than announced */
    TRANSPORT_HTTP2_STREAM,
    TRANSPORT_HTTP2,
    TRANSPORT_NOT_HTTP,
    TRANSPORT_BAD_ENCODING, /* broken gzip */
    TRANSPORT_NO_MEMORY,
    TRANSPORT_ABORTED, /* by us */
    TRANSPORT_OTHER
};

/* Which of our own timers ended an attempt. */
enum timer_end {
    TIMER_CONNECT,
    TIMER_HEADERS,
    TIMER_FIRST_TOKEN,
    TIMER_READ, /* between two contents */
    TIMER_IDLE, /* between two bytes of any kind */
    TIMER_TOTAL
};

/* How a 200 stream ended other than by a complete answer. */
enum stream_end {
    STREAM_TRUNCATED,  /* no terminal event */
    STREAM_UNVERIFIED, /* content, then [DONE] without a finish reason: sloppy server, or a cut */
    STREAM_ABORTED,    /* the server said that it gave up: finish_reason abort */
    STREAM_OVERLOADED, /* finish_reason insufficient_system_resource */
    STREAM_FILTERED,   /* finish_reason content_filter, refusal */
    STREAM_TOO_LONG,   /* one event passed the parser's limit */
    STREAM_RESTARTED,  /* a second answer began inside the first */
    STREAM_GAP,        /* sequence numbers jumped */
    STREAM_SEAM,       /* a continuation that does not fit what was delivered */
    STREAM_NOT_STREAM  /* 200 with neither a stream nor JSON: captive portal, web page */
};

/* A reply with a failing status (in_stream false), or the payload of an error event inside a
 * stream that began with 200, or a 200 whose JSON is an error. body: as much as was kept. */
struct failed_reply {
    int status;
    const struct header *headers;
    size_t header_count;
    struct slice body;
    bool in_stream;  /* body is the JSON of an event; status and headers are of the 200 */
    int64_t wall_ns; /* when it came, for dates in a reply that has none of its own; 0: not known */
};

/* Each fills *failure_out wholly. */
void failure_from_reply(const struct failed_reply *reply, struct failure *failure_out);
/* got_bytes: body bytes of a 200 had arrived, so the stream was cut rather than never begun.
 * detail: the library's words, may be "". */
void failure_from_transport(enum transport_end end, bool got_bytes, const char *detail,
                            struct failure *failure_out);
void failure_from_timer(enum timer_end timer, int64_t limit_ns, struct failure *failure_out);
/* said: finish reason, or the first bytes of what came instead of a stream. */
void failure_from_stream(enum stream_end end, struct slice said, struct failure *failure_out);
/* What we refuse, or give up, ourselves. */
void failure_from_us(enum failure_class class, const char *message, struct failure *failure_out);

/* Stars over the secret wherever the provider echoed it. What merely looks like a key is hidden by
 * all of the above. */
void failure_hide_secret(struct failure *failure, struct slice secret);

/* One line for people: what they can do about it. Static text. */
const char *failure_advice(const struct failure *failure);

#endif
