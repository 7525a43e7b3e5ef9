#include "core/config/route.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

enum mark { UNSEEN, ON_THE_WAY, CLEAR };

/* provider_count is the answer for a name that does not exist. */
static size_t find_provider(const struct config *config, const char *name) {
    size_t i = 0;
    while (i < config->provider_count && strcmp(config->providers[i].name, name) != 0)
        i++;
    return i;
}

static bool unknown_provider(const struct config *config, const struct source *source,
                             const char *path, const char *name) {
    char shown[80];
    const char *near = NULL;
    const char **names = calloc(config->provider_count + 1, sizeof(*names));
    if (!names) return source_out_of_memory(source);
    for (size_t i = 0; i < config->provider_count; i++)
        names[i] = config->providers[i].name;
    near = config_suggest(name, names);
    text_printable(shown, sizeof(shown), slice_of(name));
    if (near)
        source_problem(source, path, "there is no provider \"%s\"; did you mean \"%s\"?", shown,
                       near);
    else
        source_problem(source, path,
                       "there is no provider \"%s\"; expected a name from \"providers\"", shown);
    free(names);
    return false;
}

static bool names_check(const struct config *config, const struct source *source,
                        const struct provider_config *provider, const char *path) {
    for (size_t i = 0; provider->route[i]; i++) {
        const char *name = provider->route[i];
        if (find_provider(config, name) == config->provider_count)
            return unknown_provider(config, source, path, name);
        if (strcmp(name, provider->name) == 0)
            return source_problem(source, path, "a route cannot ask itself");
        for (size_t j = 0; j < i; j++)
            if (strcmp(provider->route[j], name) == 0)
                return source_problem(source, path, "\"%s\" stands twice", name);
    }
    return true;
}

// As deep as routes are nested; marks keep it from going round.
static bool leads_to_itself(const struct config *config, size_t index, enum mark *marks) {
    const struct provider_config *provider = &config->providers[index];
    if (marks[index] == ON_THE_WAY) return true;
    if (marks[index] == CLEAR || !provider->route) return false;
    marks[index] = ON_THE_WAY;
    for (size_t i = 0; provider->route[i]; i++)
        if (leads_to_itself(config, find_provider(config, provider->route[i]), marks)) return true;
    marks[index] = CLEAR;
    return false;
}

bool routes_check(const struct config *config, const struct source *source) {
    char parent[SOURCE_PATH_SIZE];
    char path[SOURCE_PATH_SIZE];
    bool right = true;
    enum mark *marks = calloc(config->provider_count, sizeof(*marks));
    if (!marks) return source_out_of_memory(source);
    for (size_t i = 0; right && i < config->provider_count; i++) {
        const struct provider_config *provider = &config->providers[i];
        if (!provider->route) continue;
        source_path(parent, "providers", provider->name);
        source_path(path, parent, "providers");
        right = names_check(config, source, provider, path);
    }
    for (size_t i = 0; right && i < config->provider_count; i++) {
        if (!leads_to_itself(config, i, marks)) continue;
        source_path(parent, "providers", config->providers[i].name);
        source_path(path, parent, "providers");
        right = source_problem(source, path, "this route leads back to itself");
    }
    free(marks);
    return right;
}
