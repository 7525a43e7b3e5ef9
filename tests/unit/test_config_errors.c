/* Every mistake in a configuration is named by file, path and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/config/config.h"

static const char *get_home(void *owner, const char *name) {
    return strcmp(name, "HOME") == 0 ? "/home/someone" : NULL;
}

/* {"providers": {"x": {"type": "openai", MEMBERS}}} */
static struct config *parse_members(const char *members, struct config_error *error) {
    struct bytes text;
    bytes_init(&text, 1 << 20);
    assert_true(bytes_printf(&text, "{\"providers\": {\"x\": {\"type\": \"openai\"%s%s}}}",
                             members[0] ? ", " : "", members));
    struct config *config = config_parse(bytes_slice(&text), "config.json", get_home, NULL, error);
    bytes_finish(&text);
    return config;
}

static void expect_error(struct config *config, const struct config_error *error,
                         const char *expected, const char *what) {
    if (config) fail_msg("%s was accepted", what);
    if (strncmp(error->text, expected, strlen(expected)) != 0)
        fail_msg("%s: expected '%s', got '%s'", what, expected, error->text);
}

struct row {
    const char *text;
    const char *error; /* how it begins */
};

static void test_a_wrong_member_is_named_with_what_was_expected(void **state) {
    static const struct row rows[] = {
        { "\"timeouts\": {\"conect\": 3}",
          "config.json: providers.x.timeouts.conect: unknown key; did you mean \"connect\"?" },
        { "\"timeouts\": {\"raed\": 3}",
          "config.json: providers.x.timeouts.raed: unknown key; did you mean \"read\"?" },
        { "\"timeouts\": {\"zebra\": 3}",
          "config.json: providers.x.timeouts.zebra: unknown key; expected one of \"connection\"" },
        { "\"modle\": \"m\"",
          "config.json: providers.x.modle: unknown key; did you mean \"model\"?" },
        { "\"max_attempts\": 3",
          "config.json: providers.x.max_attempts: unknown key; it belongs in \"retry\"" },
        { "\"retry\": {\"model\": 3}",
          "config.json: providers.x.retry.model: unknown key; it belongs directly under" },
        { "\"retry\": {\"timeouts\": 3}",
          "config.json: providers.x.retry.timeouts: unknown key; it belongs directly under" },
        { "\"retry\": {\"classes\": {\"rate_limt\": 3}}",
          "config.json: providers.x.retry.classes.rate_limt: unknown class to retry \"rate_limt\"; "
          "did you mean \"rate_limit\"?" },
        { "\"retry\": {\"classes\": {\"auth\": 3}}",
          "config.json: providers.x.retry.classes.auth: unknown class to retry \"auth\"" },
        { "\"retry\": {\"classes\": {\"server\": 0}}",
          "config.json: providers.x.retry.classes.server: expected attempts by error class" },
        { "\"retry\": {\"classes\": 3}",
          "config.json: providers.x.retry.classes: expected attempts by error class" },
        { "\"retry_budget\": {\"maximum\": 3}",
          "config.json: providers.x.retry_budget.maximum: unknown key" },
        { "\"breaker\": {\"failure_ratio\": 0}",
          "config.json: providers.x.breaker.failure_ratio: expected a part of all requests" },
        { "\"context_window\": 1.5",
          "config.json: providers.x.context_window: expected a whole number of tokens" },
        { "\"prefill\": \"prefx\"",
          "config.json: providers.x.prefill: unknown kind of prefill \"prefx\"; did you mean "
          "\"prefix\"?" },
        { "\"prefill\": \"prefix\"", "config.json: providers.x.prefill: only the API \"chat\"" },
        { "\"retry\": 3", "config.json: providers.x.retry: expected an object" },
        { "\"model\": 3", "config.json: providers.x.model: expected the name of a model; found 3" },
        { "\"model\": null",
          "config.json: providers.x.model: expected the name of a model; found null" },
        { "\"model\": \"\"",
          "config.json: providers.x.model: expected the name of a model; it is empty" },
        { "\"model\": \"a\\nb\"",
          "config.json: providers.x.model: expected the name of a model; it holds" },
        { "\"model\": \"a\\u0085b\"",
          "config.json: providers.x.model: expected the name of a model; it holds" },
        { "\"system\": []", "config.json: providers.x.system: expected text; found a list" },
        { "\"options\": \"x\"", "config.json: providers.x.options: expected an object" },
        { "\"type\": \"openai\"", "config.json:1:" }, // twice
        { "\"api\": \"chatt\"",
          "config.json: providers.x.api: expected \"responses\" or \"chat\"" },
        { "\"api\": true",
          "config.json: providers.x.api: expected the name of an API; found true" },
        { "\"recovery\": \"of\"", "config.json: providers.x.recovery: unknown way of recovery "
                                  "\"of\"; did you mean \"off\"?" },
        { "\"allow_http\": 1",
          "config.json: providers.x.allow_http: expected true or false; found 1" },
        { "\"ca_file\": \"/no/such/file.pem\"",
          "config.json: providers.x.ca_file: /no/such/file.pem cannot be read: No such file" },
        { "\"base_url\": \"host\"", "config.json: providers.x.base_url: expected a URL" },
        { "\"base_url\": \"http://example.com\"", "config.json: providers.x.base_url: plain http" },
        { "\"providers\": [\"y\"]",
          "config.json: providers.x.providers: only a provider of type \"route\"" },
        { "\"fallback_wait_max\": 3",
          "config.json: providers.x.fallback_wait_max: only a provider" },
        { "\"x\\u001b[31m\": 3", "config.json: providers.x.x?[31m: unknown key" },
        { "\"headers\": {\"Bad Name\": \"x\"}",
          "config.json: providers.x.headers.Bad Name: this is no name" },
        { "\"headers\": {\"X\": \"a\\r\\nb\"}",
          "config.json: providers.x.headers.X: expected text on one line" },
        { "\"headers\": {\"X\": 3}",
          "config.json: providers.x.headers.X: expected text on one line" },
        { "\"headers\": {\"Host\": \"x\"}",
          "config.json: providers.x.headers.Host: this header is set by askfs" },
        { "\"headers\": {\"content-length\": \"1\"}",
          "config.json: providers.x.headers.content-length: this header" },
        { "\"headers\": []", "config.json: providers.x.headers: expected an object" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config_error error = { "" };
        struct config *config = parse_members(rows[i].text, &error);
        expect_error(config, &error, rows[i].error, rows[i].text);
    }
}

static void test_numbers_out_of_their_limits_are_refused(void **state) {
    static const struct row rows[] = {
        { "\"retry\": {\"max_attempts\": 0}", "config.json: providers.x.retry.max_attempts: "
                                              "expected a whole number from 1 to 100; found 0" },
        { "\"retry\": {\"max_attempts\": 101}", "config.json: providers.x.retry.max_attempts" },
        { "\"retry\": {\"max_attempts\": 2.5}", "config.json: providers.x.retry.max_attempts" },
        { "\"retry\": {\"max_attempts\": \"3\"}",
          "config.json: providers.x.retry.max_attempts: expected a whole number from 1 to 100; "
          "found text" },
        { "\"retry\": {\"initial_delay\": -1}",
          "config.json: providers.x.retry.initial_delay: expected a number of seconds, 0 or more; "
          "found -1" },
        { "\"retry\": {\"initial_delay\": \"1s\"}",
          "config.json: providers.x.retry.initial_delay" },
        { "\"retry\": {\"backoff_factor\": 0.5}", "config.json: providers.x.retry.backoff_factor: "
                                                  "expected a number, 1 or more; found 0.5" },
        { "\"retry\": {\"max_delay\": 1e300}", "config.json: providers.x.retry.max_delay" },
        { "\"retry\": {\"max_reconnect_attempts\": -1}",
          "config.json: providers.x.retry.max_reconnect_attempts: expected a whole number from 0" },
        { "\"breaker\": {\"failure_threshold\": 65}",
          "config.json: providers.x.breaker.failure_threshold" },
        { "\"breaker\": {\"failure_threshold\": 0}",
          "config.json: providers.x.breaker.failure_threshold" },
        { "\"breaker\": {\"window\": 0}", "config.json: providers.x.breaker.window: expected a "
                                          "number of seconds above 0; found 0" },
        { "\"breaker\": {\"recovery_timeout\": 0}",
          "config.json: providers.x.breaker.recovery_timeout" },
        { "\"breaker\": {\"success_threshold\": 0}",
          "config.json: providers.x.breaker.success_threshold" },
        { "\"timeouts\": {\"connection\": 0}", "config.json: providers.x.timeouts.connection: "
                                               "expected a number of seconds above 0; found 0" },
        { "\"timeouts\": {\"total\": -0.1}",
          "config.json: providers.x.timeouts.total: expected a number of seconds, 0 or more (0: no "
          "limit); found -0.1" },
        { "\"max_prompt_bytes\": 0",
          "config.json: providers.x.max_prompt_bytes: expected a whole number from 1" },
        { "\"max_memory_per_response\": 65535",
          "config.json: providers.x.max_memory_per_response: expected a whole number from 65536 to "
          "17179869184; found 65535" },
        { "\"requests_kept\": 0", "config.json: providers.x.requests_kept" },
        { "\"max_in_flight\": 0", "config.json: providers.x.max_in_flight" },
        { "\"max_queued\": true", "config.json: providers.x.max_queued: expected a whole number "
                                  "from 0 to 1000000; found true" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config_error error = { "" };
        struct config *config = parse_members(rows[i].text, &error);
        expect_error(config, &error, rows[i].error, rows[i].text);
    }
}

static void test_a_key_in_the_file_is_refused_and_not_repeated(void **state) {
    static const struct row rows[] = {
        { "\"api_key\": \"sk-secret\"",
          "config.json: providers.x.api_key: a key may not stand in this file; expected" },
        { "\"api_key\": {\"env\": \"sk-secret\"}",
          "config.json: providers.x.api_key.env: expected the name of an env" },
        { "\"api_key\": {\"key\": \"sk-secret\"}",
          "config.json: providers.x.api_key.key: unknown key" },
        { "\"api_key\": {\"evn\": \"sk-secret\"}",
          "config.json: providers.x.api_key.evn: unknown key; did you mean \"env\"?" },
        { "\"api_key\": [\"sk-secret\"]", "config.json: providers.x.api_key: expected an object" },
        { "\"api_key\": {}", "config.json: providers.x.api_key: expected an object" },
        { "\"api_key\": {\"env\": \"A\", \"file\": \"sk-secret\"}",
          "config.json: providers.x.api_key: a key has one place" },
        { "\"api_key\": {\"command\": \"echo sk-secret\"}",
          "config.json: providers.x.api_key.command: expected a list" },
        { "\"api_key\": {\"command\": []}",
          "config.json: providers.x.api_key.command: expected a list" },
        { "\"api_key\": {\"command\": [\"\"]}",
          "config.json: providers.x.api_key.command: expected a list" },
        { "\"api_key\": {\"command\": [\"a\", 3]}",
          "config.json: providers.x.api_key.command: expected a list" },
        { "\"api_key\": {\"file\": \"\"}",
          "config.json: providers.x.api_key.file: expected the name of a file" },
        { "\"api_key\": {\"file\": \"~bob/secret\"}",
          "config.json: providers.x.api_key.file: only ~/ is understood" },
        { "\"api_key\": {\"credential\": \"../secret\"}",
          "config.json: providers.x.api_key.credential: expected" },
        { "\"api_key\": {\"credential\": \"..\"}",
          "config.json: providers.x.api_key.credential: expected" },
        { "\"base_url\": \"https://me:sk-secret@host\"",
          "config.json: providers.x.base_url: a user name or password" },
        { "\"max_queued\": \"sk-secret\"", "config.json: providers.x.max_queued: expected" },
        { "\"api_key\" \"sk-secret\"", "config.json:1:" },
        { "\"api_key\": \"sk-secret\" \"x\"", "config.json:1:" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config_error error = { "" };
        struct config *config = parse_members(rows[i].text, &error);
        expect_error(config, &error, rows[i].error, rows[i].text);
        assert_null(strstr(error.text, "secret"));
    }
}

static void test_a_wrong_document_is_refused(void **state) {
    static const struct row rows[] = {
        { "", "config.json:1:0: not JSON: '[' or '{' expected near end of file" },
        { "[]", "config.json: expected an object with \"providers\"" },
        { "{}", "config.json: providers: expected an object with a member" },
        { "{\"providers\": []}", "config.json: providers: expected an object" },
        { "{\"providers\": {}}", "config.json: providers: expected an object with a member" },
        { "{\"provider\": {}}", "config.json: provider: unknown key; did you mean \"providers\"?" },
        { "{\"timeouts\": {}}",
          "config.json: timeouts: unknown key; it belongs under \"defaults\"" },
        { "{\"max_attempts\": 3}",
          "config.json: max_attempts: unknown key; it belongs under \"defaults\"" },
        { "{\"defaults\": 3, \"providers\": {\"sim\": {\"type\": \"sim\"}}}",
          "config.json: defaults: expected an object" },
        { "{\"providers\": {\"sim\": 3}}", "config.json: providers.sim: expected an object" },
        { "{\"providers\": {\"sim\": {}}}",
          "config.json: providers.sim.type: missing; expected \"openai\"" },
        { "{\"providers\": {\"sim\": {\"type\": \"opnai\"}}}",
          "config.json: providers.sim.type: unknown type \"opnai\"; did you mean \"openai\"?" },
        { "{\"providers\": {\"sim\": {\"type\": \"rout\"}}}",
          "config.json: providers.sim.type: unknown type \"rout\"; did you mean \"route\"?" },
        { "{\"providers\": {\"sim\": {\"type\": 3}}}",
          "config.json: providers.sim.type: expected the name" },
        { "{\n  \"providers\": {\n    \"sim\": {\"type\": \"sim\",}\n  }\n}", "config.json:3:" },
        { "{\"a\": 1, \"a\": 2}", "config.json:1:12: not JSON: duplicate object key near '\"a\"'" },
        { "{\"providers\": {\"l\": {\"type\": \"openai-compatible\", \"model\": \"m\"}}}",
          "config.json: providers.l.base_url: missing" },
        { "{\"providers\": {\"l\": {\"type\": \"openai-compatible\", \"base_url\": "
          "\"http://localhost\"}}}",
          "config.json: providers.l.model: missing" },
        { "{\"providers\": {\"a\": {\"type\": \"anthropic\", \"api\": \"chat\"}}}",
          "config.json: providers.a.api: type \"anthropic\" has only one API" },
        { "{\"defaults\": {\"timeouts\": {\"read\": -1}}, \"providers\": {\"sim\": {\"type\": "
          "\"sim\"}}}",
          "config.json: defaults.timeouts.read: expected" },
        { "{\"defaults\": {\"api\": \"x\"}, \"providers\": {\"a\": {\"type\": \"openai\"}}}",
          "config.json: defaults.api: expected \"responses\" or \"chat\"" },
        { "{\"defaults\": {\"base_url\": \"x\"}, \"providers\": {\"a\": {\"type\": \"openai\"}}}",
          "config.json: defaults.base_url: expected a URL" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config_error error = { "" };
        struct config *config =
            config_parse(slice_of(rows[i].text), "config.json", get_home, NULL, &error);
        expect_error(config, &error, rows[i].error, rows[i].text);
    }
}

static void test_a_wrong_key_of_the_mount_is_named_with_what_was_expected(void **state) {
    static const struct row rows[] = {
        { "\"max_memory\": 1048575",
          "config.json: max_memory: expected a whole number from 1048576 to 17592186044416; found "
          "1048575" },
        { "\"max_memory\": \"1G\"", "config.json: max_memory: expected a whole number" },
        { "\"max_memory\": 2000000.5", "config.json: max_memory: expected a whole number" },
        { "\"max_spill_bytes\": -1", "config.json: max_spill_bytes: expected a whole number from 0 "
                                     "to 281474976710656; found -1" },
        { "\"max_spill_bytes\": null", "config.json: max_spill_bytes: expected a whole number" },
        { "\"spill_dir\": 3",
          "config.json: spill_dir: expected the name of a folder on a disk; found 3" },
        { "\"spill_dir\": \"\"", "config.json: spill_dir: expected the name of a folder" },
        { "\"spill_dir\": \"a\\nb\"", "config.json: spill_dir: expected the name of a folder" },
        { "\"spill_dir\": \"/no/such/folder\"",
          "config.json: spill_dir: /no/such/folder cannot be used: No such file or directory" },
        { "\"spill_dir\": \"/dev/null\"",
          "config.json: spill_dir: /dev/null cannot be used: Not a directory" },
        { "\"spill_dir\": \"~bob/x\"", "config.json: spill_dir: only ~/ is understood" },
        { "\"max_memroy\": 1",
          "config.json: max_memroy: unknown key; did you mean \"max_memory\"" },
        { "\"max_memory_per_response\": 1000000",
          "config.json: max_memory_per_response: unknown key; it belongs under \"defaults\"" },
        { "\"defaults\": {\"max_memory\": 2000000}",
          "config.json: defaults.max_memory: unknown key; it belongs at the top of the file" },
        { "\"defaults\": {\"retry\": {\"spill_dir\": \"/tmp\"}}",
          "config.json: defaults.retry.spill_dir: unknown key; it belongs at the top of the file" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512];
        struct config_error error = { "" };
        snprintf(text, sizeof(text), "{%s, \"providers\": {\"sim\": {\"type\": \"sim\"}}}",
                 rows[i].text);
        struct config *config = config_parse(slice_of(text), "config.json", get_home, NULL, &error);
        expect_error(config, &error, rows[i].error, rows[i].text);
    }
}

static void test_a_name_must_be_a_directory_of_the_mount(void **state) {
    static const char *const names[] = { "",       ".",        "..",        "a/b",
                                         "/",      "README",   "status",    "metrics",
                                         "events", "alerts",   "version",   "config.json",
                                         "a\\nb",  "a\\u007f", "\\u009b31m" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char text[256];
        struct config_error error = { "" };
        snprintf(text, sizeof(text), "{\"providers\": {\"%s\": {\"type\": \"sim\"}}}", names[i]);
        struct config *config = config_parse(slice_of(text), "config.json", get_home, NULL, &error);
        expect_error(config, &error, "config.json: providers", names[i]);
    }
}

static void test_a_route_must_lead_somewhere(void **state) {
    static const struct row rows[] = {
        { "\"any\": {\"type\": \"route\"}", "config.json: providers.any.providers: missing" },
        { "\"any\": {\"type\": \"route\", \"providers\": []}",
          "config.json: providers.any.providers: expected a list of names" },
        { "\"any\": {\"type\": \"route\", \"providers\": \"sim\"}",
          "config.json: providers.any.providers: expected a list of names" },
        { "\"any\": {\"type\": \"route\", \"providers\": [3]}",
          "config.json: providers.any.providers: expected a list of names" },
        { "\"any\": {\"type\": \"route\", \"providers\": [\"sima\"]}",
          "config.json: providers.any.providers: there is no provider \"sima\"; did you mean "
          "\"sim\"?" },
        { "\"any\": {\"type\": \"route\", \"providers\": [\"nobody\"]}",
          "config.json: providers.any.providers: there is no provider \"nobody\"; expected a "
          "name" },
        { "\"any\": {\"type\": \"route\", \"providers\": [\"any\"]}",
          "config.json: providers.any.providers: a route cannot ask itself" },
        { "\"any\": {\"type\": \"route\", \"providers\": [\"sim\", \"sim\"]}",
          "config.json: providers.any.providers: \"sim\" stands twice" },
        { "\"a\": {\"type\": \"route\", \"providers\": [\"sim\", \"b\"]}, "
          "\"b\": {\"type\": \"route\", \"providers\": [\"a\"]}",
          "config.json: providers.a.providers: this route leads back to itself" },
        { "\"any\": {\"type\": \"route\", \"providers\": [\"sim\"], \"model\": \"m\"}",
          "config.json: providers.any.model: a route has none of its own" },
        { "\"any\": {\"type\": \"route\", \"providers\": [\"sim\"], \"api_key\": {\"env\": \"A\"}}",
          "config.json: providers.any.api_key: a route has none of its own" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512];
        struct config_error error = { "" };
        snprintf(text, sizeof(text), "{\"providers\": {\"sim\": {\"type\": \"sim\"}, %s}}",
                 rows[i].text);
        struct config *config = config_parse(slice_of(text), "config.json", get_home, NULL, &error);
        expect_error(config, &error, rows[i].error, rows[i].text);
    }
}

static void test_an_error_is_one_line_and_fits_whatever_the_names(void **state) {
    char *text = malloc(20000);
    struct config_error error = { "" };
    char key[9000];
    memset(key, 'k', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    snprintf(text, 20000, "{\"providers\": {\"x\": {\"type\": \"openai\", \"a\\n%s\": 1}}}", key);
    struct config *config = config_parse(slice_of(text), "config.json", get_home, NULL, &error);
    expect_error(config, &error, "config.json: providers.x.a kkkk", "a long key");
    assert_null(strchr(error.text, '\n'));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wrong_member_is_named_with_what_was_expected),
        cmocka_unit_test(test_numbers_out_of_their_limits_are_refused),
        cmocka_unit_test(test_a_key_in_the_file_is_refused_and_not_repeated),
        cmocka_unit_test(test_a_wrong_document_is_refused),
        cmocka_unit_test(test_a_wrong_key_of_the_mount_is_named_with_what_was_expected),
        cmocka_unit_test(test_a_name_must_be_a_directory_of_the_mount),
        cmocka_unit_test(test_a_route_must_lead_somewhere),
        cmocka_unit_test(test_an_error_is_one_line_and_fits_whatever_the_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
