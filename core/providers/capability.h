/*
 * capability: what a model at a provider takes, as far as it is known before asking, and what a
 * refusal teaches. Pure.
 */
#ifndef ASKFS_CORE_PROVIDERS_CAPABILITY_H
#define ASKFS_CORE_PROVIDERS_CAPABILITY_H

#include "core/policy/recovery.h"
#include "core/providers/wire.h"

/* Does the model go on from a beginning of the assistant's turn? Mostly unknown: it is tried, and
 * learnt from the 400. */
enum recovery_support capability_prefill(const struct dialect *dialect, const char *model);

/* The reply to a request with a prefill says that it does not take one. */
bool capability_refuses_prefill(const struct failure *failure);
/* The reply says that a response in the background is not to be had. */
bool capability_refuses_background(const struct failure *failure);

#endif
