#include "core/engine/settings.h"

#include <stdlib.h>
#include <string.h>

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
