#include "core/engine/settings.h"

#include <stdlib.h>
#include <string.h>

#include "core/providers/json.h"

static char *copy_text(struct slice slice) {
    char *copy = malloc(slice.length + 1);
    if (!copy) return NULL;
    if (slice.length) memcpy(copy, slice.data, slice.length);
    copy[slice.length] = '\0';
    return copy;
}

struct settings *settings_create(struct slice model, struct slice system, json_t *options,
                                 struct slice options_text) {
    struct settings *settings = calloc(1, sizeof(*settings));
    if (!settings) return NULL;
    settings->references = 1;
    settings->model = copy_text(model);
    settings->system = copy_text(system);
    settings->options_text = copy_text(options_text);
    settings->options = json_incref(options);
    if (settings->model && settings->system && settings->options_text) return settings;
    settings_release(settings);
    return NULL;
}

static json_t *merge(json_t *under, json_t *over) {
    json_t *merged = under ? json_copy(under) : json_object();
    if (merged && over && json_object_update(merged, over) != 0) {
        json_decref(merged);
        return NULL;
    }
    return merged;
}

struct settings *settings_combine(struct settings *route, struct settings *provider) {
    if (!route->model[0] && !route->system[0] && !route->options) return settings_keep(provider);
    json_t *options = merge(provider->options, route->options);
    char *text = options ? json_dumps(options, JSON_COMPACT | json_exact(options)) : NULL;
    struct settings *combined = NULL;
    if (text)
        combined = settings_create(slice_of(route->model[0] ? route->model : provider->model),
                                   slice_of(route->system[0] ? route->system : provider->system),
                                   options, slice_of(text));
    free(text);
    json_decref(options);
    return combined;
}

struct settings *settings_keep(struct settings *settings) {
    settings->references++;
    return settings;
}

void settings_release(struct settings *settings) {
    if (!settings || --settings->references) return;
    free(settings->model);
    free(settings->system);
    free(settings->options_text);
    json_decref(settings->options);
    free(settings);
}
