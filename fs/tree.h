/*
 * tree: from a name or an inode number to what it stands for, and what stat says of it.
 *
 * Nothing is kept for a node: its number says where it is (inode.h).
 */
#ifndef ASKFS_FS_TREE_H
#define ASKFS_FS_TREE_H

#include <stdint.h>
#include <sys/stat.h>

#include "core/engine/provider.h"
#include "fs/layout.h"

struct fs;

struct node {
    const struct entry *entry;
    size_t provider_index;
    struct provider *provider; /* NULL: above the providers */
    struct request *request;   /* borrowed for the operation; NULL: not inside requests/<id> */
    uint64_t round;            /* of what is about the newest request: place_round */
};

uint64_t tree_inode(const struct node *node);

/* 0 or an errno. */
int tree_find(struct fs *fs, uint64_t inode, struct node *node_out);
int tree_lookup(struct fs *fs, const struct node *directory, const char *name,
                struct node *node_out);

void tree_stat(struct fs *fs, const struct node *node, struct stat *stat_out);
/* Does stat say the same for some seconds to come? */
bool tree_is_steady(const struct node *node);

/* Where requests/latest points, or NULL. Borrowed. */
const char *tree_link_target(const struct node *node);

/* A walk through a directory, newest request first. cookie says where the walk is, starts at 0, and
 * stays good while requests come and go. False: the end. */
bool tree_next(struct fs *fs, const struct node *directory, uint64_t *cookie, struct node *node_out,
               const char **name_out);

/* The request that a file of a provider's directory, or of requests/<id>, is about. NULL: none yet.
 * Borrowed. */
struct request *node_request(const struct node *node);
uint64_t node_serial(const struct node *node); /* of that request; 0: none */

#endif
