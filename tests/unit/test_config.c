#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/config/config.h"

/* NAME, VALUE pairs, NULL-ended. */
static const char *get_variable(void *owner, const char *name) {
    const char *const *pairs = owner;
    for (; pairs && pairs[0]; pairs += 2)
        if (strcmp(pairs[0], name) == 0) return pairs[1];
    return NULL;
}

static struct config *parse(const char *text) {
    static const char *const home[] = { "HOME", "/home/someone", NULL };
    struct config_error error = { "" };
    struct config *config =
        config_parse(slice_of(text), "/etc/askfs/config.json", get_variable, (void *)home, &error);
    if (!config) fail_msg("%s: %s", text, error.text);
    return config;
}

static const struct provider_config *find(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->provider_count; i++)
        if (strcmp(config->providers[i].name, name) == 0) return &config->providers[i];
    fail_msg("no provider %s", name);
    return NULL;
}

static const char everything[] =
    "{\"defaults\": {"
    " \"retry\": {\"max_attempts\": 4, \"initial_delay\": 0.25, \"backoff_factor\": 3,"
    "  \"max_delay\": 20, \"max_retry_after\": 90.5, \"max_reconnect_attempts\": 7},"
    " \"breaker\": {\"failure_threshold\": 6, \"window\": 61, \"recovery_timeout\": 62, "
    "\"success_threshold\": 3},"
    " \"timeouts\": {\"connection\": 1.1, \"first_token\": 0, \"read\": 12, \"total\": 600},"
    " \"recovery\": \"exact\", \"headers\": {\"X-A\": \"1\", \"X-B\": \"2\"},"
    " \"options\": {\"temperature\": 0, \"seed\": 1}, \"system\": \"Be brief.\\n\"},"
    "\"providers\": {"
    " \"openai\": {\"type\": \"openai\", \"api\": \"chat\", \"model\": \"vendor/name:tag;a=b\","
    "  \"api_key\": {\"env\": \"MY_KEY\"}, \"timeouts\": {\"read\": 13}, \"headers\": {\"x-b\": "
    "\"3\"},"
    "  \"options\": {\"seed\": 2}, \"retry\": {\"max_attempts\": 5}, \"recovery\": \"off\"},"
    " \"claude\": {\"type\": \"anthropic\", \"api_key\": {\"file\": \"~/.keys/anthropic\"}},"
    " \"xai\": {\"type\": \"xai\", \"model\": \"grok-4\", \"api_key\": {\"command\": [\"pass\", "
    "\"xai\"]}},"
    " \"unit\": {\"type\": \"xai\", \"model\": \"m\", \"api_key\": {\"credential\": \"xai\"}},"
    " \"my box\": {\"type\": \"openai-compatible\", \"base_url\": \"http://127.0.0.1:8080\", "
    "\"model\": \"default\"},"
    " \"sim\": {\"type\": \"sim\"},"
    " \"any\": {\"type\": \"route\", \"providers\": [\"claude\", \"openai\"], "
    "\"fallback_wait_max\": 2}}}";

static void test_a_provider_has_defaults_where_nothing_is_said(void **state) {
    struct config *config =
        parse("{\"providers\": {\"o\": {\"type\": \"openai\", \"model\": \"m\"}}}");
    const struct provider_config *o = find(config, "o");
    assert_int_equal(o->retry.max_attempts, 3);
    assert_int_equal(o->retry.initial_delay_ns, TIME_S / 2);
    assert_true(o->retry.backoff_factor == 2.0);
    assert_int_equal(o->retry.max_delay_ns, 30 * TIME_S);
    assert_int_equal(o->retry.max_retry_after_ns, 60 * TIME_S);
    assert_int_equal(o->retry.max_reconnect_attempts, 3);
    assert_int_equal(o->breaker.failure_threshold, 5);
    assert_int_equal(o->breaker.window_ns, 60 * TIME_S);
    assert_int_equal(o->breaker.recovery_timeout_ns, 60 * TIME_S);
    assert_int_equal(o->breaker.success_threshold, 2);
    assert_true(o->breaker.probe_lease_ns > o->timeouts.first_token_ns);
    assert_int_equal(o->timeouts.connection_ns, 30 * TIME_S);
    assert_int_equal(o->timeouts.first_token_ns, 120 * TIME_S);
    assert_int_equal(o->timeouts.read_ns, 300 * TIME_S);
    assert_int_equal(o->timeouts.total_ns, 0);
    assert_int_equal(o->recovery, RECOVERY_POLICY_AUTO);
    assert_int_equal(o->max_prompt_bytes, 16 << 20);
    assert_int_equal(o->max_memory_per_response, 1 << 20);
    assert_int_equal(o->requests_kept, 256);
    assert_string_equal(o->system, "");
    assert_string_equal(o->base_url, "https://api.openai.com/v1");
    assert_ptr_equal(o->wire, provider_type_find("openai")->wires[0]);
    config_destroy(config);
}

static void test_a_provider_wins_over_defaults_key_by_key(void **state) {
    struct config *config = parse(everything);
    const struct provider_config *o = find(config, "openai");
    assert_int_equal(o->retry.max_attempts, 5);
    assert_int_equal(o->retry.initial_delay_ns, TIME_S / 4);
    assert_int_equal(o->timeouts.read_ns, 13 * TIME_S);
    assert_int_equal(o->timeouts.connection_ns, 1100 * TIME_MS);
    assert_int_equal(o->timeouts.first_token_ns, 0);
    assert_int_equal(o->breaker.failure_threshold, 6);
    assert_int_equal(o->recovery, RECOVERY_POLICY_OFF);
    assert_string_equal(o->system, "Be brief.\n");
    assert_string_equal(o->headers[0], "X-A: 1");
    assert_string_equal(o->headers[1], "x-b: 3");
    assert_null(o->headers[2]);
    assert_int_equal(json_integer_value(json_object_get(o->options, "seed")), 2);
    assert_int_equal(json_object_size(o->options), 2);
    const struct provider_config *claude = find(config, "claude");
    assert_int_equal(claude->retry.max_attempts, 4);
    assert_int_equal(claude->recovery, RECOVERY_POLICY_EXACT);
    assert_int_equal(json_integer_value(json_object_get(claude->options, "seed")), 1);
    assert_string_equal(claude->headers[1], "X-B: 2");
    config_destroy(config);
}

static void test_policies_are_set_by_class_and_by_kind(void **state) {
    struct config *config =
        parse("{\"defaults\": {\"retry\": {\"classes\": {\"server\": 2, \"rate_limit\": 6}},"
              "  \"prefill\": \"prefix\"},"
              " \"providers\": {"
              "  \"a\": {\"type\": \"openai-compatible\", \"base_url\": \"http://127.0.0.1:1\","
              "   \"model\": \"m\", \"retry\": {\"classes\": {\"server\": 1}},"
              "   \"retry_budget\": {\"ratio\": 0.1, \"per_second\": 2, \"max\": 0},"
              "   \"breaker\": {\"failure_ratio\": 0.25, \"minimum_requests\": 10},"
              "   \"context_window\": 128000},"
              "  \"b\": {\"type\": \"anthropic\"}}}");
    const struct provider_config *a = find(config, "a");
    assert_int_equal(retry_attempts_of(&a->retry, FAILURE_SERVER), 1);
    assert_int_equal(retry_attempts_of(&a->retry, FAILURE_RATE_LIMIT), 6);
    assert_int_equal(retry_attempts_of(&a->retry, FAILURE_NETWORK), 3);
    assert_true(a->retry_budget.ratio == 0.1);
    assert_true(a->retry_budget.per_second == 2);
    assert_true(a->retry_budget.tokens_max == 0);
    assert_true(a->breaker.ratio == 0.25);
    assert_int_equal(a->breaker.ratio_outcomes_min, 10);
    assert_int_equal(a->context_window, 128000);
    assert_int_equal(a->dialect.prefill, PREFILL_PREFIX);
    const struct provider_config *b = find(config, "b");
    assert_int_equal(b->dialect.prefill, PREFILL_PLAIN); // its API has no other
    assert_int_equal(retry_attempts_of(&b->retry, FAILURE_SERVER), 2);
    assert_true(b->retry_budget.tokens_max == 20);
    assert_true(b->breaker.ratio == 0.5);
    config_destroy(config);
}

static void test_types_apis_models_and_addresses_are_found(void **state) {
    struct config *config = parse(everything);
    const struct provider_config *o = find(config, "openai");
    assert_ptr_equal(o->wire, provider_type_wire(o->type, "chat"));
    assert_string_equal(o->model, "vendor/name:tag;a=b");
    assert_string_equal(find(config, "my box")->base_url, "http://127.0.0.1:8080/v1");
    assert_null(find(config, "sim")->base_url);
    assert_string_equal(find(config, "claude")->base_url, "https://api.anthropic.com/v1");
    assert_string_equal(find(config, "claude")->model,
                        provider_type_find("anthropic")->default_model);
    assert_string_equal(config->file, "/etc/askfs/config.json");
    config_destroy(config);
}

static void test_each_place_of_a_key_is_kept(void **state) {
    struct config *config = parse(everything);
    const struct key_config *key = &find(config, "openai")->key;
    assert_int_equal(key->source, KEY_ENV);
    assert_string_equal(key->name, "MY_KEY");
    key = &find(config, "claude")->key;
    assert_int_equal(key->source, KEY_FILE);
    assert_string_equal(key->name, "/home/someone/.keys/anthropic");
    key = &find(config, "xai")->key;
    assert_int_equal(key->source, KEY_COMMAND);
    assert_string_equal(key->command[0], "pass");
    assert_string_equal(key->command[1], "xai");
    assert_null(key->command[2]);
    assert_int_equal(find(config, "unit")->key.source, KEY_CREDENTIAL);
    assert_int_equal(find(config, "my box")->key.source, KEY_NONE);
    config_destroy(config);
}

static void test_what_the_mount_may_use_stands_at_the_top(void **state) {
    struct config *config = parse("{\"providers\": {\"sim\": {\"type\": \"sim\"}}}");
    assert_int_equal(config->max_memory, 256 << 20);
    assert_int_equal(config->max_spill_bytes, INT64_C(8) << 30);
    assert_null(config->spill_dir);
    config_destroy(config);
    config = parse("{\"max_memory\": 5000000, \"max_spill_bytes\": 0, \"spill_dir\": \"/tmp\","
                   " \"defaults\": {\"max_memory_per_response\": 100000},"
                   " \"providers\": {\"sim\": {\"type\": \"sim\"}}}");
    assert_int_equal(config->max_memory, 5000000);
    assert_int_equal(config->max_spill_bytes, 0);
    assert_string_equal(config->spill_dir, "/tmp");
    assert_int_equal(find(config, "sim")->max_memory_per_response, 100000);
    char *shown = json_dumps(config->shown, JSON_INDENT(2));
    struct config *again = parse(shown);
    assert_int_equal(again->max_memory, 5000000);
    assert_string_equal(again->spill_dir, "/tmp");
    assert_true(json_equal(config->shown, again->shown));
    free(shown);
    config_destroy(again);
    config_destroy(config);
}

static void test_relative_files_begin_at_the_configuration(void **state) {
    struct config *config = parse("{\"providers\": {\"o\": {\"type\": \"openai\", \"model\": \"m\","
                                  " \"api_key\": {\"file\": \"keys/o\"}}}}");
    assert_string_equal(find(config, "o")->key.name, "/etc/askfs/keys/o");
    config_destroy(config);
}

static void test_the_usual_variable_goes_to_the_usual_host_only(void **state) {
    struct config *config = parse(
        "{\"providers\": {\"a\": {\"type\": \"openai\", \"model\": \"m\"},"
        " \"b\": {\"type\": \"openai\", \"model\": \"m\", \"base_url\": "
        "\"https://api.openai.com\"},"
        " \"c\": {\"type\": \"openai\", \"model\": \"m\", \"base_url\": \"https://proxy.example\"},"
        " \"d\": {\"type\": \"openai\", \"model\": \"m\", \"base_url\": "
        "\"https://api.openai.com.example\"}}}");
    assert_string_equal(find(config, "a")->key.name, "OPENAI_API_KEY");
    assert_string_equal(find(config, "b")->key.name, "OPENAI_API_KEY");
    assert_int_equal(find(config, "c")->key.source, KEY_NONE);
    assert_int_equal(find(config, "d")->key.source, KEY_NONE);
    config_destroy(config);
}

static void test_a_route_names_its_providers_and_nothing_of_a_server(void **state) {
    struct config *config = parse("{\"defaults\": {\"model\": \"m\", \"base_url\": \"https://h\", "
                                  "\"api_key\": {\"env\": \"A\"},"
                                  "  \"headers\": {\"X\": \"1\"}, \"api\": \"chat\"},"
                                  " \"providers\": {\"sim\": {\"type\": \"sim\"}, \"two\": "
                                  "{\"type\": \"route\", \"providers\": [\"one\"]},"
                                  "  \"one\": {\"type\": \"route\", \"providers\": [\"sim\"]}}}");
    const struct provider_config *one = find(config, "one");
    assert_true(config_is_route(one));
    assert_false(config_is_route(find(config, "sim")));
    assert_string_equal(one->type->name, "route");
    assert_string_equal(one->route[0], "sim");
    assert_null(one->route[1]);
    assert_null(one->wire);
    assert_null(one->base_url);
    assert_null(one->headers);
    assert_string_equal(one->model, "");
    assert_int_equal(one->key.source, KEY_NONE);
    assert_int_equal(one->fallback_wait_max_ns, 5 * TIME_S);
    config_destroy(config);
}

static void test_connect_is_another_word_for_connection(void **state) {
    struct config *config =
        parse("{\"providers\": {\"sim\": {\"type\": \"sim\", \"timeouts\": {\"connect\": 2}}}}");
    assert_int_equal(find(config, "sim")->timeouts.connection_ns, 2 * TIME_S);
    config_destroy(config);
}

static void test_a_byte_order_mark_is_no_mistake(void **state) {
    config_destroy(parse("\xef\xbb\xbf{\"providers\": {\"sim\": {\"type\": \"sim\"}}}"));
}

static void test_what_is_shown_is_a_configuration_that_says_the_same(void **state) {
    struct config *config = parse(everything);
    char *shown = json_dumps(config->shown, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    struct config *again = parse(shown);
    assert_true(json_equal(config->shown, again->shown));
    assert_true(json_object_size(json_object_get(config->shown, "providers")) == 7);
    assert_non_null(strstr(shown, "\"connection\": 1.1,"));
    assert_non_null(strstr(shown, "\"env\": \"MY_KEY\""));
    assert_null(strstr(shown, "\"connect\""));
    free(shown);
    config_destroy(config);
    config_destroy(again);
}

static void test_no_secret_is_shown(void **state) {
    struct config *config = parse("{\"providers\": {\"sim\": {\"type\": \"sim\","
                                  " \"headers\": {\"Authorization\": \"Bearer SECRET\", "
                                  "\"X-Api-Key\": \"SECRET\", \"Cookie\": \"SECRET\","
                                  "  \"X-Auth-Token\": \"SECRET\", \"X-Title\": \"public\"},"
                                  " \"api_key\": {\"command\": [\"sh\", \"-c\", \"echo SECRET\"]},"
                                  " \"options\": {\"max_tokens\": 5, \"api_key\": \"SECRET\","
                                  "  \"tools\": [{\"type\": \"mcp\", \"authorization\": "
                                  "\"SECRET\", \"headers\": {\"X-Key\": \"SECRET\"}}]}}}}");
    char *shown = json_dumps(config->shown, 0);
    assert_null(strstr(shown, "SECRET"));
    assert_non_null(strstr(shown, "public"));
    assert_non_null(strstr(shown, "\"max_tokens\": 5"));
    assert_non_null(strstr(shown, "(hidden)"));
    const struct provider_config *sim = find(config, "sim");
    assert_string_equal(sim->headers[0], "Authorization: Bearer SECRET"); // but it is sent
    assert_string_equal(json_string_value(json_object_get(sim->options, "api_key")), "SECRET");
    free(shown);
    config_destroy(config);
}

static void test_check_prints_one_line_a_provider(void **state) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct config *config = parse(everything);
    config_print(config, out);
    fclose(out);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 1 + config->provider_count);
    assert_non_null(strstr(text, "configuration: /etc/askfs/config.json\n"));
    assert_non_null(strstr(text, "key from environment variable MY_KEY\n"));
    assert_non_null(strstr(text, "key from command pass\n"));
    assert_non_null(strstr(text, "asks claude, openai\n"));
    free(text);
    config_destroy(config);
}

static void test_without_a_file_each_key_in_the_environment_makes_a_provider(void **state) {
    static const char *const some[] = { "OPENAI_API_KEY", "sk", "XAI_API_KEY", "", NULL };
    struct config_error error = { "" };
    struct config *config = config_builtin(get_variable, (void *)some, &error);
    assert_non_null(config);
    assert_null(config->file);
    assert_int_equal(config->provider_count, 2);
    assert_string_equal(config->providers[0].name, "openai");
    assert_string_equal(config->providers[0].key.name, "OPENAI_API_KEY");
    assert_string_equal(config->providers[1].name, "sim");
    config_destroy(config);
    config = config_builtin(get_variable, NULL, &error);
    assert_int_equal(config->provider_count, 1);
    config_destroy(config);
}

static void write_config(const char *folder, const char *name, const char *provider) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "{\"providers\": {\"%s\": {\"type\": \"sim\"}}}", provider);
    fclose(file);
}

static void expect_found(const char *explicit_file, const char *const *variables,
                         const char *name) {
    struct config_error error = { "" };
    struct config *config = config_load(explicit_file, get_variable, (void *)variables, &error);
    if (!config) fail_msg("%s", error.text);
    assert_string_equal(config->providers[0].name, name);
    config_destroy(config);
}

static void test_the_first_file_that_exists_is_read(void **state) {
    char folder[] = "/tmp/askfs-test-XXXXXX";
    char one[128], two[128], absent[128], command[256], nested[128];
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command), "mkdir -p %s/xdg/askfs %s/.config/askfs", folder, folder);
    assert_int_equal(system(command), 0);
    write_config(folder, "explicit", "explicit");
    write_config(folder, "variable", "variable");
    write_config(folder, "xdg/askfs/config.json", "xdg");
    write_config(folder, ".config/askfs/config.json", "home");
    snprintf(one, sizeof(one), "%s/explicit", folder);
    snprintf(two, sizeof(two), "%s/variable", folder);
    snprintf(absent, sizeof(absent), "%s/absent", folder);
    snprintf(nested, sizeof(nested), "%s/xdg", folder);
    const char *const all[] = {
        "ASKFS_CONFIG", two, "XDG_CONFIG_HOME", nested, "HOME", folder, NULL
    };
    const char *const relative[] = { "XDG_CONFIG_HOME", "xdg", "HOME", folder, NULL };
    expect_found(one, all, "explicit");
    expect_found(NULL, all, "variable");
    expect_found(NULL, all + 2, "xdg");
    expect_found(NULL, all + 4, "home");
    expect_found(NULL, relative, "home");

    struct config_error error = { "" };
    char expected[256];
    snprintf(expected, sizeof(expected),
             "%s: cannot be read: No such file or directory; see -c FILE", absent);
    assert_null(config_load(absent, get_variable, (void *)all, &error));
    assert_string_equal(error.text, expected);
    const char *const named[] = { "ASKFS_CONFIG", absent, "HOME", folder, NULL };
    assert_null(config_load(NULL, get_variable, (void *)named, &error));
    assert_non_null(strstr(error.text, "ASKFS_CONFIG"));
    assert_null(config_load(folder, get_variable, (void *)all, &error));
    assert_non_null(strstr(error.text, "Is a directory"));
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_provider_has_defaults_where_nothing_is_said),
        cmocka_unit_test(test_a_provider_wins_over_defaults_key_by_key),
        cmocka_unit_test(test_policies_are_set_by_class_and_by_kind),
        cmocka_unit_test(test_types_apis_models_and_addresses_are_found),
        cmocka_unit_test(test_each_place_of_a_key_is_kept),
        cmocka_unit_test(test_what_the_mount_may_use_stands_at_the_top),
        cmocka_unit_test(test_relative_files_begin_at_the_configuration),
        cmocka_unit_test(test_the_usual_variable_goes_to_the_usual_host_only),
        cmocka_unit_test(test_a_route_names_its_providers_and_nothing_of_a_server),
        cmocka_unit_test(test_connect_is_another_word_for_connection),
        cmocka_unit_test(test_a_byte_order_mark_is_no_mistake),
        cmocka_unit_test(test_what_is_shown_is_a_configuration_that_says_the_same),
        cmocka_unit_test(test_no_secret_is_shown),
        cmocka_unit_test(test_check_prints_one_line_a_provider),
        cmocka_unit_test(test_without_a_file_each_key_in_the_environment_makes_a_provider),
        cmocka_unit_test(test_the_first_file_that_exists_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
