/*
 * json_schema: does an answer fit the JSON Schema that was asked for? Pure.
 *
 * Of JSON Schema (https://json-schema.org/draft/2020-12) the part that providers take for
 * structured outputs: type, enum, const, properties, required, additionalProperties, items, anyOf,
 * oneOf, allOf, $ref within the schema, and the limits of lengths, counts and numbers. What it does
 * not know (pattern, format …) passes, so that no good answer is refused.
 */
#ifndef ASKFS_CORE_PROVIDERS_JSON_SCHEMA_H
#define ASKFS_CORE_PROVIDERS_JSON_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/bytes.h"

enum { JSON_SCHEMA_PROBLEM_SIZE = 192 };

/* False: problem says where and what was expected; printable, cut to fit. */
bool json_schema_fits(const json_t *schema, const json_t *value,
                      char problem[JSON_SCHEMA_PROBLEM_SIZE]);

/* Do the options of a request ask for a form of its answer, on whichever wire? *schema_out is
 * borrowed; NULL: any JSON object. */
bool json_schema_is_asked_for(const json_t *options, const json_t **schema_out);

/* The same of an answer's text, which must be JSON first; schema NULL: any object. */
bool json_schema_fits_text(const json_t *schema, struct slice text,
                           char problem[JSON_SCHEMA_PROBLEM_SIZE]);

#endif
