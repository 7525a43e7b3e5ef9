#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/config/url.h"

struct row {
    const char *url;
    const char *base;
};

static void test_a_base_url_is_accepted_however_it_ends(void **state) {
    static const struct row rows[] = {
        { "https://api.openai.com", "https://api.openai.com/v1" },
        { "https://api.openai.com/", "https://api.openai.com/v1" },
        { "https://api.openai.com/v1", "https://api.openai.com/v1" },
        { "https://api.openai.com/v1/", "https://api.openai.com/v1" },
        { "https://api.openai.com/v1///", "https://api.openai.com/v1" },
        { "HTTPS://Host:8443", "https://Host:8443/v1" },
        { "https://host/api", "https://host/api/v1" },
        { "https://host/api/v1/", "https://host/api/v1" },
        { "https://generativelanguage.googleapis.com/v1beta/openai",
          "https://generativelanguage.googleapis.com/v1beta/openai" },
        { "https://generativelanguage.googleapis.com/v1beta/openai/",
          "https://generativelanguage.googleapis.com/v1beta/openai" },
        { "https://api.z.ai/api/paas/v4", "https://api.z.ai/api/paas/v4" },
        { "https://host/v1.1", "https://host/v1.1" },
        { "https://host/v2alpha1", "https://host/v2alpha1" },
        { "https://host/vllm", "https://host/vllm/v1" },
        { "https://host/v", "https://host/v/v1" },
        { "https://host/v1x", "https://host/v1x/v1" },
        { "https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1" },
        { "https://api.openai.com/v1/responses/", "https://api.openai.com/v1" },
        { "https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1" },
        { "https://models.github.ai/inference/chat/completions",
          "https://models.github.ai/inference" },
        { "http://localhost:11434", "http://localhost:11434/v1" },
        { "http://LOCALHOST/v1", "http://LOCALHOST/v1" },
        { "http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1" },
        { "http://127.1.2.3", "http://127.1.2.3/v1" },
        { "http://[::1]:8080", "http://[::1]:8080/v1" },
        { "https://[2001:db8::1]/v1", "https://[2001:db8::1]/v1" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *problem = NULL;
        char *base = url_base(rows[i].url, false, &problem);
        if (!base) fail_msg("%s: %s", rows[i].url, problem);
        assert_string_equal(base, rows[i].base);
        free(base);
    }
}

static void test_the_result_is_its_own_base(void **state) {
    static const char *const urls[] = { "https://a", "https://a/b/v1/",
                                        "http://127.0.0.1:1/v1beta/x/" };
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        const char *problem;
        char *once = url_base(urls[i], false, &problem);
        char *twice = url_base(once, false, &problem);
        assert_string_equal(once, twice);
        free(once);
        free(twice);
    }
}

static void test_what_is_no_base_url_is_refused_with_a_word_of_advice(void **state) {
    static const struct {
        const char *url;
        const char *advice;
    } rows[] = {
        { "", "https://" },
        { "api.openai.com", "https://" },
        { "ftp://host/v1", "https://" },
        { "localhost:8080", "https://" },
        { "https://", "https://HOST" },
        { "https:///v1", "https://HOST" },
        { "https://host:port", "https://HOST" },
        { "https://host:0", "https://HOST" },
        { "https://host:65536", "https://HOST" },
        { "https://host:", "https://HOST" },
        { "https://[::1", "https://HOST" },
        { "https://[::zz]", "https://HOST" },
        { "https://[::1]x", "https://HOST" },
        { "https://ho[st", "https://HOST" },
        { "https://:80", "https://HOST" },
        { "https://.host", "https://HOST" },
        { "https://user:secret@host/v1", "api_key" },
        { "https://secret@host", "api_key" },
        { "https://host/v1?api-version=2024", "Azure" },
        { "https://host?key=secret", "query" },
        { "https://host/v1#top", "fragment" },
        { "https://ho st/v1", "character" },
        { "https://host\\v1", "character" },
        { "https://host/\n", "character" },
        { "https://h\xc3\xb6st/", "character" },
        { "http://host/v1", "allow_http" },
        { "http://127.0.0.1.evil.example", "allow_http" },
        { "http://localhost.evil.example", "allow_http" },
        { "http://0.0.0.0", "allow_http" },
        { "http://127.1", "allow_http" },
        { "http://2130706433", "allow_http" },
        { "http://[::2]", "allow_http" },
        { "http://[::ffff:127.0.0.1]", "allow_http" },
        { "http://192.168.1.5:8080", "allow_http" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *problem = NULL;
        char *base = url_base(rows[i].url, false, &problem);
        if (base) fail_msg("%s was accepted as %s", rows[i].url, base);
        assert_non_null(problem);
        if (!strstr(problem, rows[i].advice)) fail_msg("%s: %s", rows[i].url, problem);
        assert_null(strstr(problem, "secret"));
    }
}

static void test_plain_http_elsewhere_needs_leave(void **state) {
    const char *problem;
    char *base = url_base("http://192.168.1.5:8080", true, &problem);
    assert_string_equal(base, "http://192.168.1.5:8080/v1");
    free(base);
}

static void test_hosts_are_the_same_with_any_path_and_differ_by_port_and_scheme(void **state) {
    assert_true(url_same_host("https://host/v1", "https://HOST/other"));
    assert_true(url_same_host("https://host", "https://host/v1"));
    assert_false(url_same_host("https://host/v1", "https://host.evil/v1"));
    assert_false(url_same_host("https://host/v1", "https://host:444/v1"));
    assert_false(url_same_host("https://host/v1", "http://host/v1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_base_url_is_accepted_however_it_ends),
        cmocka_unit_test(test_the_result_is_its_own_base),
        cmocka_unit_test(test_what_is_no_base_url_is_refused_with_a_word_of_advice),
        cmocka_unit_test(test_plain_http_elsewhere_needs_leave),
        cmocka_unit_test(test_hosts_are_the_same_with_any_path_and_differ_by_port_and_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
