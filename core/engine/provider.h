/*
 * provider: one configured directory: its settings, its breaker, its counters, its requests.
 */
#ifndef ASKFS_CORE_ENGINE_PROVIDER_H
#define ASKFS_CORE_ENGINE_PROVIDER_H

#include "core/engine/engine.h"
#include "core/engine/request.h"

struct fault_rules;

/* It is not in the configuration any more. */
bool provider_is_removed(const struct provider *provider);
const char *provider_name(const struct provider *provider);
const struct provider_config *provider_config(const struct provider *provider);

/* Would a new prompt be taken now? FAILURE_NONE, or the class of the refusal: auth (no key),
 * breaker_open, budget (the user's own is spent), rate_limit (too many in flight and queued).
 * Changes nothing. */
enum failure_class provider_admits(const struct provider *provider);

/* Defaults for new requests: the files model, system and options.json. Text is without a trailing
 * newline; options are a JSON object or nothing. A set returns NULL, or why it was refused (static
 * text), and then nothing changed. */
struct slice provider_model(const struct provider *provider);
struct slice provider_system(const struct provider *provider);
struct slice provider_options(const struct provider *provider);
const char *provider_set_model(struct provider *provider, struct slice text);
const char *provider_set_system(struct provider *provider, struct slice text);
const char *provider_set_options(struct provider *provider, struct slice text);

/* "open", "close", "reset", "auto", white space around it allowed. False: not a command. */
bool provider_command_breaker(struct provider *provider, struct slice text);

/* The failures to rehearse with it. NULL: no memory. */
struct fault_rules *provider_faults(struct provider *provider);

/* Its records: all that run, and of those that have ended the newest. NULL: there is none. */
struct request *provider_newest_request(const struct provider *provider);
/* The newest one whose serial is below. */
struct request *provider_request_before(const struct provider *provider, uint64_t serial);
struct request *provider_request(const struct provider *provider, uint64_t serial);
struct request *provider_find_request(const struct provider *provider, const char *id);
size_t provider_request_count(const struct provider *provider);

/* The list of models, asked for on the first call and kept. A listing is a request like any other
 * to its watchers: its response text is the list, one model a line. New reference; NULL: no
 * memory. */
struct request *provider_list_models(struct provider *provider);
/* The list as far as it is known, without asking. */
struct slice provider_known_models(const struct provider *provider);

/* The last prompt sent, for reading prompt. Borrowed until the next submit. */
struct slice provider_last_prompt(const struct provider *provider);

/* "ok", "degraded", "rate_limited", "down", "no_key" */
const char *provider_state_name(const struct provider *provider);

#endif
