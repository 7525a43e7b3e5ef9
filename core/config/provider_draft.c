#include "core/config/provider_draft.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/time.h"
#include "core/config/kinds.h"
#include "core/config/schema.h"
#include "core/config/url.h"

const struct provider_type config_route_type = { .name = "route" };

static const struct provider_config defaults_of_all = {
    .retry = { .max_attempts = 3,
               .initial_delay_ns = TIME_S / 2,
               .backoff_factor = 2.0,
               .max_delay_ns = 30 * TIME_S,
               .max_retry_after_ns = 60 * TIME_S,
               .max_reconnect_attempts = 3 },
    .breaker = { .failure_threshold = 5,
                 .window_ns = 60 * TIME_S,
                 .recovery_timeout_ns = 60 * TIME_S,
                 .success_threshold = 2,
                 .ratio = BREAKER_RATIO,
                 .ratio_outcomes_min = BREAKER_RATIO_OUTCOMES },
    .timeouts = { .connection_ns = 30 * TIME_S,
                  .first_token_ns = 120 * TIME_S,
                  .read_ns = 300 * TIME_S,
                  .total_ns = 0 },
    .retry_budget = { .ratio = 0.2, .per_second = 0.5, .tokens_max = 20 },
    .quota = { .period_ns = 86400 * TIME_S },
    .recovery = RECOVERY_POLICY_AUTO,
    .check_schema = true,
    .fallback_wait_max_ns = 5 * TIME_S,
    .max_prompt_bytes = INT64_C(16) << 20,
    .max_response_bytes = INT64_C(256) << 20,
    .max_memory_per_response = INT64_C(1) << 20,
    .max_in_flight = 16384,
    .max_queued = 16384,
    .requests_kept = 256,
};

bool config_is_route(const struct provider_config *provider) {
    return provider->type == &config_route_type;
}

bool provider_draft_init(struct provider_draft *draft, const char *name) {
    *draft = (struct provider_draft){ .config = defaults_of_all };
    draft->config.name = strdup(name);
    draft->config.system = strdup("");
    return draft->config.name && draft->config.system;
}

void provider_config_finish(struct provider_config *config) {
    free(config->name);
    free(config->base_url);
    value_free_strings(config->route);
    free(config->model);
    free(config->system);
    json_decref(config->options);
    value_free_strings(config->headers);
    free(config->ca_file);
    free(config->key.name);
    value_free_strings(config->key.command);
    *config = (struct provider_config){ .name = NULL };
}

void provider_draft_finish(struct provider_draft *draft) {
    provider_config_finish(&draft->config);
    free(draft->api);
    draft->api = NULL;
}

static bool read_members(struct provider_draft *draft, const struct source *source,
                         const char *parent, const char *group, const json_t *block) {
    const char *name;
    json_t *value;
    char path[SOURCE_PATH_SIZE];
    json_object_foreach((json_t *)block, name, value) {
        source_path(path, parent, name);
        if (!group[0] && schema_is_group(name)) {
            if (!json_is_object(value))
                return source_problem(source, path,
                                      "expected an object with members such as "
                                      "those of config.json in a mount");
            if (!read_members(draft, source, path, name, value)) return false;
            continue;
        }
        const struct schema_key *key = schema_find(group, name);
        if (!key) return schema_unknown(source, path, group, name);
        if (!key->kind->read(key, source, path, value, draft)) return false;
    }
    return true;
}

bool provider_draft_read(struct provider_draft *draft, const struct source *source,
                         const char *path, const json_t *block) {
    if (!json_is_object(block)) return source_problem(source, path, "expected an object");
    return read_members(draft, source, path, "", block);
}

/* Where errors about a key point: to the provider's own block, unless it stands in defaults alone.
 */
struct blocks {
    const struct source *source;
    const char *path;
    const json_t *own;
    const json_t *defaults;
};

static bool problem_of(const struct blocks *blocks, const char *key, const char *text) {
    char path[SOURCE_PATH_SIZE];
    bool is_default = !json_object_get(blocks->own, key) && json_object_get(blocks->defaults, key);
    source_path(path, is_default ? "defaults" : blocks->path, key);
    return source_problem(blocks->source, path, "%s", text);
}

// In "defaults" a key may stand that means nothing to some types; in a block of its own it may not.
static bool keys_fit(const struct provider_draft *draft, const struct blocks *blocks) {
    const char *name;
    json_t *value;
    bool is_route = config_is_route(&draft->config);
    json_object_foreach((json_t *)blocks->own, name, value) {
        if (schema_owner_of(name) & (is_route ? FOR_ROUTES : FOR_PROVIDERS)) continue;
        return problem_of(blocks, name,
                          is_route ? "a route has none of its own: it stands with the providers "
                                     "that the route asks"
                                   : "only a provider of type \"route\" has it");
    }
    return true;
}

static bool complete_wire(struct provider_draft *draft, const struct blocks *blocks) {
    char text[256];
    const struct provider_type *type = draft->config.type;
    bool is_own = json_object_get(blocks->own, "api") != NULL;
    const char *word = type->apis || is_own ? draft->api : NULL;
    draft->config.wire = provider_type_wire(type, word);
    if (draft->config.wire) return true;
    if (!type->apis) {
        snprintf(text, sizeof(text), "type \"%s\" has only one API: leave it out", type->name);
        return problem_of(blocks, "api", text);
    }
    size_t length = 0;
    for (size_t i = 0; type->apis[i] && length < sizeof(text); i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s\"%s\"",
                                   i ? " or " : "expected ", type->apis[i]);
    return problem_of(blocks, "api", text);
}

// sim without an address is the simulator that the mount starts for itself.
static bool is_embedded(const struct provider_type *type) {
    return strcmp(type->name, "sim") == 0;
}

static bool complete_base_url(struct provider_draft *draft, const struct blocks *blocks) {
    const char *problem = NULL;
    struct provider_config *config = &draft->config;
    const char *written = config->base_url ? config->base_url : config->type->base_url;
    if (!written && is_embedded(config->type)) return true;
    if (!written)
        return problem_of(blocks, "base_url",
                          "missing; expected the server's address, such as "
                          "\"http://127.0.0.1:8080/v1\"");
    char *base = url_base(written, config->allow_http, &problem);
    if (!base)
        return problem ? problem_of(blocks, "base_url", problem)
                       : source_out_of_memory(blocks->source);
    free(config->base_url);
    config->base_url = base;
    return true;
}

// A variable that was not named in the configuration is for the host it is known for, and no other.
static bool complete_key(struct provider_draft *draft, const struct blocks *blocks) {
    struct provider_config *config = &draft->config;
    const struct provider_type *type = config->type;
    const char *problem;
    if (config->key.source != KEY_NONE || !type->key_variable || !type->base_url) return true;
    char *usual = url_base(type->base_url, false, &problem);
    if (!usual) return source_out_of_memory(blocks->source);
    bool is_usual = url_same_host(usual, config->base_url);
    free(usual);
    if (!is_usual) return true;
    config->key.name = strdup(type->key_variable);
    if (!config->key.name) return source_out_of_memory(blocks->source);
    config->key.source = KEY_ENV;
    return true;
}

static bool complete_model(struct provider_draft *draft, const struct blocks *blocks) {
    struct provider_config *config = &draft->config;
    const char *usual = config_is_route(config) ? "" : config->type->default_model;
    if (config_is_route(config)) {
        free(config->model);
        config->model = NULL;
    }
    if (config->model) return true;
    if (!usual)
        return problem_of(blocks, "model",
                          "missing; expected the name of a model that the server offers");
    config->model = strdup(usual);
    return config->model || source_out_of_memory(blocks->source);
}

// In "defaults" a kind of prefill may stand that means nothing to some APIs.
static bool complete_dialect(struct provider_draft *draft, const struct blocks *blocks) {
    struct dialect *dialect = &draft->config.dialect;
    enum prefill_kind told = dialect->prefill;
    bool fits = told <= PREFILL_PLAIN || draft->config.wire == &wire_openai_chat;
    *dialect = draft->config.type->dialect;
    if (!draft->prefill_is_told) return true;
    if (fits) dialect->prefill = told;
    return fits || !json_object_get(blocks->own, "prefill") ||
           problem_of(blocks, "prefill",
                      "only the API \"chat\" has it; expected \"none\" or \"plain\"");
}

// Without a price nothing would ever cost anything, and the limit would be no limit.
static bool has_prices(const struct provider_draft *draft, const struct blocks *blocks) {
    const struct quota_policy *quota = &draft->config.quota;
    if (quota->money <= 0 || quota->input_price > 0 || quota->output_price > 0) return true;
    const json_t *own = json_object_get(blocks->own, "budget");
    char path[SOURCE_PATH_SIZE];
    source_path(path, json_object_get(own, "money") ? blocks->path : "defaults", "budget.money");
    return source_problem(blocks->source, path,
                          "provider \"%s\" has no prices to count it by; set \"prices\": "
                          "{\"input\": …, \"output\": …} per million tokens there, or its "
                          "budget.money to 0",
                          draft->config.name);
}

// Nothing of a server applies to a route, even when it stands in "defaults".
static bool complete_route(struct provider_draft *draft, const struct blocks *blocks) {
    struct provider_config *config = &draft->config;
    if (!config->route)
        return problem_of(blocks, "providers",
                          "missing; expected a list of names of providers, such as "
                          "[\"anthropic\", \"openai\"]");
    free(config->base_url);
    value_free_strings(config->headers);
    free(config->ca_file);
    free(config->key.name);
    value_free_strings(config->key.command);
    config->base_url = config->ca_file = NULL;
    config->headers = NULL;
    config->key = (struct key_config){ KEY_NONE, NULL, NULL };
    config->quota = (struct quota_policy){ 0 };
    return complete_model(draft, blocks);
}

bool provider_draft_complete(struct provider_draft *draft, const struct source *source,
                             const char *path, const json_t *own, const json_t *defaults) {
    struct blocks blocks = { source, path, own, defaults };
    struct provider_config *config = &draft->config;
    if (!draft->chosen)
        return problem_of(&blocks, "type",
                          "missing; expected \"openai\", \"anthropic\", \"xai\", "
                          "\"openai-compatible\", \"sim\" or \"route\"");
    config->type = draft->chosen;
    // A probe must be given as long as any request may take to its first token.
    int64_t patience_ns =
        config->timeouts.first_token_ns ? config->timeouts.first_token_ns : 300 * TIME_S;
    config->breaker.probe_lease_ns = config->timeouts.connection_ns + patience_ns;
    if (!keys_fit(draft, &blocks)) return false;
    if (config_is_route(config)) return complete_route(draft, &blocks);
    value_free_strings(config->route);
    config->route = NULL;
    bool is_told = json_object_get(own, "background") || json_object_get(defaults, "background");
    if (!is_told) config->background = config->type->background;
    return complete_wire(draft, &blocks) && complete_dialect(draft, &blocks) &&
           complete_base_url(draft, &blocks) && complete_key(draft, &blocks) &&
           complete_model(draft, &blocks) && has_prices(draft, &blocks);
}
