/* The groups "budget" and "prices". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/config/config.h"

static const char *no_variables(void *owner, const char *name) {
    return NULL;
}

static struct config *parse(const char *text, struct config_error *error) {
    return config_parse(slice_of(text), "config.json", no_variables, NULL, error);
}

static const struct provider_config *find(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->provider_count; i++)
        if (strcmp(config->providers[i].name, name) == 0) return &config->providers[i];
    fail_msg("no provider %s", name);
    return NULL;
}

static void test_a_budget_is_the_providers_own_before_the_defaults(void **state) {
    struct config_error error = { "" };
    struct config *config = parse("{\"defaults\": {\"budget\": {\"requests\": 100, \"money\": 2.5},"
                                  "  \"prices\": {\"input\": 0.15, \"output\": 1}},"
                                  " \"providers\": {"
                                  "  \"a\": {\"type\": \"openai\"},"
                                  "  \"b\": {\"type\": \"sim\", \"budget\": {\"requests\": 0,"
                                  "    \"tokens\": 5000, \"period\": 3600}},"
                                  "  \"any\": {\"type\": \"route\", \"providers\": [\"a\"]}}}",
                                  &error);
    if (!config) fail_msg("%s", error.text);
    const struct quota_policy *a = &find(config, "a")->quota;
    assert_int_equal(a->requests, 100);
    assert_int_equal(a->tokens, 0);
    assert_true(a->money == 2.5);
    assert_true(a->input_price == 0.15);
    assert_int_equal(a->period_ns, 86400 * TIME_S);
    const struct quota_policy *b = &find(config, "b")->quota;
    assert_int_equal(b->requests, 0);
    assert_int_equal(b->tokens, 5000);
    assert_true(b->output_price == 1);
    assert_int_equal(b->period_ns, 3600 * TIME_S);
    config_destroy(config);
}

static void test_there_is_no_budget_unless_one_is_set(void **state) {
    struct config_error error = { "" };
    struct config *config = parse("{\"providers\": {\"a\": {\"type\": \"openai\"}}}", &error);
    const struct quota_policy *quota = &find(config, "a")->quota;
    assert_int_equal(quota->requests, 0);
    assert_int_equal(quota->tokens, 0);
    assert_true(quota->money == 0);
    json_t *shown = json_object_get(json_object_get(config->shown, "providers"), "a");
    assert_int_equal(json_object_size(json_object_get(shown, "budget")), 4);
    assert_int_equal(json_object_size(json_object_get(shown, "prices")), 2);
    config_destroy(config);
}

static void test_what_cannot_be_meant_is_refused(void **state) {
    static const struct {
        const char *text;
        const char *error; /* how it begins */
    } rows[] = {
        { "{\"providers\": {\"x\": {\"type\": \"sim\", \"budget\": {\"requests\": -1}}}}",
          "config.json: providers.x.budget.requests: expected a whole number of requests (0: no "
          "limit); found -1" },
        { "{\"providers\": {\"x\": {\"type\": \"sim\", \"budget\": {\"tokens\": 1.5}}}}",
          "config.json: providers.x.budget.tokens: expected a whole number of tokens" },
        { "{\"providers\": {\"x\": {\"type\": \"sim\", \"budget\": {\"money\": \"5\"}}}}",
          "config.json: providers.x.budget.money: expected an amount in the currency of the "
          "prices (0: no limit); found text" },
        { "{\"providers\": {\"x\": {\"type\": \"sim\", \"budget\": {\"period\": 0}}}}",
          "config.json: providers.x.budget.period: expected a number of seconds, 1 or more" },
        { "{\"providers\": {\"x\": {\"type\": \"sim\", \"prices\": {\"input\": -1}}}}",
          "config.json: providers.x.prices.input: expected a price for a million tokens" },
        { "{\"providers\": {\"x\": {\"type\": \"sim\", \"budget\": {\"token\": 1}}}}",
          "config.json: providers.x.budget.token: unknown key; did you mean \"tokens\"?" },
        { "{\"providers\": {\"x\": {\"type\": \"sim\", \"money\": 1}}}",
          "config.json: providers.x.money: unknown key; it belongs in \"budget\"" },
        { "{\"providers\": {\"x\": {\"type\": \"sim\", \"budget\": {\"money\": 1}}}}",
          "config.json: providers.x.budget.money: provider \"x\" has no prices to count it by; "
          "set \"prices\"" },
        { "{\"defaults\": {\"budget\": {\"money\": 1}}, \"providers\": {\"x\": {\"type\": "
          "\"sim\", \"budget\": {\"tokens\": 1}}}}",
          "config.json: defaults.budget.money: provider \"x\" has no prices" },
        { "{\"providers\": {\"x\": {\"type\": \"sim\"}, \"r\": {\"type\": \"route\", "
          "\"providers\": [\"x\"], \"budget\": {\"tokens\": 1}}}}",
          "config.json: providers.r.budget: a route has none of its own" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config_error error = { "" };
        if (parse(rows[i].text, &error)) fail_msg("%s was accepted", rows[i].text);
        if (strncmp(error.text, rows[i].error, strlen(rows[i].error)) != 0)
            fail_msg("expected '%s', got '%s'", rows[i].error, error.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_budget_is_the_providers_own_before_the_defaults),
        cmocka_unit_test(test_there_is_no_budget_unless_one_is_set),
        cmocka_unit_test(test_what_cannot_be_meant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
