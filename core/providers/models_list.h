/*
 * models_list: the names in a list of models, whoever sent it: {"data":[{"id"}]},
 * {"models":[{"id" or "name" or "model"}]}, a bare array, and strings in place of objects.
 */
#ifndef ASKFS_CORE_PROVIDERS_MODELS_LIST_H
#define ASKFS_CORE_PROVIDERS_MODELS_LIST_H

#include "core/base/bytes.h"

/* As struct wire's read_models. */
bool models_list_read(struct slice body, struct bytes *out, char **next_out);

#endif
