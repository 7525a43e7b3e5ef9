/*
 * failure_body: the many shapes of an error body, read into one. Pure.
 *
 * The object that tells may be the root, its "error", an element of an array, inside "detail",
 * "errors" or the "response" of an event. What is no JSON becomes a message: the title of a page,
 * else the first bytes.
 */
#ifndef ASKFS_CORE_POLICY_FAILURE_BODY_H
#define ASKFS_CORE_POLICY_FAILURE_BODY_H

#include <jansson.h>

#include "core/base/bytes.h"

enum { FAILURE_DETAIL_CODES_MAX = 4 };

struct failure_body {
    json_t *root;        /* owned; NULL: not JSON */
    const json_t *error; /* the object inside root that tells, or NULL */
    /* details.error_code, details[].reason, innererror.code: they say more than code */
    char detail_codes[FAILURE_DETAIL_CODES_MAX][96];
    int detail_code_count;
    char code[160];
    char type[96];
    char message[4096]; /* printable; what texts are looked for in */
    char request_id[96];
    int inner_status;      /* 400 to 599 named in the body; 0: none */
    bool has_flag_reasons; /* metadata.reasons: moderation */
    bool is_daily_quota;   /* a quota id that speaks of a day */
    bool is_empty;         /* nothing but white space */
    bool is_html;
};

void failure_body_read(struct slice body, struct failure_body *body_out);
void failure_body_finish(struct failure_body *body);

#endif
