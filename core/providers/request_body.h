/*
 * request_body: the JSON object of a request, written in one pass straight into bytes, so that a
 * prompt of many MiB is copied once. A field that the options name is left to them.
 */
#ifndef ASKFS_CORE_PROVIDERS_REQUEST_BODY_H
#define ASKFS_CORE_PROVIDERS_REQUEST_BODY_H

#include "core/providers/wire.h"

struct request_body {
    struct bytes *out;
    const json_t *options; /* may be NULL */
    bool good;
    bool has_fields;
};

/* With model and stream, which every API wants. */
void request_body_begin(struct request_body *body, struct bytes *out,
                        const struct question *question);
void request_body_string(struct request_body *body, const char *key, struct slice value);
void request_body_json(struct request_body *body, const char *key, const char *json);
/* A field that options cannot change. Its value is for the caller to write into body->out, whose
 * success he keeps in body->good. */
void request_body_own(struct request_body *body, const char *key);
/* Writes the options, but stream and own_key: those are ours. null leaves a field out. False: no
 * memory or no room. */
bool request_body_end(struct request_body *body, const char *own_key);

/* {"role":…,"content":…} */
bool request_body_message(struct bytes *out, const char *role, struct slice content);

#endif
