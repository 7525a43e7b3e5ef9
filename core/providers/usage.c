#include "core/providers/usage.h"

#include "core/providers/json.h"

// The first of the names that is told.
static void take(int64_t *count, const json_t *json, const char *const names[]) {
    for (size_t i = 0; names[i]; i++) {
        int64_t told = json_whole(json, names[i], USAGE_UNKNOWN);
        if (told < 0) continue;
        *count = told;
        return;
    }
}

static void take_detail(int64_t *count, const json_t *json, const char *const objects[],
                        const char *name) {
    for (size_t i = 0; objects[i]; i++)
        take(count, json_object_get(json, objects[i]), (const char *const[]){ name, NULL });
}

// xAI counts the reasoning in its total alone.
static void add_left_out(const json_t *json, struct usage *usage) {
    int64_t total = json_whole(json, "total_tokens", USAGE_UNKNOWN);
    if (usage->reasoning_tokens <= 0 || usage->input_tokens < 0 || usage->output_tokens < 0) return;
    int64_t told = usage->input_tokens + usage->output_tokens;
    if (total - told == usage->reasoning_tokens) usage->output_tokens += usage->reasoning_tokens;
}

bool usage_read_openai(const json_t *json, struct usage *usage) {
    static const char *const input[] = { "prompt_tokens", "input_tokens", NULL };
    static const char *const output[] = { "completion_tokens", "output_tokens", NULL };
    static const char *const reasoning[] = { "reasoning_tokens", NULL };
    static const char *const cached[] = { "prompt_cache_hit_tokens", "cached_tokens", NULL };
    static const char *const input_details[] = { "prompt_tokens_details", "input_tokens_details",
                                                 NULL };
    static const char *const output_details[] = { "completion_tokens_details",
                                                  "output_tokens_details", NULL };
    if (!json_is_object(json) || json_object_size(json) == 0) return false;
    take(&usage->input_tokens, json, input);
    take(&usage->output_tokens, json, output);
    take(&usage->reasoning_tokens, json, reasoning);
    take_detail(&usage->reasoning_tokens, json, output_details, "reasoning_tokens");
    take(&usage->cached_tokens, json, cached);
    take_detail(&usage->cached_tokens, json, input_details, "cached_tokens");
    add_left_out(json, usage);
    return true;
}

bool usage_read_ollama(const json_t *json, struct usage *usage) {
    static const char *const input[] = { "prompt_eval_count", NULL };
    static const char *const output[] = { "eval_count", NULL };
    take(&usage->input_tokens, json, input);
    take(&usage->output_tokens, json, output);
    return true;
}

bool usage_read_anthropic(const json_t *json, struct usage *usage) {
    static const char *const output[] = { "output_tokens", NULL };
    static const char *const cached[] = { "cache_read_input_tokens", NULL };
    if (!json_is_object(json)) return false;
    int64_t input = json_whole(json, "input_tokens", USAGE_UNKNOWN);
    if (input >= 0) {
        int64_t written = json_whole(json, "cache_creation_input_tokens", 0);
        int64_t read = json_whole(json, "cache_read_input_tokens", 0);
        usage->input_tokens = input + (written > 0 ? written : 0) + (read > 0 ? read : 0);
    }
    take(&usage->output_tokens, json, output);
    take(&usage->cached_tokens, json, cached);
    take_detail(&usage->reasoning_tokens, json,
                (const char *const[]){ "output_tokens_details", NULL }, "thinking_tokens");
    return true;
}
