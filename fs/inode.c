#include "fs/inode.h"

#include <assert.h>

uint64_t inode_pack(const struct inode_parts *parts) {
    assert(parts->entry < INODE_ENTRIES_MAX);
    assert(parts->serial <= INODE_SERIAL_MAX);
    assert(parts->provider <= INODE_PROVIDERS_MAX);
    return (uint64_t)parts->provider << 48 | parts->serial << 8 | parts->entry;
}

struct inode_parts inode_unpack(uint64_t inode) {
    return (struct inode_parts){
        .provider = inode >> 48,
        .serial = inode >> 8 & INODE_SERIAL_MAX,
        .entry = inode & (INODE_ENTRIES_MAX - 1),
    };
}
