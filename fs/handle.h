/*
 * handle: an open file, and the table of all of them by inode.
 */
#ifndef ASKFS_FS_HANDLE_H
#define ASKFS_FS_HANDLE_H

#include "core/base/bytes.h"
#include "fs/tree.h"

struct fuse_req;

/* The first member of what a kind's open makes. */
struct handle {
    struct fs *fs;
    struct node node;               /* with a reference to its request */
    struct handle *next, *previous; /* of the same inode */
    uint64_t serial;   /* of the request that it was about when it was opened; 0: none */
    struct bytes text; /* what it reads, for a file that is read from a snapshot */
};

/* Handles of one inode. */
struct open_inode {
    uint64_t inode;
    struct open_inode *next; /* in its bucket */
    struct handle *handles;
};

enum { HANDLE_BUCKETS = 1024 };
struct handles {
    struct open_inode *buckets[HANDLE_BUCKETS];
};

/* Zeroed memory of size bytes that begins with a handle in the table. NULL: no memory. */
struct handle *handle_create(struct fs *fs, const struct node *node, size_t size);
void handle_destroy(struct handle *handle); /* its own memory too; the rest is its kind's */

/* Reads from text. */
void handle_read_text(struct handle *handle, struct fuse_req *request, size_t size, size_t offset,
                      int flags);

/* Any open file of that inode, or NULL. */
struct handle *handles_find(const struct fs *fs, uint64_t inode);
/* A request that left the records lives on in who has it open. NULL: nobody. */
struct request *handles_find_request(const struct fs *fs, uint64_t inode);
/* The longest text that is open of that inode. False: none with any text. */
bool handles_longest_text(const struct fs *fs, uint64_t inode, size_t *length_out);

void handles_abandon(struct fs *fs); /* answers all that is parked */
void handles_close(struct fs *fs);   /* as if everybody had closed */

#endif
