/*
 * options: how the simulator shall answer, from the member "sim" of a request's body or from its
 * header x-sim. The table in options.c lists them all.
 */
#ifndef ASKFS_MOUNT_SIM_OPTIONS_H
#define ASKFS_MOUNT_SIM_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum finish { FINISH_STOP, FINISH_LENGTH, FINISH_FILTER };
enum prefill { PREFILL_ACCEPT, PREFILL_REFUSE, PREFILL_IGNORE };
enum continuation {
    CONTINUE_EXACT,
    CONTINUE_OVERLAP,  /* the last characters again */
    CONTINUE_RESTART,  /* all from the start */
    CONTINUE_PREAMBLE, /* with words before it */
    CONTINUE_DIVERGE   /* another text */
};

struct options {
    int64_t chunks;      /* deltas of the answer; -1: as the text has words */
    int64_t chunk_bytes; /* -1: words */
    int64_t ms_per_chunk;
    int64_t first_ms;       /* before the first delta */
    int64_t repeat;         /* the text so often */
    int64_t overlap;        /* characters, for CONTINUE_OVERLAP */
    int64_t context_tokens; /* more than these are refused; -1: no limit */
    const char *text;       /* the answer; NULL: by the model */
    const char *reasoning;  /* NULL: by the model */
    const char *refusal;    /* NULL: none */
    int64_t tool;           /* 1: the answer calls a tool */
    int64_t stamp;          /* 1: "@<nanoseconds> " before each delta */
    int64_t usage;          /* -1: as the request asks */
    int64_t finish;
    int64_t prefill;
    int64_t continuation;
};

enum { OPTIONS_PROBLEM_SIZE = 512 };

void options_init(struct options *options);
/* Takes what the object says over what options held; strings stay borrowed from it. False: problem
 * names what is unknown or wrong. */
bool options_read(struct options *options, const json_t *object,
                  char problem[OPTIONS_PROBLEM_SIZE]);

#endif
