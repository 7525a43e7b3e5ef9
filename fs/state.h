/*
 * state: the struct behind fs.h, for the files of this folder only.
 */
#ifndef ASKFS_FS_STATE_H
#define ASKFS_FS_STATE_H

#include <fuse3/fuse_lowlevel.h>

#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/interrupt.h"

/* Sizes that took a rendering to find out, of texts that no longer change. */
enum { SIZES_KEPT = 512 };
struct known_size {
    uint64_t inode;
    int64_t changed_wall_ns;
    size_t size;
};

struct fs {
    struct fs_parts parts;
    struct fuse_session *session;
    struct fuse_buf buffer; /* what the kernel sent; libfuse's memory */
    uid_t uid;
    gid_t gid;
    int64_t mounted_wall_ns;
    int64_t configured_wall_ns;   /* when the configuration in force was loaded */
    unsigned kernel_interface[2]; /* major, minor; what kernel and libfuse agreed on */
    bool is_nonblocking;          /* the descriptor was told */
    bool is_initialised;          /* the kernel's INIT was handled */
    bool was_ready;               /* and parts.ready was called */
    bool is_abandoned;            /* nothing may be parked any more */
    struct handles handles;
    struct interrupts interrupts;
    struct place **places; /* by provider index */
    size_t place_count;
    struct known_size sizes[SIZES_KEPT];
};

extern const struct fuse_lowlevel_ops fs_operations; /* ops.c */

#endif
