/*
 * kind: what a kind of virtual file does when it is opened, read, written and closed. One file in
 * kinds/ behind each; nothing outside that file knows which one it has.
 *
 * Everything runs in the loop and must not wait: a read that has to is parked (reader.h).
 */
#ifndef ASKFS_FS_KIND_H
#define ASKFS_FS_KIND_H

#include <sys/types.h>

#include "fs/handle.h"

struct fuse_pollhandle;
struct fuse_req;

struct kind {
    /* What stat says while nobody has it open, or whoever has. */
    size_t (*size)(struct fs *fs, const struct node *node);

    /* What it reads is what an open would read now. NULL: never certain. */
    bool (*is_newest)(const struct handle *handle);

    /* When that changed. NULL: with the newest request that the file is about. */
    int64_t (*changed_ns)(const struct fs *fs, const struct node *node);

    /* Makes the handle. flags as for open(2), for what it can do. 0 or an errno. */
    int (*open)(struct fs *fs, const struct node *node, int flags, struct handle **handle_out);

    /* Answers the kernel's request, now or later, exactly once. flags: those of open, as they are
     * now. NULL: never opened for reading. */
    void (*read)(struct handle *handle, struct fuse_req *request, size_t size, size_t offset,
                 int flags);

    /* Takes all, or returns an errno. NULL: never opened for writing. */
    int (*write)(struct handle *handle, struct slice slice, size_t offset, int flags);

    /* A descriptor of the handle is closed by thread, perhaps not the last one. NULL: all is well.
     */
    int (*flush)(struct handle *handle, pid_t thread);

    /* The file is given a length. handle NULL: by its name. NULL: all is well. */
    int (*resize)(struct fs *fs, const struct node *node, struct handle *handle, size_t length);

    /* Would a read wait? pollhandle, when not NULL, is the kind's to destroy, after telling once
     * that it no longer would. Returns poll(2) bits. NULL: nothing here ever waits. */
    unsigned (*poll)(struct handle *handle, struct fuse_pollhandle *pollhandle);

    /* Answers what is parked with an errno. NULL: nothing ever is. */
    void (*abandon)(struct handle *handle);

    /* The last descriptor is gone; nothing is parked. Frees the handle. */
    void (*close)(struct handle *handle);
};

#endif
