/*
 * fault_rules: failures to rehearse, as people write them: one rule a line, "KIND key=value …".
 *
 *     rate_limit retry_after=2 times=3        disconnect after_chunks=5 model=sim
 *     server status=503 p=0.1                 slow ms_per_chunk=200
 *
 * Pure: parses and chooses; whoever asks carries the fault out. Blank lines and lines that begin
 * with '#' say nothing; the line "clear" removes all rules before it.
 */
#ifndef ASKFS_CORE_POLICY_FAULT_RULES_H
#define ASKFS_CORE_POLICY_FAULT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/base/random.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_RATE_LIMIT,  /* a reply with status, and Retry-After when told */
    FAULT_SERVER,      /* a reply with status */
    FAULT_OVERLOADED,  /* a reply with status, or the wire's own for it when status is 0 */
    FAULT_REFUSE,      /* no connection */
    FAULT_RESET,       /* a reset before the reply */
    FAULT_TIMEOUT,     /* no reply for wait_ns, then a close */
    FAULT_DISCONNECT,  /* a reset when that many chunks were sent */
    FAULT_TRUNCATE,    /* a polite end there, without a terminal event */
    FAULT_STALL,       /* silence there, for wait_ns */
    FAULT_ERROR,       /* an error event there, of class error */
    FAULT_MALFORMED,   /* chunk number `chunks`, from 1, is broken JSON */
    FAULT_NO_TERMINAL, /* all but the terminal event */
    FAULT_SLOW,        /* beside others: pace_ns between chunks */
    FAULT_SPLIT,       /* beside others: written in pieces of segment_bytes */
    FAULT_KINDS
};

enum fault_error { FAULT_ERROR_OVERLOADED, FAULT_ERROR_SERVER, FAULT_ERROR_RATE_LIMIT };

/* What shall happen to one request. */
struct fault {
    enum fault_kind kind;   /* never FAULT_SLOW or FAULT_SPLIT: those are the last two members */
    int status;             /* 0: not told */
    int64_t retry_after_ns; /* -1: not told */
    int64_t chunks;
    int64_t wait_ns; /* TIME_NEVER: for ever */
    enum fault_error error;
    int64_t pace_ns;       /* -1: its own */
    int64_t segment_bytes; /* 0: as it comes */
};

enum fault_key {
    FAULT_KEY_STATUS,
    FAULT_KEY_RETRY_AFTER,
    FAULT_KEY_AFTER_CHUNKS,
    FAULT_KEY_AT_CHUNK,
    FAULT_KEY_AFTER,
    FAULT_KEY_FOR,
    FAULT_KEY_CLASS,
    FAULT_KEY_MS_PER_CHUNK,
    FAULT_KEY_BYTES,
    FAULT_KEY_TIMES, /* fires at most so often */
    FAULT_KEY_P,     /* and only with this probability */
    FAULT_KEY_SKIP,  /* the first so many requests pass */
    FAULT_KEY_MODEL, /* only requests for this model */
    FAULT_KEY_PATH,  /* only requests whose path contains this */
    FAULT_KEY_FIRED, /* how often it has fired, as fault_rules_print says it */
    FAULT_KEYS
};

enum { FAULT_RULES_MAX = 64, FAULT_NAME_SIZE = 128, FAULT_PROBLEM_SIZE = 256 };

struct fault_rule {
    enum fault_kind kind;
    uint32_t given;                 /* 1 << enum fault_key */
    int64_t values[FAULT_KEYS];     /* durations in ns, p in billionths */
    char names[2][FAULT_NAME_SIZE]; /* model, path */
    uint64_t seen;                  /* requests that it was asked about */
    uint64_t fired;
};

/* Zeroed storage is no rules. */
struct fault_rules {
    size_t count;
    struct fault_rule rules[FAULT_RULES_MAX];
};

/* Adds the rules of the text behind those that are there. False: nothing changed, and problem says
 * what is wrong, for people. */
bool fault_rules_parse(struct fault_rules *rules, struct slice text,
                       char problem[FAULT_PROBLEM_SIZE]);
void fault_rules_clear(struct fault_rules *rules);

struct fault_subject {
    const char *model; /* "" when it has none */
    const char *path;
    bool by_path_only; /* only rules with a path are meant for it */
};

/* What shall happen to this request: the first rule that fires, and beside it the first slow and
 * the first split that fire. Draws one number from random for each rule with p that is asked. */
struct fault fault_rules_draw(struct fault_rules *rules, const struct fault_subject *subject,
                              struct random *random);

/* Appends each rule as it could be written again, with how often it fired. False: no room. */
bool fault_rules_print(const struct fault_rules *rules, struct bytes *out);

const char *fault_kind_name(enum fault_kind kind); /* "none", "rate_limit", … */

#endif
