/* The mount's README, made from what is mounted. */
#include "core/engine/report.h"
#include "core/engine/state.h"

bool report_readme(const struct engine *engine, const char *mountpoint, struct bytes *out) {
    size_t first = 0;
    const struct provider *provider = engine_next_shown(engine, &first);
    const char *name = provider ? provider_name(provider) : "sim";
    if (!bytes_printf(
            out,
            "This is askfs: each directory is an LLM provider.\n\n"
            "  echo 'Why is the sky blue?' > %s/%s/prompt   # write, close: asked\n"
            "  cat %s/%s/response                           # tokens as they arrive\n"
            "  cat %s/status                                # every provider's health\n\n"
            "The end of response means that the answer is complete. An answer that could\n"
            "not be completed ends with an error, and the file error says what to do.\n\n"
            "Mounted here:\n",
            mountpoint, name, mountpoint, name, mountpoint))
        return false;
    for (size_t i = 0; (provider = engine_next_shown(engine, &i));) {
        if (!bytes_printf(out, "  %s/  %s, model %s, %s\n", provider_name(provider),
                          provider->config->type->name, provider->settings->model,
                          provider->key_problem ? provider->key_problem
                                                : provider->endpoint->base_url))
            return false;
    }
    return bytes_append_text(out,
                             "\nIn each: prompt response reasoning wait status breaker error models"
                             " model\nsystem options.json requests/.\n");
}
