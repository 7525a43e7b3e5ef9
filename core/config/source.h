/*
 * source: the file that is being read: how errors name it, where its relative paths begin, and the
 * environment.
 */
#ifndef ASKFS_CORE_CONFIG_SOURCE_H
#define ASKFS_CORE_CONFIG_SOURCE_H

#include "core/config/config.h"

struct source {
    const char *file;   /* as the user named it; NULL: no file */
    const char *folder; /* absolute */
    config_getenv get;
    void *get_owner;
    struct config_error *error_out;
};

const char *source_variable(const struct source *source, const char *name); /* NULL: unset, empty */

enum { SOURCE_PATH_SIZE = 640 };
/* "providers.openai" and "model" give "providers.openai.model", made printable. */
void source_path(char path[SOURCE_PATH_SIZE], const char *parent, const char *key);

/* Writes "FILE: PATH: …" to the error; path may be NULL. Always false, so that it can be returned.
 */
bool source_problem(const struct source *source, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool source_out_of_memory(const struct source *source);

/* The absolute form of a file's name: ~/ is the home folder, relative ones begin at the folder.
 * NULL: the error tells. */
char *source_file(const struct source *source, const char *path, const char *name);

/* name as seen from the current directory, absolute; NULL: no memory. */
char *source_absolute_file(const char *name);
/* folder + "/" + name; NULL: no memory. */
char *source_join_file(const char *folder, const char *name);

#endif
