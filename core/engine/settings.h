/*
 * settings: model, system text and options that new requests start with. Never changed once made,
 * so a request keeps the ones that it started with.
 */
#ifndef ASKFS_CORE_ENGINE_SETTINGS_H
#define ASKFS_CORE_ENGINE_SETTINGS_H

#include <jansson.h>

#include "core/base/bytes.h"

struct settings {
    size_t references;
    char *model;
    char *system;
    json_t *options;    /* an object, or NULL */
    char *options_text; /* as it was written */
};

/* Copies what it is given; options may be NULL. NULL: no memory. */
struct settings *settings_create(struct slice model, struct slice system, json_t *options,
                                 struct slice options_text);
/* What a route and one of its providers make together: the route's model and system text where it
 * has one, and its options over the provider's. New reference; NULL: no memory. */
struct settings *settings_combine(struct settings *route, struct settings *provider);
struct settings *settings_keep(struct settings *settings);
void settings_release(struct settings *settings); /* accepts NULL */

#endif
