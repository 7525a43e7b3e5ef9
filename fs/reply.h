/*
 * reply: answers a request of the kernel, exactly once. Nothing else calls fuse_reply_*.
 *
 * A reply that the kernel no longer wants (its caller is gone) is dropped silently.
 */
#ifndef ASKFS_FS_REPLY_H
#define ASKFS_FS_REPLY_H

#include "core/base/bytes.h"
#include "fs/tree.h"

struct fuse_file_info;
struct fuse_req;

void reply_error(struct fuse_req *request, int error); /* 0: done */
void reply_bytes(struct fuse_req *request, struct slice slice);
void reply_written(struct fuse_req *request, size_t count);
void reply_entry(struct fuse_req *request, struct fs *fs, const struct node *node);
void reply_attributes(struct fuse_req *request, struct fs *fs, const struct node *node);
/* size: what the caller has room for; 0: it asks how much there is. */
void reply_attribute(struct fuse_req *request, struct slice value, size_t size);
void reply_link(struct fuse_req *request, const char *target);
/* False: the caller is gone and will not close what was opened. */
bool reply_open(struct fuse_req *request, const struct fuse_file_info *info);
void reply_poll(struct fuse_req *request, unsigned bits);
void reply_file_system(struct fuse_req *request, struct fs *fs);

#endif
