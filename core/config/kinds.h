/*
 * kinds: the kinds of value that the schema knows.
 */
#ifndef ASKFS_CORE_CONFIG_KINDS_H
#define ASKFS_CORE_CONFIG_KINDS_H

#include "core/config/schema.h"

/* plain values */
extern const struct value_kind value_seconds;       /* int64_t nanoseconds */
extern const struct value_kind value_seconds_alias; /* the same under a second name */
extern const struct value_kind value_count;         /* int */
extern const struct value_kind value_size;          /* int64_t */
extern const struct value_kind value_factor;        /* double */
extern const struct value_kind value_flag;          /* bool */
extern const struct value_kind value_text;          /* char *, any text */
extern const struct value_kind value_label;         /* char *, printable and not empty */
extern const struct value_kind value_file;          /* char *, absolute; must be readable */

/* values with a meaning of their own */
extern const struct value_kind value_type;
extern const struct value_kind value_api;
extern const struct value_kind value_route;
extern const struct value_kind value_key;
extern const struct value_kind value_headers;
extern const struct value_kind value_options;

/* words of a list */
extern const struct value_kind value_recovery;
extern const struct value_kind value_prefill;
extern const struct value_kind value_classes;

/* "expected …, found …". Always false. */
bool value_wrong(const struct schema_key *key, const struct source *source, const char *path,
                 const json_t *value);
/* "unknown what "word"; did you mean …". What was not recognised is repeated, but not its control
 * characters nor a whole novel. words NULL-ended. Always false. */
bool value_unknown_word(const struct source *source, const char *path, const char *what,
                        const char *word, const char *const *words);
/* Without control characters; may be empty. */
bool value_is_printable(const char *text);
/* The strings of an array as a NULL-ended list; NULL: no memory. All must be strings. */
char **value_copy_strings(const json_t *array);
void value_free_strings(char **strings); /* accepts NULL */

#endif
