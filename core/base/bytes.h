/*
 * bytes: somebody's bytes (slice) and bytes that grow up to a stated maximum (bytes).
 */
#ifndef ASKFS_CORE_BASE_BYTES_H
#define ASKFS_CORE_BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Borrowed bytes, not NUL-ended. data may be NULL when length is 0. */
struct slice {
    const char *data;
    size_t length;
};

struct slice slice_of(const char *text); /* a C string, without its NUL */
bool slice_equals(struct slice slice, const char *text);
bool slice_equals_nocase(struct slice slice, const char *text);
bool slice_starts_with(struct slice slice, const char *text);
bool slice_contains_nocase(struct slice slice, const char *text); /* ASCII case folding */
struct slice slice_trim(struct slice slice);                      /* ASCII white space, both ends */

/* Owned bytes. Zeroed storage is not initialised: call bytes_init first. data is NUL-ended whenever
 * it is not NULL, so that short texts can be printed; the NUL is not counted. */
struct bytes {
    char *data;
    size_t length;
    size_t capacity;
    size_t length_max;
};

void bytes_init(struct bytes *bytes, size_t length_max);
void bytes_finish(struct bytes *bytes); /* accepts zeroed storage */

/* Each of these returns false, and changes nothing, when the maximum would be passed or memory is
 * short. */
bool bytes_reserve(struct bytes *bytes, size_t more);
bool bytes_append(struct bytes *bytes, const void *data, size_t length);
bool bytes_append_slice(struct bytes *bytes, struct slice slice);
bool bytes_append_text(struct bytes *bytes, const char *text);
bool bytes_printf(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool bytes_vprintf(struct bytes *bytes, const char *format, va_list arguments);

void bytes_clear(struct bytes *bytes);                      /* keeps the memory */
void bytes_remove_front(struct bytes *bytes, size_t count); /* count <= length */
struct slice bytes_slice(const struct bytes *bytes);
/* The bytes as a heap string for the caller to free; bytes is empty afterwards. NULL: no memory. */
char *bytes_take(struct bytes *bytes);

#endif
