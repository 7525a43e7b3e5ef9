/*
 * config: from a JSON file, or from nothing, to one const struct. Reads the file and the
 * environment that it is given; exact errors name file, path and what was expected.
 */
#ifndef ASKFS_CORE_CONFIG_CONFIG_H
#define ASKFS_CORE_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdio.h>

#include "core/policy/breaker.h"
#include "core/policy/quota.h"
#include "core/policy/recovery.h"
#include "core/policy/retry.h"
#include "core/policy/retry_budget.h"
#include "core/providers/types.h"

struct timeouts {
    int64_t connection_ns;  /* until connected */
    int64_t headers_ns;     /* from connected to the reply's headers; 0: first_token alone counts */
    int64_t first_token_ns; /* from connected to content, keep-alives do not count; 0: none */
    int64_t read_ns;        /* between bytes of progress; 0: none */
    int64_t idle_ns;        /* between bytes of any kind, keep-alives included; 0: none */
    int64_t total_ns;       /* from prompt to end; 0: none */
};

enum key_source { KEY_NONE, KEY_ENV, KEY_FILE, KEY_COMMAND, KEY_CREDENTIAL };

/* Where a key is found; never the key. */
struct key_config {
    enum key_source source;
    char *name;     /* variable, file (~ expanded) or credential */
    char **command; /* NULL-ended argv; a program with a slash in its name is absolute */
};

/* A directory of the mount: a provider, or a route, which chooses one (config_is_route). A route
 * has no wire, base_url, headers or key, and its model is ""; its type is config_route_type. */
struct provider_config {
    char *name;                       /* the directory */
    const struct provider_type *type; /* never NULL */
    const struct wire *wire;          /* NULL for a route */
    struct dialect dialect;           /* the type's, and what is configured of it */
    char *base_url;                   /* the wire's path is put behind it; no slash at its end; NULL
                                         for a route, and for sim when it is to be started with us */
    char **route;                     /* names of providers in order, NULL-ended; NULL: no route */
    char *model;
    char *system;    /* "" when none */
    json_t *options; /* object, or NULL */
    char **headers;  /* "name: value", NULL-ended; may be NULL */
    char *ca_file;   /* NULL: the system's */
    bool allow_http;
    struct key_config key;
    bool check_schema;      /* an answer that does not fit the schema asked for fails */
    int64_t context_window; /* tokens of the model; 0: not known */
    bool background; /* Responses only: ask so that a broken stream can be attached to again */
    struct retry_policy retry;
    struct retry_budget_policy retry_budget;
    struct quota_policy quota; /* the groups budget and prices; routes have none */
    struct breaker_policy breaker;
    struct timeouts timeouts;
    enum recovery_policy recovery;
    int64_t max_prompt_bytes;        /* default 16 MiB */
    int64_t max_response_bytes;      /* default 256 MiB; beyond it the answer fails */
    int64_t max_memory_per_response; /* default 1 MiB; the text before that is on disk */
    int64_t max_in_flight;           /* requests with an open transfer; further ones queue */
    int64_t max_queued;
    int64_t requests_kept;        /* finished requests with a record; default 256 */
    int64_t fallback_wait_max_ns; /* routes: a told wait up to this is waited out */
};

struct config {
    char *file;              /* absolute; NULL: built-in defaults */
    int64_t max_memory;      /* default 256 MiB, for the text of all answers */
    int64_t max_spill_bytes; /* default 8 GiB on disk for what is beyond; 0: none */
    char *spill_dir;         /* absolute; NULL: $TMPDIR, /var/tmp or /tmp */
    struct provider_config *providers;
    size_t provider_count;
    json_t *shown; /* config.json of the mount: all in force, no secret */
};

/* The type of a route; no other knows it. */
extern const struct provider_type config_route_type;
bool config_is_route(const struct provider_config *provider);

/* Text of what is wrong, "askfs: " not included, may name a path inside the file. Never a secret.
 */
struct config_error {
    char text[1024];
};

/* getenv-like, so that tests need not change the environment. */
typedef const char *(*config_getenv)(void *owner, const char *name);

/* The first of explicit (may be NULL), $ASKFS_CONFIG, $XDG_CONFIG_HOME/askfs/config.json,
 * ~/.config/askfs/config.json, /etc/askfs/config.json; when there is none, a provider for each key
 * variable that is set, and sim. NULL: *error_out says why. */
struct config *config_load(const char *explicit_file, config_getenv get, void *get_owner,
                           struct config_error *error_out);
/* The same from text; file is how errors name it, and where relative paths begin. */
struct config *config_parse(struct slice text, const char *file, config_getenv get, void *get_owner,
                            struct config_error *error_out);
/* Without any file: a provider for each key variable that is set, and sim. */
struct config *config_builtin(config_getenv get, void *get_owner, struct config_error *error_out);
void config_destroy(struct config *config);

/* What --check says: one line a provider: name, type, model, endpoint, where its key comes from. */
void config_print(const struct config *config, FILE *out);

/* The candidate nearest to word, for "did you mean"; NULL: none is near. candidates NULL-ended. */
const char *config_suggest(const char *word, const char *const *candidates);

#endif
