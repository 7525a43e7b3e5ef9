/*
 * layout: which files each directory holds. One const table; a new file is one line in it and one
 * file in kinds/.
 */
#ifndef ASKFS_FS_LAYOUT_H
#define ASKFS_FS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "core/base/bytes.h"

struct fs;
struct journal;
struct kind;
struct node;
struct setting;

enum directory {
    DIRECTORY_NONE,
    DIRECTORY_ROOT,
    DIRECTORY_PROVIDER,
    DIRECTORY_REQUESTS,
    DIRECTORY_REQUEST
};

struct entry {
    enum directory in;             /* the directory that shows it */
    const char *name;              /* NULL: one for each provider, or for each request */
    mode_t mode;                   /* type and permissions */
    enum directory holds;          /* of a directory: what is inside */
    bool is_static;                /* attributes never change: the kernel may remember them */
    bool is_of_config;             /* changes with the configuration, and no sooner */
    bool is_of_newest;             /* about the newest request: its inodes go by rounds (place.h) */
    bool has_recovery;             /* how its request went on is an attribute of it: xattr.h */
    bool is_rehearsal;             /* shown where failures may be rehearsed */
    const struct kind *kind;       /* of a regular file: what it does */
    const struct text *text;       /* what it says, for kinds that need to be told */
    const struct setting *setting; /* what it sets, likewise */
    const struct journal *journal; /* what it shows, likewise */
};

/* The text of a file that tells. render appends to out; false: no memory. length, when it is known
 * without rendering; NULL: render and count. needs_request: there is none before a first request.
 */
struct text {
    bool (*render)(struct fs *fs, const struct node *node, struct bytes *out);
    size_t (*length)(struct fs *fs, const struct node *node);
    bool needs_request;
};

enum { LAYOUT_ROOT = 1 }; /* number of the root's entry */

/* Entries are numbered from 1 to layout_count. NULL: no such number. */
const struct entry *layout_entry(size_t number);
size_t layout_number(const struct entry *entry);
size_t layout_count(void);

/* The entry with that name, else the nameless one of the directory, else NULL. */
const struct entry *layout_find(enum directory in, const char *name);
/* The entry that is that directory. */
const struct entry *layout_directory(enum directory holds);

bool entry_is_directory(const struct entry *entry);
bool entry_is_file(const struct entry *entry);

#endif
