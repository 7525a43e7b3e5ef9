#include "core/providers/json_schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/providers/json.h"

enum { DEPTH_MAX = 200, PATH_SIZE = 96 };

/* One look at one value. */
struct look {
    const json_t *root; /* where $ref begins */
    char *problem;
    int depth;
};

static bool fits(struct look *look, const json_t *schema, const json_t *value, const char *path);

static bool misfit(struct look *look, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The first problem is the one that is told. Names in the path are the model's.
static bool misfit(struct look *look, const char *path, const char *format, ...) {
    char raw[JSON_SCHEMA_PROBLEM_SIZE];
    va_list arguments;
    if (look->problem[0]) return false;
    int length = snprintf(raw, sizeof(raw), "%s: ", path[0] ? path : "the answer");
    if (length < 0 || (size_t)length >= sizeof(raw)) length = 0;
    va_start(arguments, format);
    vsnprintf(raw + length, sizeof(raw) - (size_t)length, format, arguments);
    va_end(arguments);
    text_printable(look->problem, JSON_SCHEMA_PROBLEM_SIZE, slice_of(raw));
    return false;
}

// ---- types ----

static bool is_of_type(const json_t *value, const char *type) {
    if (strcmp(type, "object") == 0) return json_is_object(value);
    if (strcmp(type, "array") == 0) return json_is_array(value);
    if (strcmp(type, "string") == 0) return json_is_string(value);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(value);
    if (strcmp(type, "null") == 0) return json_is_null(value);
    if (strcmp(type, "number") == 0) return json_is_number(value);
    if (strcmp(type, "integer") != 0) return true; // not a type that we know
    double number = json_number_value(value);
    return json_is_integer(value) || (json_is_real(value) && number == (double)(long long)number);
}

static bool fits_type(struct look *look, const json_t *type, const json_t *value,
                      const char *path) {
    size_t i;
    const json_t *each;
    if (json_is_string(type) && !is_of_type(value, json_string_value(type)))
        return misfit(look, path, "expected %s", json_string_value(type));
    if (!json_is_array(type)) return true;
    json_array_foreach(type, i, each) {
        if (!json_is_string(each) || is_of_type(value, json_string_value(each))) return true;
    }
    return misfit(look, path, "is of none of the types that are allowed");
}

static bool is_same(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static bool fits_values(struct look *look, const json_t *schema, const json_t *value,
                        const char *path) {
    size_t i;
    const json_t *each;
    const json_t *constant = json_object_get(schema, "const");
    const json_t *values = json_object_get(schema, "enum");
    if (constant && !is_same(constant, value))
        return misfit(look, path, "is not the value that is asked for");
    if (!json_is_array(values)) return true;
    json_array_foreach(values, i, each) {
        if (is_same(each, value)) return true;
    }
    return misfit(look, path, "is none of the values that are allowed");
}

// ---- objects and arrays ----

static void extend(char *out, const char *path, const char *name) {
    snprintf(out, PATH_SIZE, "%s%s%s", path, path[0] ? "." : "", name);
}

static bool fits_required(struct look *look, const json_t *schema, const json_t *value,
                          const char *path) {
    size_t i;
    const json_t *name;
    json_array_foreach(json_object_get(schema, "required"), i, name) {
        if (json_is_string(name) && !json_object_get(value, json_string_value(name)))
            return misfit(look, path, "lacks \"%s\"", json_string_value(name));
    }
    return true;
}

static bool fits_object(struct look *look, const json_t *schema, const json_t *value,
                        const char *path) {
    const char *name;
    json_t *member;
    char below[PATH_SIZE];
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    bool has_patterns = json_object_get(schema, "patternProperties") != NULL;
    if (!fits_required(look, schema, value, path)) return false;
    json_object_foreach((json_t *)value, name, member) {
        const json_t *own = json_object_get(properties, name);
        if (!own && !has_patterns) own = others;
        extend(below, path, name);
        if (json_is_false(own)) return misfit(look, below, "is not asked for");
        if (own && !fits(look, own, member, below)) return false;
    }
    return true;
}

static bool in_limits(const json_t *schema, const char *least, const char *most, double number) {
    const json_t *min = json_object_get(schema, least);
    const json_t *max = json_object_get(schema, most);
    if (json_is_number(min) && number < json_number_value(min)) return false;
    return !json_is_number(max) || number <= json_number_value(max);
}

static bool fits_array(struct look *look, const json_t *schema, const json_t *value,
                       const char *path) {
    size_t i;
    const json_t *item;
    char below[PATH_SIZE];
    const json_t *items = json_object_get(schema, "items");
    size_t first = json_array_size(json_object_get(schema, "prefixItems"));
    if (!in_limits(schema, "minItems", "maxItems", (double)json_array_size(value)))
        return misfit(look, path, "has %zu items", json_array_size(value));
    if (!items || json_is_array(items)) return true;
    json_array_foreach(value, i, item) {
        snprintf(below, sizeof(below), "%s[%zu]", path, i);
        if (i >= first && !fits(look, items, item, below)) return false;
    }
    return true;
}

// ---- strings and numbers ----

static double count_characters(const json_t *string) {
    const char *text = json_string_value(string);
    size_t count = 0;
    for (size_t i = 0; i < json_string_length(string); i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return (double)count;
}

static bool fits_scalar(struct look *look, const json_t *schema, const json_t *value,
                        const char *path) {
    if (json_is_string(value) &&
        !in_limits(schema, "minLength", "maxLength", count_characters(value)))
        return misfit(look, path, "has %g characters", count_characters(value));
    if (!json_is_number(value)) return true;
    double number = json_number_value(value);
    const json_t *above = json_object_get(schema, "exclusiveMinimum");
    const json_t *below = json_object_get(schema, "exclusiveMaximum");
    bool inside = in_limits(schema, "minimum", "maximum", number) &&
                  (!json_is_number(above) || number > json_number_value(above)) &&
                  (!json_is_number(below) || number < json_number_value(below));
    return inside || misfit(look, path, "%g is out of its limits", number);
}

// ---- combinations ----

static size_t count_fits(struct look *look, const json_t *schemas, const json_t *value,
                         const char *path) {
    size_t i;
    const json_t *each;
    size_t count = 0;
    json_array_foreach(schemas, i, each) {
        char ignored[JSON_SCHEMA_PROBLEM_SIZE] = "";
        struct look inner = { look->root, ignored, look->depth };
        count += fits(&inner, each, value, path);
    }
    return count;
}

static bool fits_combinations(struct look *look, const json_t *schema, const json_t *value,
                              const char *path) {
    size_t i;
    const json_t *each;
    const json_t *any = json_object_get(schema, "anyOf");
    const json_t *one = json_object_get(schema, "oneOf");
    json_array_foreach(json_object_get(schema, "allOf"), i, each) {
        if (!fits(look, each, value, path)) return false;
    }
    if (json_array_size(any) && count_fits(look, any, value, path) == 0)
        return misfit(look, path, "fits none of its forms");
    if (json_array_size(one) && count_fits(look, one, value, path) != 1)
        return misfit(look, path, "does not fit exactly one of its forms");
    return true;
}

// "#/$defs/step"; NULL: it points elsewhere, or nowhere.
static const json_t *resolve(const json_t *root, const char *reference) {
    char name[PATH_SIZE];
    if (reference[0] != '#') return NULL;
    const char *at = reference + 1;
    const json_t *found = root;
    while (found && *at == '/') {
        size_t length = strcspn(++at, "/");
        if (length >= sizeof(name)) return NULL;
        memcpy(name, at, length);
        name[length] = '\0';
        found = json_object_get(found, name);
        at += length;
    }
    return *at ? NULL : found;
}

static bool fits(struct look *look, const json_t *schema, const json_t *value, const char *path) {
    const json_t *reference = json_object_get(schema, "$ref");
    if (json_is_false(schema)) return misfit(look, path, "is not asked for");
    if (!json_is_object(schema) || look->depth >= DEPTH_MAX) return true;
    look->depth++;
    const json_t *target = NULL;
    if (json_is_string(reference)) target = resolve(look->root, json_string_value(reference));
    bool good = (!target || fits(look, target, value, path)) &&
                fits_type(look, json_object_get(schema, "type"), value, path) &&
                fits_values(look, schema, value, path) &&
                fits_combinations(look, schema, value, path) &&
                (!json_is_object(value) || fits_object(look, schema, value, path)) &&
                (!json_is_array(value) || fits_array(look, schema, value, path)) &&
                fits_scalar(look, schema, value, path);
    look->depth--;
    return good;
}

bool json_schema_fits(const json_t *schema, const json_t *value,
                      char problem[JSON_SCHEMA_PROBLEM_SIZE]) {
    problem[0] = '\0';
    struct look look = { schema, problem, 0 };
    return fits(&look, schema, value, "");
}

// ---- what was asked for ----

// {"type": "json_schema", "schema": …}, with the schema perhaps one level down; or a mode.
static bool read_format(const json_t *format, const json_t **schema_out) {
    const char *type = json_string_value(json_object_get(format, "type"));
    *schema_out = NULL;
    if (!type) return false;
    if (strcmp(type, "json_object") == 0) return true;
    if (strcmp(type, "json_schema") != 0) return false;
    const json_t *inner = json_object_get(format, "json_schema");
    *schema_out = json_object_get(inner ? inner : format, "schema");
    return json_is_object(*schema_out);
}

bool json_schema_is_asked_for(const json_t *options, const json_t **schema_out) {
    const json_t *formats[] = {
        json_object_get(options, "response_format"),                          // chat
        json_object_get(json_object_get(options, "text"), "format"),          // responses
        json_object_get(json_object_get(options, "output_config"), "format"), // messages
        json_object_get(options, "output_format"),                            // its beta
    };
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (read_format(formats[i], schema_out)) return true;
    return false;
}

// Numbers and surrogates that jansson refuses are no fault of an answer.
static json_t *load(struct slice text) {
    bool marked;
    enum json_load_status status;
    json_t *value = json_load(text, &marked, &status);
    if (value) return value;
    return json_loadb(text.data ? text.data : "", text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL,
                      NULL);
}

bool json_schema_fits_text(const json_t *schema, struct slice text,
                           char problem[JSON_SCHEMA_PROBLEM_SIZE]) {
    json_t *value = load(text);
    bool good =
        value && (schema ? json_schema_fits(schema, value, problem) : json_is_object(value));
    if (!value) snprintf(problem, JSON_SCHEMA_PROBLEM_SIZE, "the answer is no JSON");
    if (value && !schema && !good)
        snprintf(problem, JSON_SCHEMA_PROBLEM_SIZE, "the answer is no JSON object");
    json_decref(value);
    return good;
}
