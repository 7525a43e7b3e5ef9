#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/providers/turns.h"
#include "tests/unit/same_json.h"

enum { ROOM = 1 << 20 };

static const struct turns_style plain = { .has_system = false };
static const struct turns_style with_system = { .has_system = true };
static const struct turns_style trimming = { .trims_prefill = true };

static struct question ask(enum continuation continuation, const char *partial) {
    return (struct question){ .model = "m",
                              .prompt = slice_of("hi"),
                              .system = slice_of("be brief"),
                              .continuation = continuation,
                              .partial = slice_of(partial) };
}

static json_t *turns_of(const struct question *question, enum prefill_kind prefill,
                        const struct turns_style *style) {
    struct dialect dialect = { .prefill = prefill };
    struct bytes out;
    bytes_init(&out, ROOM);
    assert_true(turns_write(&out, question, &dialect, style));
    json_t *turns = json_loadb(out.data, out.length, JSON_ALLOW_NUL, NULL);
    assert_non_null(turns);
    bytes_finish(&out);
    return turns;
}

#define USER "{\"role\":\"user\",\"content\":\"hi\"}"
#define SYSTEM "{\"role\":\"system\",\"content\":\"be brief\"}"
#define ASSISTANT(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"

static void test_a_prompt_alone_is_the_users_turn(void **state) {
    struct question question = ask(CONTINUATION_NONE, "not looked at");
    assert_same_json(turns_of(&question, PREFILL_PLAIN, &plain), "[" USER "]");
}

static void test_the_system_text_comes_first_where_the_api_has_it_there(void **state) {
    struct question question = ask(CONTINUATION_NONE, "");
    assert_same_json(turns_of(&question, PREFILL_PLAIN, &with_system), "[" SYSTEM "," USER "]");
    question.system = slice_of("");
    assert_same_json(turns_of(&question, PREFILL_PLAIN, &with_system), "[" USER "]");
}

static void test_a_prefill_is_the_last_turn_byte_for_byte(void **state) {
    struct question question = ask(CONTINUATION_PREFILL, "Half a \"line\"\n\té");
    assert_same_json(turns_of(&question, PREFILL_PLAIN, &with_system),
                     "[" SYSTEM "," USER "," ASSISTANT("Half a \\\"line\\\"\\n\\té") "]");
    assert_same_json(turns_of(&question, PREFILL_CONTINUE_FINAL, &plain),
                     "[" USER "," ASSISTANT("Half a \\\"line\\\"\\n\\té") "]");
}

static void test_a_prefill_says_that_it_is_one_where_the_server_wants_that(void **state) {
    struct question question = ask(CONTINUATION_PREFILL, "Half ");
    assert_same_json(turns_of(&question, PREFILL_PREFIX, &plain),
                     "[" USER ",{\"role\":\"assistant\",\"content\":\"Half \",\"prefix\":true}]");
}

static void test_white_space_ends_a_prefill_only_where_it_may(void **state) {
    struct question question = ask(CONTINUATION_PREFILL, " Half \r\n\t ");
    assert_same_json(turns_of(&question, PREFILL_PLAIN, &plain),
                     "[" USER "," ASSISTANT(" Half \\r\\n\\t ") "]");
    assert_same_json(turns_of(&question, PREFILL_PLAIN, &trimming),
                     "[" USER "," ASSISTANT(" Half") "]");
    question.partial = slice_of(" \n ");
    assert_same_json(turns_of(&question, PREFILL_PLAIN, &trimming), "[" USER "," ASSISTANT("") "]");
}

static void test_a_prefill_keeps_every_byte_of_any_text(void **state) {
    char text[] = "a\0b\x01\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80";
    struct question question = ask(CONTINUATION_PREFILL, "");
    question.partial = (struct slice){ text, sizeof(text) - 1 };
    json_t *turns = turns_of(&question, PREFILL_PLAIN, &plain);
    json_t *content = json_object_get(json_array_get(turns, 1), "content");
    assert_int_equal(json_string_length(content), sizeof(text) - 1);
    assert_memory_equal(json_string_value(content), text, sizeof(text) - 1);
    json_decref(turns);
}

static void test_to_continue_the_user_speaks_last_and_the_text_is_shown_whole(void **state) {
    struct question question = ask(CONTINUATION_INSTRUCTED, "Half a line \n");
    json_t *turns = turns_of(&question, PREFILL_PREFIX, &trimming);
    assert_int_equal(json_array_size(turns), 3);
    json_t *shown = json_array_get(turns, 1);
    assert_string_equal(json_string_value(json_object_get(shown, "content")), "Half a line \n");
    assert_null(json_object_get(shown, "prefix"));
    json_t *last = json_array_get(turns, 2);
    assert_string_equal(json_string_value(json_object_get(last, "role")), "user");
    assert_true(json_string_length(json_object_get(last, "content")) > 0);
    json_decref(turns);
}

static void test_roles_alternate_whatever_the_way(void **state) {
    static const enum continuation ways[] = { CONTINUATION_NONE, CONTINUATION_PREFILL,
                                              CONTINUATION_INSTRUCTED };
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        struct question question = ask(ways[i], "Half");
        json_t *turns = turns_of(&question, PREFILL_PLAIN, &plain);
        for (size_t j = 0; j < json_array_size(turns); j++)
            assert_string_equal(
                json_string_value(json_object_get(json_array_get(turns, j), "role")),
                j % 2 ? "assistant" : "user");
        json_decref(turns);
    }
}

static void test_too_little_room_is_said_whatever_is_missing(void **state) {
    struct dialect dialect = { .prefill = PREFILL_PREFIX };
    struct question question = ask(CONTINUATION_INSTRUCTED, "Half");
    struct bytes out;
    bytes_init(&out, ROOM);
    assert_true(turns_write(&out, &question, &dialect, &with_system));
    size_t needed = out.length;
    bytes_finish(&out);
    for (size_t room = 0; room <= needed; room++) {
        bytes_init(&out, room);
        assert_int_equal(turns_write(&out, &question, &dialect, &with_system), room == needed);
        bytes_finish(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_prompt_alone_is_the_users_turn),
        cmocka_unit_test(test_the_system_text_comes_first_where_the_api_has_it_there),
        cmocka_unit_test(test_a_prefill_is_the_last_turn_byte_for_byte),
        cmocka_unit_test(test_a_prefill_says_that_it_is_one_where_the_server_wants_that),
        cmocka_unit_test(test_white_space_ends_a_prefill_only_where_it_may),
        cmocka_unit_test(test_a_prefill_keeps_every_byte_of_any_text),
        cmocka_unit_test(test_to_continue_the_user_speaks_last_and_the_text_is_shown_whole),
        cmocka_unit_test(test_roles_alternate_whatever_the_way),
        cmocka_unit_test(test_too_little_room_is_said_whatever_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
