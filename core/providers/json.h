/*
 * json: jansson, made to take what servers really send, and short ways to look into it. Pure.
 */
#ifndef ASKFS_CORE_PROVIDERS_JSON_H
#define ASKFS_CORE_PROVIDERS_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "core/base/bytes.h"

enum json_load_status { JSON_LOADED, JSON_BAD, JSON_NO_MEMORY };

/* An object or array, new reference. *marked_out: it was repaired first, and its strings go through
 * json_unmark. NULL: *status_out says why. */
json_t *json_load(struct slice text, bool *marked_out, enum json_load_status *status_out);

/* The string at object[key], empty when it is not a string. */
struct slice json_slice(const json_t *object, const char *key);
struct slice json_slice_of(const json_t *string);
/* object[key] as a whole number; otherwise when it is none. */
int64_t json_whole(const json_t *object, const char *key, int64_t otherwise);
/* Something that tells of an error: not null, false, 0, "" or {}. */
bool json_is_something(const json_t *value);

/* A flag for json_dumps: no more digits than the numbers in it need to be read back as themselves,
 * so that 0.7 stays 0.7. */
size_t json_exact(const json_t *value);

bool json_append(struct bytes *out, const json_t *value);
/* As compact text to be freed; NULL: no memory. */
char *json_text(const json_t *value);

#endif
