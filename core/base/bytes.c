#include "core/base/bytes.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct slice slice_of(const char *text) {
    return (struct slice){ text, text ? strlen(text) : 0 };
}

bool slice_equals(struct slice slice, const char *text) {
    size_t length = strlen(text);
    return slice.length == length && (length == 0 || memcmp(slice.data, text, length) == 0);
}

bool slice_equals_nocase(struct slice slice, const char *text) {
    size_t length = strlen(text);
    return slice.length == length && (length == 0 || strncasecmp(slice.data, text, length) == 0);
}

bool slice_starts_with(struct slice slice, const char *text) {
    size_t length = strlen(text);
    return slice.length >= length && (length == 0 || memcmp(slice.data, text, length) == 0);
}

bool slice_contains_nocase(struct slice slice, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= slice.length; i++)
        if (strncasecmp(slice.data + i, text, length) == 0) return true;
    return false;
}

struct slice slice_trim(struct slice slice) {
    while (slice.length && isspace((unsigned char)slice.data[0])) {
        slice.data++;
        slice.length--;
    }
    while (slice.length && isspace((unsigned char)slice.data[slice.length - 1]))
        slice.length--;
    return slice;
}

void bytes_init(struct bytes *bytes, size_t length_max) {
    *bytes = (struct bytes){ .length_max = length_max };
}

void bytes_finish(struct bytes *bytes) {
    free(bytes->data);
    *bytes = (struct bytes){ .length_max = bytes->length_max };
}

bool bytes_reserve(struct bytes *bytes, size_t more) {
    assert(bytes->length <= bytes->length_max);
    if (more > bytes->length_max - bytes->length) return false;
    size_t need = bytes->length + more + 1; // the NUL
    if (need <= bytes->capacity) return true;
    size_t capacity = bytes->capacity + bytes->capacity / 2;
    if (capacity < need) capacity = need;
    if (capacity < 64) capacity = 64;
    char *data = realloc(bytes->data, capacity);
    if (!data) return false;
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

bool bytes_append(struct bytes *bytes, const void *data, size_t length) {
    if (!bytes_reserve(bytes, length)) return false;
    if (length) memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
    bytes->data[bytes->length] = '\0';
    return true;
}

bool bytes_append_slice(struct bytes *bytes, struct slice slice) {
    return bytes_append(bytes, slice.data, slice.length);
}

bool bytes_append_text(struct bytes *bytes, const char *text) {
    return bytes_append(bytes, text, strlen(text));
}

bool bytes_printf(struct bytes *bytes, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    bool done = bytes_vprintf(bytes, format, arguments);
    va_end(arguments);
    return done;
}

bool bytes_vprintf(struct bytes *bytes, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0 || !bytes_reserve(bytes, (size_t)length)) return false;
    vsnprintf(bytes->data + bytes->length, (size_t)length + 1, format, arguments);
    bytes->length += (size_t)length;
    return true;
}

void bytes_clear(struct bytes *bytes) {
    bytes->length = 0;
    if (bytes->data) bytes->data[0] = '\0';
}

void bytes_remove_front(struct bytes *bytes, size_t count) {
    assert(count <= bytes->length);
    if (count == 0) return;
    bytes->length -= count;
    memmove(bytes->data, bytes->data + count, bytes->length + 1);
}

struct slice bytes_slice(const struct bytes *bytes) {
    return (struct slice){ bytes->data, bytes->length };
}

char *bytes_take(struct bytes *bytes) {
    if (!bytes->data && !bytes_reserve(bytes, 0)) return NULL;
    bytes->data[bytes->length] = '\0';
    char *data = bytes->data;
    *bytes = (struct bytes){ .length_max = bytes->length_max };
    return data;
}
