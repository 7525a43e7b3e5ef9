#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/providers/types.h"

static void test_each_type_is_found_by_its_name(void **state) {
    for (size_t i = 0; provider_types[i]; i++)
        assert_ptr_equal(provider_type_find(provider_types[i]->name), provider_types[i]);
    assert_null(provider_type_find("route"));
    assert_null(provider_type_find(""));
}

static void test_the_first_wire_is_the_default(void **state) {
    static const struct {
        const char *type;
        const char *api;
        const struct wire *wire;
    } rows[] = {
        { "openai", NULL, &wire_openai_responses },
        { "openai", "responses", &wire_openai_responses },
        { "openai", "chat", &wire_openai_chat },
        { "openai", "messages", NULL },
        { "anthropic", NULL, &wire_anthropic_messages },
        { "anthropic", "chat", NULL },
        { "xai", NULL, &wire_openai_chat },
        { "xai", "responses", &wire_openai_responses },
        { "openai-compatible", NULL, &wire_openai_chat },
        { "openai-compatible", "responses", &wire_openai_responses },
        { "sim", NULL, &wire_openai_chat },
        { "sim", "messages", &wire_anthropic_messages },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct provider_type *type = provider_type_find(rows[i].type);
        assert_ptr_equal(provider_type_wire(type, rows[i].api), rows[i].wire);
    }
}

static void test_words_and_wires_are_of_one_length(void **state) {
    for (size_t i = 0; provider_types[i]; i++) {
        const struct provider_type *type = provider_types[i];
        size_t wires = 0;
        size_t words = 0;
        while (type->wires[wires])
            wires++;
        while (type->apis && type->apis[words])
            words++;
        assert_true(wires == words || (wires == 1 && words == 0));
    }
}

static void test_a_type_with_a_key_is_asked_over_https(void **state) {
    for (size_t i = 0; provider_types[i]; i++) {
        const struct provider_type *type = provider_types[i];
        if (type->key_variable) assert_int_equal(strncmp(type->base_url, "https://", 8), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type_is_found_by_its_name),
        cmocka_unit_test(test_the_first_wire_is_the_default),
        cmocka_unit_test(test_words_and_wires_are_of_one_length),
        cmocka_unit_test(test_a_type_with_a_key_is_asked_over_https),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
