/*
 * failure_body: the many shapes of an error body, read into one. Pure.
 */
#ifndef ASKFS_CORE_POLICY_FAILURE_BODY_H
#define ASKFS_CORE_POLICY_FAILURE_BODY_H

#include <jansson.h>

#include "core/base/bytes.h"

struct failure_body {
    json_t *root;          /* owned; NULL: not JSON */
    const json_t *error;   /* the object inside root that tells, or NULL */
    char detail_code[96];  /* details.error_code, details[].reason, innererror.code */
    char code[160];
    char type[96];
    char message[4096];    /* printable; what texts are looked for in */
    char request_id[96];
    int inner_status;      /* 400 to 599 named in the body; 0: none */
    bool has_flag_reasons; /* metadata.reasons: moderation */
    bool is_daily_quota;   /* a quota id that speaks of a day */
    bool is_html;
};

void failure_body_read(struct slice body, struct failure_body *body_out);
void failure_body_finish(struct failure_body *body);

#endif
