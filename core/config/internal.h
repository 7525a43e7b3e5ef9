/*
 * internal: what the files of core/config share.
 */
#ifndef ASKFS_CORE_CONFIG_INTERNAL_H
#define ASKFS_CORE_CONFIG_INTERNAL_H

#include "core/config/config.h"

/* Says where and what is wrong; returns false, so that a caller can return it. */
bool config_fail(struct config_error *error, const char *file, const char *path, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

/* schema.c: checks keys, types and limits of one settings object ("defaults" or a provider). */
bool schema_check(const json_t *settings, bool is_provider, const char *file, const char *path,
                  struct config_error *error);
/* Stores numbers, words and limits of a checked and merged object; the rest stays as it was. */
void schema_store(const json_t *settings, struct provider_config *provider);
void schema_defaults(struct provider_config *provider);
/* All in force as JSON, as it would be written; new reference. */
json_t *schema_show(const struct provider_config *provider);

/* url.c: normalises base_url to end in its version segment. NULL: *problem_out says why. */
char *url_normalise(const char *url, const char **problem_out);
bool url_is_plain_http(const char *url);
bool url_is_loopback(const char *url);

/* key.c: where the key is found. Never shows what it was given. */
bool key_read(const json_t *value, struct key_config *key, const char *file, const char *path,
              config_getenv get, void *get_owner, struct config_error *error);
json_t *key_show(const struct key_config *key);
void key_finish(struct key_config *key);
char *path_expand(const char *path, config_getenv get, void *get_owner); /* ~ */

#endif
