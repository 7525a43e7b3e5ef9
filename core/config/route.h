/*
 * route: may the routes of a configuration stand as they are?
 */
#ifndef ASKFS_CORE_CONFIG_ROUTE_H
#define ASKFS_CORE_CONFIG_ROUTE_H

#include "core/config/source.h"

/* Every name exists, none stands twice in a route, and no route leads to itself. */
bool routes_check(const struct config *config, const struct source *source);

#endif
