/*
 * inode: the number of a file, which says by itself where the file is. Pure.
 *
 *   63      48 47                          8 7        0
 *   ┌─────────┬─────────────────────────────┬──────────┐
 *   │provider │ request serial, or a round  │ entry    │
 *   └─────────┴─────────────────────────────┴──────────┘
 *
 * A serial is never given twice, so neither is a number: nothing has to be counted or forgotten,
 * and the generation is always the same. The root is entry 1 of nobody, thus 1, as FUSE wants it.
 */
#ifndef ASKFS_FS_INODE_H
#define ASKFS_FS_INODE_H

#include <stddef.h>
#include <stdint.h>

enum { INODE_ENTRIES_MAX = 1 << 8, INODE_PROVIDERS_MAX = (1 << 15) - 1 };
#define INODE_SERIAL_MAX ((UINT64_C(1) << 40) - 1)

struct inode_parts {
    size_t provider; /* index + 1; 0: of no provider */
    uint64_t serial; /* 0: of no request; of what is about the newest one: the round (place.h) */
    size_t entry;    /* number in the layout */
};

/* The parts are within the maxima above. */
uint64_t inode_pack(const struct inode_parts *parts);
struct inode_parts inode_unpack(uint64_t inode);

#endif
