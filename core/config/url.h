/*
 * url: a provider's base URL as people write it, and as requests are built on it. Pure.
 *
 *   https://host            https://host/v1/            →  https://host/v1
 *   https://host/api/v1                                 →  https://host/api/v1
 *   https://host/v1beta/openai/                         →  https://host/v1beta/openai
 *   https://host/any/chat/completions                   →  https://host/any
 */
#ifndef ASKFS_CORE_CONFIG_URL_H
#define ASKFS_CORE_CONFIG_URL_H

#include <stdbool.h>

/* The base for "/chat/completions" and the like, to be freed. A version in the path is kept
 * wherever it stands; without one, /v1 is put at the end, unless a whole endpoint was written.
 * NULL: *problem says why (static text, never a part of the URL, which may hold a password), or
 * NULL for no memory.
 */
char *url_base(const char *url, bool allow_http, const char **problem);

/* Do both name the same scheme, host and port? Both are results of url_base. */
bool url_same_host(const char *a, const char *b);

#endif
