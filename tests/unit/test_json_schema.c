#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/providers/json_schema.h"

struct row {
    const char *schema;
    const char *value;
    const char *problem; /* how it begins; NULL: it fits */
};

static const struct row rows[] = {
    { "{}", "1", NULL },
    { "true", "1", NULL },
    { "false", "1", "the answer: is not asked for" },
    { "{\"type\": \"object\"}", "{}", NULL },
    { "{\"type\": \"object\"}", "[]", "the answer: expected object" },
    { "{\"type\": \"integer\"}", "3", NULL },
    { "{\"type\": \"integer\"}", "3.0", NULL },
    { "{\"type\": \"integer\"}", "3.5", "the answer: expected integer" },
    { "{\"type\": \"number\"}", "3", NULL },
    { "{\"type\": [\"string\", \"null\"]}", "null", NULL },
    { "{\"type\": [\"string\", \"null\"]}", "1", "the answer: is of none of the types" },
    { "{\"type\": \"something new\"}", "1", NULL },
    { "{\"enum\": [\"a\", 2]}", "2.0", NULL },
    { "{\"enum\": [\"a\", 2]}", "\"b\"", "the answer: is none of the values" },
    { "{\"const\": {\"a\": 1}}", "{\"a\": 1}", NULL },
    { "{\"const\": 1}", "2", "the answer: is not the value" },
    { "{\"required\": [\"a\"]}", "{}", "the answer: lacks \"a\"" },
    { "{\"properties\": {\"a\": {\"required\": [\"b\"]}}}", "{\"a\": {}}", "a: lacks \"b\"" },
    { "{\"properties\": {\"a\": {}}, \"additionalProperties\": false}", "{\"a\": 1}", NULL },
    { "{\"properties\": {\"a\": {}}, \"additionalProperties\": false}", "{\"a\": 1, \"b\": 2}",
      "b: is not asked for" },
    { "{\"additionalProperties\": {\"type\": \"string\"}}", "{\"b\": 2}", "b: expected string" },
    { "{\"patternProperties\": {\"^x\": {}}, \"additionalProperties\": false}", "{\"xb\": 2}",
      NULL },
    { "{\"items\": {\"type\": \"string\"}}", "[\"a\", \"b\"]", NULL },
    { "{\"items\": {\"type\": \"string\"}}", "[\"a\", 1]", "[1]: expected string" },
    { "{\"properties\": {\"l\": {\"items\": {\"properties\": {\"n\": {\"type\": \"number\"}}}}}}",
      "{\"l\": [{\"n\": 1}, {\"n\": \"x\"}]}", "l[1].n: expected number" },
    { "{\"prefixItems\": [{}], \"items\": {\"type\": \"string\"}}", "[1, \"a\"]", NULL },
    { "{\"minItems\": 1}", "[]", "the answer: has 0 items" },
    { "{\"maxItems\": 1}", "[1, 2]", "the answer: has 2 items" },
    { "{\"minLength\": 2}", "\"\xc3\xa9\"", "the answer: has 1 characters" },
    { "{\"maxLength\": 2}", "\"\xc3\xa9\xc3\xa9\"", NULL },
    { "{\"minimum\": 1, \"maximum\": 3}", "3", NULL },
    { "{\"minimum\": 1, \"maximum\": 3}", "4", "the answer: 4 is out of its limits" },
    { "{\"exclusiveMinimum\": 1}", "1", "the answer: 1 is out of its limits" },
    { "{\"exclusiveMaximum\": 1}", "1", "the answer: 1 is out of its limits" },
    { "{\"pattern\": \"^a\", \"format\": \"date\"}", "\"b\"", NULL },
    { "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"null\"}]}", "null", NULL },
    { "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"null\"}]}", "1",
      "the answer: fits none of its forms" },
    { "{\"oneOf\": [{\"type\": \"number\"}, {\"type\": \"integer\"}]}", "1",
      "the answer: does not fit exactly one" },
    { "{\"allOf\": [{\"required\": [\"a\"]}, {\"required\": [\"b\"]}]}", "{\"a\": 1}",
      "the answer: lacks \"b\"" },
    { "{\"$ref\": \"#/$defs/s\", \"$defs\": {\"s\": {\"type\": \"string\"}}}", "1",
      "the answer: expected string" },
    { "{\"$ref\": \"#/$defs/gone\"}", "1", NULL },
    { "{\"$ref\": \"https://elsewhere/s.json\"}", "1", NULL },
    { "{\"$ref\": \"#\"}", "1", NULL }, // it never ends, and is left at some depth
    { "{\"properties\": {\"next\": {\"anyOf\": [{\"$ref\": \"#\"}, {\"type\": \"null\"}]}},"
      " \"required\": [\"next\"], \"additionalProperties\": false}",
      "{\"next\": {\"next\": null}}", NULL },
    { "{\"type\": \"object\", \"properties\": {\"next\": {\"anyOf\": [{\"$ref\": \"#\"}, "
      "{\"type\": \"null\"}]}},"
      " \"required\": [\"next\"]}",
      "{\"next\": {\"next\": 1}}", "next: fits none of its forms" },
};

static void test_each_value_fits_or_is_told_where_it_does_not(void **state) {
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char problem[JSON_SCHEMA_PROBLEM_SIZE];
        json_t *schema = json_loads(rows[i].schema, JSON_DECODE_ANY, NULL);
        json_t *value = json_loads(rows[i].value, JSON_DECODE_ANY, NULL);
        assert_non_null(schema);
        assert_non_null(value);
        bool good = json_schema_fits(schema, value, problem);
        if (good != !rows[i].problem ||
            strncmp(problem, good ? "" : rows[i].problem, good ? 1 : strlen(rows[i].problem)) != 0)
            fail_msg("%s, %s: '%s'", rows[i].schema, rows[i].value, problem);
        json_decref(schema);
        json_decref(value);
    }
}

static void test_a_long_name_is_cut_and_control_characters_are_not_shown(void **state) {
    char problem[JSON_SCHEMA_PROBLEM_SIZE];
    json_t *schema = json_pack("{s:b}", "additionalProperties", 0);
    json_t *value = json_object();
    char name[1000];
    memset(name, 'x', sizeof(name));
    name[0] = '\x1b';
    name[sizeof(name) - 1] = '\0';
    json_object_set_new(value, name, json_true());
    assert_false(json_schema_fits(schema, value, problem));
    assert_null(strchr(problem, '\x1b'));
    assert_true(strlen(problem) < JSON_SCHEMA_PROBLEM_SIZE);
    json_decref(schema);
    json_decref(value);
}

static void test_the_options_of_each_wire_are_understood(void **state) {
    static const char *const asking[] = {
        "{\"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"n\", "
        "\"schema\": {\"type\": \"object\"}}}}",
        "{\"text\": {\"format\": {\"type\": \"json_schema\", \"schema\": {\"type\": \"object\"}}}}",
        "{\"output_config\": {\"format\": {\"type\": \"json_schema\", \"schema\": {}}}}",
        "{\"output_format\": {\"type\": \"json_schema\", \"schema\": {}}}",
    };
    const json_t *schema;
    for (size_t i = 0; i < sizeof(asking) / sizeof(*asking); i++) {
        json_t *options = json_loads(asking[i], 0, NULL);
        assert_true(json_schema_is_asked_for(options, &schema));
        assert_true(json_is_object(schema));
        json_decref(options);
    }
    json_t *mode = json_loads("{\"response_format\": {\"type\": \"json_object\"}}", 0, NULL);
    assert_true(json_schema_is_asked_for(mode, &schema));
    assert_null(schema);
    json_decref(mode);
    json_t *plain = json_loads("{\"response_format\": {\"type\": \"text\"}, \"seed\": 1}", 0, NULL);
    assert_false(json_schema_is_asked_for(plain, &schema));
    assert_false(json_schema_is_asked_for(NULL, &schema));
    json_decref(plain);
}

static void test_text_must_be_json_first(void **state) {
    char problem[JSON_SCHEMA_PROBLEM_SIZE] = "";
    json_t *schema = json_pack("{s:s}", "type", "string");
    assert_true(json_schema_fits_text(NULL, slice_of(" {\"a\": 1} "), problem));
    assert_true(json_schema_fits_text(
        NULL, slice_of("{\"a\": \"\\ud800\", \"b\": 18446744073709551616}"), problem));
    assert_false(json_schema_fits_text(NULL, slice_of("[1]"), problem));
    assert_string_equal(problem, "the answer is no JSON object");
    assert_false(json_schema_fits_text(NULL, slice_of("{\"a\":"), problem));
    assert_string_equal(problem, "the answer is no JSON");
    assert_false(json_schema_fits_text(NULL, (struct slice){ 0 }, problem));
    assert_true(json_schema_fits_text(schema, slice_of("\"alone\""), problem));
    json_decref(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_value_fits_or_is_told_where_it_does_not),
        cmocka_unit_test(test_a_long_name_is_cut_and_control_characters_are_not_shown),
        cmocka_unit_test(test_the_options_of_each_wire_are_understood),
        cmocka_unit_test(test_text_must_be_json_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
