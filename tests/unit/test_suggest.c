#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/config/config.h"

static const char *const keys[] = { "connection", "connect",   "first_token",  "read",
                                    "total",      "max_delay", "max_attempts", NULL };

struct row {
    const char *word;
    const char *meant; /* NULL: nothing is near */
};

static void test_a_slip_of_the_fingers_is_recognised(void **state) {
    static const struct row rows[] = {
        { "conect", "connect" },
        { "conection", "connection" },
        { "raed", "read" },
        { "Read", "read" },
        { "totl", "total" },
        { "first-token", "first_token" },
        { "max_atempts", "max_attempts" },
        { "firsttoken", "first_token" },
        { "attempts", NULL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *near = config_suggest(rows[i].word, keys);
        if (!rows[i].meant) {
            assert_null(near);
            continue;
        }
        assert_non_null(near);
        assert_string_equal(near, rows[i].meant);
    }
}

static void test_the_beginning_of_a_word_is_enough(void **state) {
    assert_string_equal(config_suggest("first", keys), "first_token");
    assert_string_equal(config_suggest("conn", keys), "connection");
}

static void test_a_strange_word_gets_no_suggestion(void **state) {
    assert_null(config_suggest("zzz", keys));
    assert_null(config_suggest("", keys));
    assert_null(config_suggest("r", keys));
    assert_null(config_suggest("frobnicate", keys));
}

static void test_a_very_long_word_gets_no_suggestion(void **state) {
    char word[4096];
    for (size_t i = 0; i + 1 < sizeof(word); i++)
        word[i] = 'a';
    word[sizeof(word) - 1] = '\0';
    assert_null(config_suggest(word, keys));
}

static void test_the_nearest_wins_and_then_the_first(void **state) {
    static const char *const words[] = { "bat", "cat", "cart", NULL };
    assert_string_equal(config_suggest("cat", words), "cat");
    assert_string_equal(config_suggest("rat", words), "bat");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slip_of_the_fingers_is_recognised),
        cmocka_unit_test(test_the_beginning_of_a_word_is_enough),
        cmocka_unit_test(test_a_strange_word_gets_no_suggestion),
        cmocka_unit_test(test_a_very_long_word_gets_no_suggestion),
        cmocka_unit_test(test_the_nearest_wins_and_then_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
