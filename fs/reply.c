#include "fs/reply.h"

#include <limits.h>
#include <sys/statvfs.h>

#include "fs/errors.h"
#include "fs/state.h"

// Names are forgotten by the kernel after this long, and asked for again.
static double name_timeout_s(const struct node *node) {
    return node->entry->is_of_newest ? 0.0 : 1.0;
}

static double attribute_timeout_s(const struct node *node) {
    return tree_is_steady(node) ? 1.0 : 0.0;
}

// A name that is looked up with each open need not be followed by a question for its modes: what
// was told counts for the open at hand, until the kernel's next tick.
static double entry_attribute_timeout_s(const struct node *node) {
    return node->entry->is_of_newest ? 1e-9 : attribute_timeout_s(node);
}

void reply_error(struct fuse_req *request, int error) {
    fuse_reply_err(request, error);
}

void reply_bytes(struct fuse_req *request, struct slice slice) {
    fuse_reply_buf(request, slice.data, slice.length);
}

void reply_written(struct fuse_req *request, size_t count) {
    fuse_reply_write(request, count);
}

void reply_entry(struct fuse_req *request, struct fs *fs, const struct node *node) {
    struct fuse_entry_param entry = {
        .ino = tree_inode(node),
        .generation = 1,
        .attr_timeout = entry_attribute_timeout_s(node),
        .entry_timeout = name_timeout_s(node),
    };
    tree_stat(fs, node, &entry.attr);
    fuse_reply_entry(request, &entry);
}

void reply_attributes(struct fuse_req *request, struct fs *fs, const struct node *node) {
    struct stat attributes;
    tree_stat(fs, node, &attributes);
    fuse_reply_attr(request, &attributes, attribute_timeout_s(node));
}

void reply_attribute(struct fuse_req *request, struct slice value, size_t size) {
    if (size == 0)
        fuse_reply_xattr(request, value.length);
    else if (value.length > size)
        reply_error(request, ERROR_NO_ROOM);
    else
        reply_bytes(request, value);
}

void reply_link(struct fuse_req *request, const char *target) {
    fuse_reply_readlink(request, target);
}

bool reply_open(struct fuse_req *request, const struct fuse_file_info *info) {
    return fuse_reply_open(request, info) == 0;
}

void reply_poll(struct fuse_req *request, unsigned bits) {
    fuse_reply_poll(request, bits);
}

// Nothing here has a real size; there is always room, so that no tool refuses to write.
void reply_file_system(struct fuse_req *request, struct fs *fs) {
    enum { BLOCKS = 1 << 20, FILES = 1 << 20 };
    struct statvfs figures = {
        .f_bsize = 4096,
        .f_frsize = 4096,
        .f_blocks = BLOCKS,
        .f_bfree = BLOCKS,
        .f_bavail = BLOCKS,
        .f_files = FILES,
        .f_ffree = FILES,
        .f_favail = FILES,
        .f_namemax = NAME_MAX,
    };
    fuse_reply_statfs(request, &figures);
}
