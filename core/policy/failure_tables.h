/*
 * failure_tables: what is known of codes, texts, statuses and words, as data. Pure.
 *
 * A new code is a line in a table, and a row of tests/data/provider-errors.json.
 */
#ifndef ASKFS_CORE_POLICY_FAILURE_TABLES_H
#define ASKFS_CORE_POLICY_FAILURE_TABLES_H

#include "core/policy/failure.h"

struct verdict {
    enum failure_class class;
    bool retryable;
    bool retry_once;
    bool counts; /* for the breaker */
};

/* Each is true, and sets *verdict_out, when the table knows the thing. Case never matters, and in
 * words '-', '_' and ' ' are the same, and what follows a ':' is left out. */
bool failure_find_code(const char *code, struct verdict *verdict_out); /* decides everywhere */
bool failure_find_text(const char *message, struct verdict *verdict_out);
bool failure_find_status(int status, struct verdict *verdict_out);
/* What stands for a status where there is none: types and codes of errors inside a 200. */
bool failure_find_word(const char *word, struct verdict *verdict_out);

bool failure_same_word(const char *known, const char *word);

#endif
