/* The operation table: find the node, hand over, nothing else. */
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <stdlib.h>

#include "fs/errors.h"
#include "fs/kind.h"
#include "fs/reply.h"
#include "fs/state.h"
#include "fs/xattr.h"

static struct fs *fs_of(fuse_req_t request) {
    return fuse_req_userdata(request);
}

static struct handle *handle_of(const struct fuse_file_info *info) {
    return (struct handle *)(uintptr_t)info->fh;
}

static const struct kind *kind_of(const struct fuse_file_info *info) {
    return handle_of(info)->node.entry->kind;
}

// False: it was answered that there is none.
static bool find(fuse_req_t request, fuse_ino_t inode, struct node *node_out) {
    int error = tree_find(fs_of(request), inode, node_out);
    if (error) reply_error(request, error);
    return !error;
}

// ---- names ----

static void lookup(fuse_req_t request, fuse_ino_t inode, const char *name) {
    struct node directory;
    struct node node;
    if (!find(request, inode, &directory)) return;
    int error = tree_lookup(fs_of(request), &directory, name, &node);
    if (error)
        reply_error(request, error);
    else
        reply_entry(request, fs_of(request), &node);
}

static void getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info) {
    struct node node;
    if (find(request, inode, &node)) reply_attributes(request, fs_of(request), &node);
}

static void readlink_of(fuse_req_t request, fuse_ino_t inode) {
    struct node node;
    if (!find(request, inode, &node)) return;
    const char *target = tree_link_target(&node);
    if (target)
        reply_link(request, target);
    else
        reply_error(request, ERROR_NO_NAME);
}

static void readdir_of(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                       struct fuse_file_info *info) {
    struct node directory;
    if (!find(request, inode, &directory)) return;
    char *page = malloc(size);
    if (!page) {
        reply_error(request, ERROR_NO_MEMORY);
        return;
    }
    size_t used = 0;
    uint64_t cookie = (uint64_t)offset;
    struct node node;
    const char *name;
    while (tree_next(fs_of(request), &directory, &cookie, &node, &name)) {
        struct stat stat = { .st_ino = tree_inode(&node), .st_mode = node.entry->mode };
        size_t length =
            fuse_add_direntry(request, page + used, size - used, name, &stat, (off_t)cookie);
        if (length > size - used) break;
        used += length;
    }
    reply_bytes(request, (struct slice){ page, used });
    free(page);
}

// ---- attributes ----

static bool changes_owner(struct fs *fs, const struct stat *wanted, int which) {
    return ((which & FUSE_SET_ATTR_UID) && wanted->st_uid != fs->uid) ||
           ((which & FUSE_SET_ATTR_GID) && wanted->st_gid != fs->gid);
}

// Modes and times of what can be written are set by copiers and editors: granted, and not kept.
static int set_attributes(struct fs *fs, const struct node *node, const struct stat *wanted,
                          int which, struct handle *handle) {
    const struct entry *entry = node->entry;
    if (!entry_is_file(entry) || !entry->kind->write) return ERROR_NOT_ALLOWED;
    if (changes_owner(fs, wanted, which)) return ERROR_NOT_OWNER;
    if (!(which & FUSE_SET_ATTR_SIZE) || !entry->kind->resize) return 0;
    return entry->kind->resize(fs, node, handle, (size_t)wanted->st_size);
}

static void setattr(fuse_req_t request, fuse_ino_t inode, struct stat *wanted, int which,
                    struct fuse_file_info *info) {
    struct fs *fs = fs_of(request);
    struct node node;
    if (!find(request, inode, &node)) return;
    int error = set_attributes(fs, &node, wanted, which, info ? handle_of(info) : NULL);
    if (error)
        reply_error(request, error);
    else
        reply_attributes(request, fs, &node);
}

static void getxattr_of(fuse_req_t request, fuse_ino_t inode, const char *name, size_t size) {
    struct node node;
    struct bytes value;
    int error;
    if (!xattr_is_known(name, &error)) {
        reply_error(request, error);
        return;
    }
    if (!find(request, inode, &node)) return;
    bytes_init(&value, XATTR_SIZE_MAX);
    error = xattr_get(&node, &value);
    if (error)
        reply_error(request, error);
    else
        reply_attribute(request, bytes_slice(&value), size);
    bytes_finish(&value);
}

static void listxattr_of(fuse_req_t request, fuse_ino_t inode, size_t size) {
    struct node node;
    struct bytes names;
    if (!find(request, inode, &node)) return;
    bytes_init(&names, XATTR_LIST_MAX);
    int error = xattr_list(&node, &names);
    if (error)
        reply_error(request, error);
    else
        reply_attribute(request, bytes_slice(&names), size);
    bytes_finish(&names);
}

static void statfs_of(fuse_req_t request, fuse_ino_t inode) {
    reply_file_system(request, fs_of(request));
}

// ---- open files ----

// Modes say to whom a file belongs, and the kernel asks them; what can be done with it is the same
// for its owner and for root.
static bool kind_allows(const struct kind *kind, int flags) {
    int access = flags & O_ACCMODE;
    if (access != O_WRONLY && !kind->read) return false;
    return access == O_RDONLY || kind->write;
}

static void open_file(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info) {
    struct node node;
    struct handle *handle = NULL;
    if (!find(request, inode, &node)) return;
    if (!kind_allows(node.entry->kind, info->flags)) {
        reply_error(request, ERROR_NOT_ALLOWED);
        return;
    }
    // Then the kernel looks its name up once more, and finds what has it now.
    bool is_gone = node.provider && provider_is_removed(node.provider);
    int error =
        is_gone ? ERROR_STALE : node.entry->kind->open(fs_of(request), &node, info->flags, &handle);
    if (error) {
        reply_error(request, error);
        return;
    }
    info->fh = (uintptr_t)handle;
    info->direct_io = 1;
    info->noflush = !node.entry->kind->flush;
    if (!reply_open(request, info)) node.entry->kind->close(handle);
}

// posix_fadvise(POSIX_FADV_WILLNEED) makes the kernel read through whatever descriptor it was
// given, and what it gets is what sendfile gives to others.
static void read_file(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                      struct fuse_file_info *info) {
    if ((info->flags & O_ACCMODE) == O_WRONLY) {
        reply_error(request, ERROR_NOT_ALLOWED);
        return;
    }
    kind_of(info)->read(handle_of(info), request, size, (size_t)offset, info->flags);
}

static void write_file(fuse_req_t request, fuse_ino_t inode, const char *data, size_t size,
                       off_t offset, struct fuse_file_info *info) {
    struct slice slice = { data, size };
    int error = kind_of(info)->write(handle_of(info), slice, (size_t)offset, info->flags);
    if (error)
        reply_error(request, error);
    else
        reply_written(request, size);
}

static void flush_file(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info) {
    const struct kind *kind = kind_of(info);
    pid_t thread = fuse_req_ctx(request)->pid;
    reply_error(request, kind->flush ? kind->flush(handle_of(info), thread) : 0);
}

static void sync_file(fuse_req_t request, fuse_ino_t inode, int data_only,
                      struct fuse_file_info *info) {
    reply_error(request, 0);
}

static void release_file(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info) {
    kind_of(info)->close(handle_of(info));
    reply_error(request, 0);
}

static void poll_file(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info,
                      struct fuse_pollhandle *pollhandle) {
    const struct kind *kind = kind_of(info);
    unsigned bits = POLLIN | POLLRDNORM;
    if (kind->poll)
        bits = kind->poll(handle_of(info), pollhandle);
    else if (pollhandle)
        fuse_pollhandle_destroy(pollhandle);
    if (kind->write) bits |= POLLOUT | POLLWRNORM;
    reply_poll(request, bits);
}

// ---- what the tree does not allow: names are given, not made ----

static void refuse_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                         dev_t device) {
    reply_error(request, ERROR_NOT_ALLOWED);
}

static void refuse_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode) {
    reply_error(request, ERROR_NOT_ALLOWED);
}

static void refuse_name(fuse_req_t request, fuse_ino_t parent, const char *name) {
    reply_error(request, ERROR_NOT_ALLOWED);
}

static void refuse_symlink(fuse_req_t request, const char *target, fuse_ino_t parent,
                           const char *name) {
    reply_error(request, ERROR_NOT_ALLOWED);
}

static void refuse_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
                          fuse_ino_t new_parent, const char *new_name, unsigned flags) {
    reply_error(request, ERROR_NOT_ALLOWED);
}

static void refuse_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t new_parent,
                        const char *new_name) {
    reply_error(request, ERROR_NOT_ALLOWED);
}

static void refuse_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                          struct fuse_file_info *info) {
    reply_error(request, ERROR_NOT_ALLOWED);
}

// Left out on purpose: locks (the kernel's own are right), setting and removing extended attributes
// (the kernel answers EOPNOTSUPP by itself), forget (nothing is counted), copy_file_range and
// fallocate (tools fall back).
const struct fuse_lowlevel_ops fs_operations = {
    .lookup = lookup,
    .getattr = getattr,
    .setattr = setattr,
    .readlink = readlink_of,
    .readdir = readdir_of,
    .getxattr = getxattr_of,
    .listxattr = listxattr_of,
    .statfs = statfs_of,
    .open = open_file,
    .read = read_file,
    .write = write_file,
    .flush = flush_file,
    .fsync = sync_file,
    .release = release_file,
    .poll = poll_file,
    .mknod = refuse_mknod,
    .mkdir = refuse_mkdir,
    .unlink = refuse_name,
    .rmdir = refuse_name,
    .symlink = refuse_symlink,
    .rename = refuse_rename,
    .link = refuse_link,
    .create = refuse_create,
};
