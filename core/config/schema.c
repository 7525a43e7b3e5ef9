#include "core/config/schema.h"

#include <string.h>

#include "core/config/kinds.h"
#include "core/config/root.h"

#define AT(field) offsetof(struct provider_draft, field)
#define ANY_SECONDS 0, 1e9, FOR_ALL, "a number of seconds, 0 or more"
#define SECONDS_OR_NONE 0, 1e9, FOR_ALL, "a number of seconds, 0 or more (0: no limit)"
#define SECONDS_ABOVE_0 1e-9, 1e9, FOR_ALL, "a number of seconds above 0"
#define UP_TO(max) 1, max, FOR_ALL, "a whole number from 1 to " #max
#define UP_TO_FROM_0(max) 0, max, FOR_ALL, "a whole number from 0 to " #max
#define PRICE 0, 1e9, FOR_PROVIDERS, "a price for a million tokens, 0 or more"
#define OF(owner, expected) 0, 0, owner, expected

static const char key_expected[] =
    "an object such as {\"env\": \"OPENAI_API_KEY\"}, {\"file\": \"~/.keys/"
    "openai\"}, {\"command\": [\"pass\", \"openai\"]} or {\"credential\": "
    "\"openai\"}";

const struct schema_key schema[] = {
    { "", "type", &value_type, AT(chosen), OF(FOR_ALL, "the name of a provider type") },
    { "", "api", &value_api, AT(api), OF(FOR_PROVIDERS, "the name of an API") },
    { "", "providers", &value_route, AT(config.route),
      OF(FOR_ROUTES, "a list of names of providers, such as [\"anthropic\", \"openai\"]") },
    { "", "fallback_wait_max", &value_seconds, AT(config.fallback_wait_max_ns), 0, 1e9, FOR_ROUTES,
      "a number of seconds, 0 or more" },
    { "", "base_url", &value_label, AT(config.base_url),
      OF(FOR_PROVIDERS, "a URL such as \"https://host/v1\"") },
    { "", "model", &value_label, AT(config.model), OF(FOR_PROVIDERS, "the name of a model") },
    { "", "system", &value_text, AT(config.system), OF(FOR_ALL, "text") },
    { "", "options", &value_options, AT(config.options),
      OF(FOR_ALL, "an object with members for the request body") },
    { "", "headers", &value_headers, AT(config.headers),
      OF(FOR_PROVIDERS, "an object such as {\"X-Title\": \"askfs\"}") },
    { "", "api_key", &value_key, AT(config.key), OF(FOR_PROVIDERS, key_expected) },
    { "", "ca_file", &value_file, AT(config.ca_file),
      OF(FOR_PROVIDERS, "a PEM file with certificates") },
    { "", "allow_http", &value_flag, AT(config.allow_http), OF(FOR_PROVIDERS, "true or false") },
    { "", "check_schema", &value_flag, AT(config.check_schema),
      OF(FOR_PROVIDERS, "true or false") },
    { "", "context_window", &value_size, AT(config.context_window), 0, 1e9, FOR_PROVIDERS,
      "a whole number of tokens (0: not known)" },
    { "", "prefill", &value_prefill, AT(config.dialect.prefill),
      OF(FOR_PROVIDERS, "\"none\", \"plain\", \"prefix\" or \"continue_final_message\"") },
    { "", "background", &value_flag, AT(config.background), OF(FOR_PROVIDERS, "true or false") },
    { "retry", "max_attempts", &value_count, AT(config.retry.max_attempts), UP_TO(100) },
    { "retry", "initial_delay", &value_seconds, AT(config.retry.initial_delay_ns), ANY_SECONDS },
    { "retry", "backoff_factor", &value_factor, AT(config.retry.backoff_factor), 1, 1000, FOR_ALL,
      "a number, 1 or more" },
    { "retry", "max_delay", &value_seconds, AT(config.retry.max_delay_ns), ANY_SECONDS },
    { "retry", "max_retry_after", &value_seconds, AT(config.retry.max_retry_after_ns),
      ANY_SECONDS },
    { "retry", "max_reconnect_attempts", &value_count, AT(config.retry.max_reconnect_attempts),
      UP_TO_FROM_0(100) },
    { "retry", "classes", &value_classes, AT(config.retry.class_attempts),
      OF(FOR_ALL, "attempts by error class, from 1 to 100, such as {\"rate_limit\": 6}") },
    { "retry_budget", "ratio", &value_factor, AT(config.retry_budget.ratio), 0, 100, FOR_PROVIDERS,
      "a number of retries for each success, from 0 to 100" },
    { "retry_budget", "per_second", &value_factor, AT(config.retry_budget.per_second), 0, 1e6,
      FOR_PROVIDERS, "a number of retries for each second, 0 or more" },
    { "retry_budget", "max", &value_factor, AT(config.retry_budget.tokens_max), 0, 1e6,
      FOR_PROVIDERS, "a number of retries, 0 or more (0: there is no budget)" },
    { "budget", "requests", &value_size, AT(config.quota.requests), 0, 1e12, FOR_PROVIDERS,
      "a whole number of requests (0: no limit)" },
    { "budget", "tokens", &value_size, AT(config.quota.tokens), 0, 1e15, FOR_PROVIDERS,
      "a whole number of tokens (0: no limit)" },
    { "budget", "money", &value_factor, AT(config.quota.money), 0, 1e12, FOR_PROVIDERS,
      "an amount in the currency of the prices (0: no limit)" },
    { "budget", "period", &value_seconds, AT(config.quota.period_ns), 1, 1e9, FOR_PROVIDERS,
      "a number of seconds, 1 or more" },
    { "prices", "input", &value_factor, AT(config.quota.input_price), PRICE },
    { "prices", "output", &value_factor, AT(config.quota.output_price), PRICE },
    { "breaker", "failure_threshold", &value_count, AT(config.breaker.failure_threshold),
      UP_TO(64) },
    { "breaker", "window", &value_seconds, AT(config.breaker.window_ns), SECONDS_ABOVE_0 },
    { "breaker", "recovery_timeout", &value_seconds, AT(config.breaker.recovery_timeout_ns),
      SECONDS_ABOVE_0 },
    { "breaker", "success_threshold", &value_count, AT(config.breaker.success_threshold),
      UP_TO(100) },
    { "breaker", "failure_ratio", &value_factor, AT(config.breaker.ratio), 0.01, 2, FOR_ALL,
      "a part of all requests, from 0.01 to 1 (above 1: never by ratio)" },
    { "breaker", "minimum_requests", &value_count, AT(config.breaker.ratio_outcomes_min),
      UP_TO(1000000) },
    { "timeouts", "connection", &value_seconds, AT(config.timeouts.connection_ns),
      SECONDS_ABOVE_0 },
    { "timeouts", "connect", &value_seconds_alias, AT(config.timeouts.connection_ns),
      SECONDS_ABOVE_0 },
    { "timeouts", "headers", &value_seconds, AT(config.timeouts.headers_ns), SECONDS_OR_NONE },
    { "timeouts", "first_token", &value_seconds, AT(config.timeouts.first_token_ns),
      SECONDS_OR_NONE },
    { "timeouts", "read", &value_seconds, AT(config.timeouts.read_ns), SECONDS_OR_NONE },
    { "timeouts", "idle", &value_seconds, AT(config.timeouts.idle_ns), SECONDS_OR_NONE },
    { "timeouts", "total", &value_seconds, AT(config.timeouts.total_ns), SECONDS_OR_NONE },
    { "", "recovery", &value_recovery, AT(config.recovery),
      OF(FOR_ALL, "\"auto\", \"exact\" or \"off\"") },
    { "", "max_prompt_bytes", &value_size, AT(config.max_prompt_bytes), UP_TO(1073741824) },
    { "", "max_response_bytes", &value_size, AT(config.max_response_bytes), UP_TO(17179869184) },
    { "", "max_memory_per_response", &value_size, AT(config.max_memory_per_response), 65536,
      17179869184, FOR_ALL, "a whole number from 65536 to 17179869184" },
    { "", "max_in_flight", &value_size, AT(config.max_in_flight), UP_TO(1000000) },
    { "", "max_queued", &value_size, AT(config.max_queued), UP_TO_FROM_0(1000000) },
    { "", "requests_kept", &value_size, AT(config.requests_kept), UP_TO(1000000) },
    { .name = NULL },
};

enum { KEYS_MAX = sizeof(schema) / sizeof(*schema) };

static const char *const groups[] = { "retry",   "retry_budget", "budget", "prices",
                                      "breaker", "timeouts",     NULL };

const struct schema_key *schema_find(const char *group, const char *name) {
    for (const struct schema_key *key = schema; key->name; key++)
        if (strcmp(key->name, name) == 0 && (!group || strcmp(key->group, group) == 0)) return key;
    return NULL;
}

bool schema_is_group(const char *name) {
    for (size_t i = 0; groups[i]; i++)
        if (strcmp(groups[i], name) == 0) return true;
    return false;
}

enum schema_owner schema_owner_of(const char *name) {
    for (const struct schema_key *key = schema; key->name; key++)
        if (strcmp(key->group[0] ? key->group : key->name, name) == 0) return key->owner;
    return FOR_ALL;
}

bool schema_unknown_name(const struct source *source, const char *path, const char *what,
                         const char *name, const char *const *names) {
    const char *near = config_suggest(name, names);
    if (near) return source_problem(source, path, "%s; did you mean \"%s\"?", what, near);
    char list[512] = "";
    size_t length = 0;
    for (; *names && length < sizeof(list); names++)
        length += (size_t)snprintf(list + length, sizeof(list) - length, "%s\"%s\"",
                                   length ? ", " : "", *names);
    return source_problem(source, path, "%s; expected one of %s", what, list);
}

bool schema_unknown(const struct source *source, const char *path, const char *group,
                    const char *name) {
    const char *names[KEYS_MAX + sizeof(groups) / sizeof(*groups)];
    size_t count = 0;
    for (const struct schema_key *key = schema; key->name; key++)
        if (strcmp(key->group, group) == 0) names[count++] = key->name;
    for (size_t i = 0; groups[i] && !group[0]; i++)
        names[count++] = groups[i];
    names[count] = NULL;
    const struct schema_key *elsewhere = schema_find(NULL, name);
    if (elsewhere && elsewhere->group[0])
        return source_problem(source, path, "unknown key; it belongs in \"%s\"", elsewhere->group);
    if (root_has(name))
        return source_problem(source, path, "unknown key; it belongs at the top of the file");
    if (elsewhere || schema_is_group(name))
        return source_problem(source, path, "unknown key; it belongs directly under the provider");
    return schema_unknown_name(source, path, "unknown key", name, names);
}
