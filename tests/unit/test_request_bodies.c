/* The bodies that the wires write, and the lists of models that they read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/providers/wire.h"
#include "tests/unit/same_json.h"

static const struct dialect dialect = { .sends_stream_options = true, .finish_required = true };

static json_t *json(const char *text) {
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    return value;
}

static json_t *write(const struct wire *wire, const struct question *question) {
    struct bytes out;
    bytes_init(&out, 1 << 20);
    assert_true(wire->write_request(question, &dialect, &out));
    json_t *body = json_loadb(out.data, out.length, 0, NULL);
    assert_non_null(body);
    bytes_finish(&out);
    return body;
}

static void assert_body(const struct wire *wire, const struct question *question,
                        const char *expected) {
    assert_same_json(write(wire, question), expected);
}

static void test_each_wire_writes_its_body(void **state) {
    struct question question = { .model = "m/x:y;\"q\"",
                                 .prompt = { "hi \"é\"\n", 8 },
                                 .system = { "be brief", 8 } };
    assert_body(&wire_openai_chat, &question,
                "{\"model\":\"m/x:y;\\\"q\\\"\",\"stream\":true,\"stream_options\":"
                "{\"include_usage\":true},\"messages\":[{\"role\":\"system\",\"content\":"
                "\"be brief\"},{\"role\":\"user\",\"content\":\"hi \\\"é\\\"\\n\"}]}");
    assert_body(&wire_openai_responses, &question,
                "{\"model\":\"m/x:y;\\\"q\\\"\",\"stream\":true,\"store\":false,\"instructions\":"
                "\"be brief\",\"input\":\"hi \\\"é\\\"\\n\"}");
    assert_body(&wire_anthropic_messages, &question,
                "{\"model\":\"m/x:y;\\\"q\\\"\",\"stream\":true,\"max_tokens\":8192,\"system\":"
                "\"be brief\",\"messages\":[{\"role\":\"user\",\"content\":\"hi \\\"é\\\"\\n\"}]}");
}

static void test_without_a_system_text_none_is_sent(void **state) {
    struct question question = { .model = "m", .prompt = { "p", 1 } };
    assert_body(&wire_openai_responses, &question,
                "{\"model\":\"m\",\"stream\":true,\"store\":false,\"input\":\"p\"}");
}

static void test_a_background_response_is_stored(void **state) {
    struct question question = { .model = "m", .prompt = { "p", 1 }, .background = true };
    assert_body(
        &wire_openai_responses, &question,
        "{\"model\":\"m\",\"stream\":true,\"background\":true,\"store\":true,\"input\":\"p\"}");
}

static void test_options_win_but_stream_and_messages_are_ours(void **state) {
    json_t *options = json("{\"model\":\"other\",\"max_tokens\":5,\"stream\":false,\"messages\":[],"
                           "\"x\":{\"y\":[1]},\"stream_options\":null}");
    struct question question = { .model = "m", .prompt = { "p", 1 }, .options = options };
    assert_body(&wire_openai_chat, &question,
                "{\"model\":\"other\",\"max_tokens\":5,\"stream\":true,\"x\":{\"y\":[1]},"
                "\"messages\":[{\"role\":\"user\",\"content\":\"p\"}]}");
    assert_body(&wire_anthropic_messages, &question,
                "{\"model\":\"other\",\"max_tokens\":5,\"stream\":true,\"x\":{\"y\":[1]},"
                "\"messages\":[{\"role\":\"user\",\"content\":\"p\"}]}");
    json_decref(options);
}

static void test_a_body_past_the_maximum_is_told(void **state) {
    struct question question = { .model = "m", .prompt = { "0123456789", 10 } };
    struct bytes out;
    bytes_init(&out, 40);
    assert_false(wire_openai_chat.write_request(&question, &dialect, &out));
    bytes_finish(&out);
}

static void assert_models(const char *page, const char *names, const char *next) {
    struct bytes out;
    char *got_next = NULL;
    bytes_init(&out, 10000);
    assert_true(wire_openai_chat.read_models(slice_of(page), &out, &got_next));
    assert_string_equal(out.data ? out.data : "", names);
    if (next) assert_string_equal(got_next, next);
    if (!next) assert_null(got_next);
    free(got_next);
    bytes_finish(&out);
}

static void test_models_are_read_from_every_kind_of_list(void **state) {
    assert_models("{\"object\":\"list\",\"data\":[{\"id\":\"b\"},{\"id\":\"a/x:y\"}]}",
                  "b\na/x:y\n", NULL);
    assert_models("{\"data\":[{\"type\":\"model\",\"id\":\"c 1\"}],\"has_more\":true,\"last_id\":"
                  "\"c 1&\"}",
                  "c 1\n", "after_id=c%201%26&limit=1000");
    assert_models("{\"models\":[{\"name\":\"n\"},{\"model\":\"m\"},\"s\",{\"id\":\"bad\\nname\"}]}",
                  "n\nm\ns\n", NULL);
    assert_models("[{\"id\":\"x\"}]", "x\n", NULL);
    assert_models("{\"data\":[]}", "", NULL);
}

static void test_what_is_no_list_is_refused(void **state) {
    static const char *const pages[] = { "", "<html>", "{\"error\":\"no\"}", "{\"data\":{}}", "[" };
    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
        struct bytes out;
        char *next = NULL;
        bytes_init(&out, 100);
        assert_false(wire_openai_chat.read_models(slice_of(pages[i]), &out, &next));
        assert_null(next);
        bytes_finish(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_wire_writes_its_body),
        cmocka_unit_test(test_without_a_system_text_none_is_sent),
        cmocka_unit_test(test_a_background_response_is_stored),
        cmocka_unit_test(test_options_win_but_stream_and_messages_are_ours),
        cmocka_unit_test(test_a_body_past_the_maximum_is_told),
        cmocka_unit_test(test_models_are_read_from_every_kind_of_list),
        cmocka_unit_test(test_what_is_no_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
