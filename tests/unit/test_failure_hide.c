#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/policy/failure_hide.h"

static void assert_hidden(const char *text, const char *expected) {
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", text);
    failure_hide_keys(copy);
    assert_string_equal(copy, expected);
}

static void test_what_begins_like_a_key_is_hidden(void **state) {
    static const struct {
        const char *text;
        const char *shown;
    } rows[] = {
        { "Incorrect API key provided: sk-abc123. See",
          "Incorrect API key provided: ********** See" },
        { "key sk-proj-A_b-9, no", "key sk-**********, no" },
        { "Bearer abc.DEF-123 is old", "Bearer *********** is old" },
        { "bearer abc", "bearer ***" },
        { "xai-12ab", "xai-****" },
        { "(AIzaSyA1)", "(AIza****)" },
        { "url?q=gsk_12ab&x", "url?q=gsk_****&x" },
        { "a/sk-ab", "a/sk-**" },
        { "hf_abc nvapi-x pplx-y csk-z r8_q fw_w pk-e sk_r",
          "hf_*** nvapi-* pplx-* csk-* r8_* fw_* "
          "pk-* sk_*" },
        { "sk-", "sk-" },
        { "the task-list and ask-me", "the task-list and ask-me" },
        { "", "" },
        { "sk-12\xc3\xa9", "sk-**\xc3\xa9" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_hidden(rows[i].text, rows[i].shown);
}

static void test_what_stands_behind_the_name_of_a_secret_is_hidden(void **state) {
    static const struct {
        const char *text;
        const char *shown;
    } rows[] = {
        { "Incorrect API key provided: abcd1234", "Incorrect API key provided: ********" },
        { "invalid api_key=\"abcd1234\"", "invalid api_key=\"********\"" },
        { "x-api-key: 'a1b2c3d4e5'", "x-api-key: '**********'" },
        { "access token: `a1b2c3d4`", "access token: `********`" },
        { "Secret=a1b2c3d4", "Secret=********" },
        { "authorization: a1b2c3d4", "authorization: ********" },
        { "key: abc****wxyz", "key: ***********" },
        { "key: a12345678", "key: *********" },
        { "key: 12345678a", "key: *********" },
        { "a colon after many other words: abcd1234 key",
          "a colon after many other words: abcd1234 key" },
        { "key: abcd123", "key: abcd123" }, // too short for one
        { "max tokens: 12345678", "max tokens: 12345678" },
        { "tokens: unlimited", "tokens: unlimited" },
        { "model: gpt-4o-2024-08-06", "model: gpt-4o-2024-08-06" },
        { "the key is long past, far behind us here: gpt-4o-2024",
          "the key is long past, far behind "
          "us here: gpt-4o-2024" },
        { "key:", "key:" },
        { ":abcd1234", ":abcd1234" },
        { "=abcd1234", "=abcd1234" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_hidden(rows[i].text, rows[i].shown);
}

static void assert_secret(const char *text, const char *secret, const char *expected) {
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", text);
    failure_hide_text(copy, slice_of(secret));
    assert_string_equal(copy, expected);
}

static void test_this_very_secret_is_hidden_wherever_it_is(void **state) {
    assert_secret("a hunter22 and hunter22.", "hunter22", "a ******** and ********.");
    assert_secret("hunter22", "hunter22", "********");
    assert_secret("hunter2 is none", "hunter22", "hunter2 is none");
    assert_secret("no", "hunter22", "no");
    assert_secret("", "hunter22", "");
    assert_secret("hhunter22", "hunter22", "h********");
}

static void test_its_beginning_is_hidden_where_the_text_was_cut(void **state) {
    assert_secret("key hunter2", "hunter22", "key *******");
    assert_secret("key hunt", "hunter22", "key ****");
    assert_secret("key hun", "hunter22", "key hun");
}

static void test_short_secrets_would_hide_too_much(void **state) {
    assert_secret("a cat, a bat", "cat", "a cat, a bat");
    assert_secret("a cat, a bats", "bats", "a cat, a ****");
    assert_secret("text", "", "text");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_begins_like_a_key_is_hidden),
        cmocka_unit_test(test_what_stands_behind_the_name_of_a_secret_is_hidden),
        cmocka_unit_test(test_this_very_secret_is_hidden_wherever_it_is),
        cmocka_unit_test(test_its_beginning_is_hidden_where_the_text_was_cut),
        cmocka_unit_test(test_short_secrets_would_hide_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
