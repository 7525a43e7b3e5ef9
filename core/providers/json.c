#include "core/providers/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/stream/json_repair.h"

enum { REPAIR_GROWTH = 6, REPAIR_EXTRA = 64 };

static enum json_load_status status_of(const json_error_t *error) {
    return json_error_code(error) == json_error_out_of_memory ? JSON_NO_MEMORY : JSON_BAD;
}

static json_t *load_repaired(struct slice text, enum json_load_status *status_out) {
    struct bytes repaired;
    json_error_t error;
    json_t *root = NULL;
    *status_out = JSON_NO_MEMORY;
    bytes_init(&repaired, text.length * REPAIR_GROWTH + REPAIR_EXTRA);
    if (json_repair(text, &repaired)) {
        root = json_loadb(repaired.data, repaired.length, JSON_ALLOW_NUL, &error);
        *status_out = root ? JSON_LOADED : status_of(&error);
    }
    bytes_finish(&repaired);
    return root;
}

json_t *json_load(struct slice text, bool *marked_out, enum json_load_status *status_out) {
    json_error_t error;
    *marked_out = false;
    *status_out = JSON_BAD;
    text = slice_trim(text);
    if (text.length == 0 || (text.data[0] != '{' && text.data[0] != '[')) return NULL;
    json_t *root = json_loadb(text.data, text.length, JSON_ALLOW_NUL, &error);
    *status_out = root ? JSON_LOADED : status_of(&error);
    if (root || *status_out == JSON_NO_MEMORY) return root;
    *marked_out = true;
    return load_repaired(text, status_out);
}

struct slice json_slice_of(const json_t *string) {
    if (!json_is_string(string)) return (struct slice){ 0 };
    return (struct slice){ json_string_value(string), json_string_length(string) };
}

struct slice json_slice(const json_t *object, const char *key) {
    return json_slice_of(json_object_get(object, key));
}

int64_t json_whole(const json_t *object, const char *key, int64_t otherwise) {
    static const double real_max = 9e15; // beyond it a real is no count
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value)) return json_integer_value(value);
    if (!json_is_real(value)) return otherwise;
    double real = json_real_value(value);
    return real >= -real_max && real <= real_max ? (int64_t)real : otherwise;
}

bool json_is_something(const json_t *value) {
    if (!value || json_is_null(value) || json_is_false(value)) return false;
    if (json_is_string(value)) return json_string_length(value) > 0;
    if (json_is_object(value)) return json_object_size(value) > 0;
    if (json_is_integer(value)) return json_integer_value(value) != 0;
    return true;
}

enum { DIGITS_ALWAYS = 15, DIGITS_ENOUGH = 17 }; // of a double: kept from a text; for any value

static size_t digits_of_real(double real) {
    char text[64];
    for (size_t digits = DIGITS_ALWAYS; digits < DIGITS_ENOUGH; digits++) {
        snprintf(text, sizeof(text), "%.*g", (int)digits, real);
        if (strtod(text, NULL) == real) return digits;
    }
    return DIGITS_ENOUGH;
}

static size_t larger(size_t one, size_t other) {
    return one > other ? one : other;
}

static size_t digits_of(const json_t *value) {
    size_t digits = DIGITS_ALWAYS;
    size_t i;
    const char *key;
    const json_t *inner;
    if (json_is_real(value)) return digits_of_real(json_real_value(value));
    json_array_foreach(value, i, inner) digits = larger(digits, digits_of(inner));
    json_object_foreach((json_t *)value, key, inner) digits = larger(digits, digits_of(inner));
    return digits;
}

size_t json_exact(const json_t *value) {
    return JSON_REAL_PRECISION(digits_of(value));
}

static int append_piece(const char *data, size_t length, void *owner) {
    return bytes_append(owner, data, length) ? 0 : -1;
}

bool json_append(struct bytes *out, const json_t *value) {
    return json_dump_callback(value, append_piece, out,
                              JSON_COMPACT | JSON_ENCODE_ANY | json_exact(value)) == 0;
}

char *json_text(const json_t *value) {
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | json_exact(value));
}
