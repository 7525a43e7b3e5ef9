/* The mount's README, made from what is mounted. */
#include <string.h>

#include "core/engine/report.h"
#include "core/engine/state.h"

// The first that can be asked: what stands in the README is to be typed.
static const char *name_to_try(const struct engine *engine) {
    const struct provider *provider;
    const char *name = NULL;
    for (size_t i = 0; (provider = engine_next_shown(engine, &i));) {
        if (!provider->key_problem) return provider_name(provider);
        if (!name) name = provider_name(provider);
    }
    return name ? name : "sim";
}

static bool readme_line(const struct provider *provider, struct bytes *out) {
    const struct provider_config *config = provider->config;
    const char *model = provider->settings->model;
    char *const *members = config->route; // NULL: no route, and it has an address
    bool done = bytes_printf(out, "  %s/  %s%s%s", config->name, config->type->name,
                             model[0] ? ", model " : "", model);
    if (done && provider->key_problem)
        done = bytes_printf(out, ", %s", provider->key_problem);
    else if (done && !members)
        done = bytes_printf(out, ", %s", provider->endpoint->base_url);
    else if (done)
        for (size_t i = 0; done && members[i]; i++)
            done = bytes_printf(out, "%s %s", i ? "," : ", asks", members[i]);
    return done && bytes_append_text(out, "\n");
}

bool report_readme(const struct engine *engine, const char *mountpoint, struct bytes *out) {
    const struct provider *provider;
    const char *name = name_to_try(engine);
    int width = (int)strlen(name) + 36; // all remarks in one column
    if (!bytes_printf(
            out,
            "This is askfs: each directory is an LLM provider.\n\n"
            "  echo 'Why is the sky blue?' > %s/%s/prompt   # write, close: asked\n"
            "  cat %s/%s/response                           # tokens as they arrive\n"
            "  cat %s/%-*s# every provider's health\n\n"
            "The end of response means that the answer is complete. An answer that could\n"
            "not be completed ends with an error, and the file error says what to do.\n\n"
            "Mounted here:\n",
            mountpoint, name, mountpoint, name, mountpoint, width, "status"))
        return false;
    for (size_t i = 0; (provider = engine_next_shown(engine, &i));)
        if (!readme_line(provider, out)) return false;
    return bytes_append_text(out,
                             "\nIn each: prompt response reasoning wait status breaker error models"
                             " model\nsystem options.json request.json response.json requests/.\n");
}
