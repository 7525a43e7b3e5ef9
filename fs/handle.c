#include "fs/handle.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "fs/kind.h"
#include "fs/reply.h"
#include "fs/state.h"

static struct open_inode **bucket_of(struct fs *fs, uint64_t inode) {
    // Entry numbers are small and serials count up: a multiplication spreads both.
    uint64_t mixed = inode * UINT64_C(0x9e3779b97f4a7c15);
    return &fs->handles.buckets[mixed >> 54];
}

static struct open_inode *find_open(const struct fs *fs, uint64_t inode) {
    struct open_inode *open = *bucket_of((struct fs *)fs, inode);
    while (open && open->inode != inode)
        open = open->next;
    return open;
}

static struct open_inode *open_of(struct fs *fs, uint64_t inode) {
    struct open_inode *open = find_open(fs, inode);
    if (open) return open;
    open = calloc(1, sizeof(*open));
    if (!open) return NULL;
    struct open_inode **bucket = bucket_of(fs, inode);
    open->inode = inode;
    open->next = *bucket;
    *bucket = open;
    return open;
}

static void drop_open(struct fs *fs, struct open_inode *open) {
    struct open_inode **link = bucket_of(fs, open->inode);
    while (*link != open)
        link = &(*link)->next;
    *link = open->next;
    free(open);
}

struct handle *handle_create(struct fs *fs, const struct node *node, size_t size) {
    assert(size >= sizeof(struct handle));
    struct handle *handle = calloc(1, size);
    if (!handle) return NULL;
    struct open_inode *open = open_of(fs, tree_inode(node));
    if (!open) {
        free(handle);
        return NULL;
    }
    handle->fs = fs;
    handle->node = *node;
    if (node->request) request_keep(node->request);
    handle->serial = node_serial(node);
    bytes_init(&handle->text, SIZE_MAX / 2);
    handle->next = open->handles;
    if (open->handles) open->handles->previous = handle;
    open->handles = handle;
    return handle;
}

void handle_destroy(struct handle *handle) {
    struct open_inode *open = find_open(handle->fs, tree_inode(&handle->node));
    if (handle->previous)
        handle->previous->next = handle->next;
    else
        open->handles = handle->next;
    if (handle->next) handle->next->previous = handle->previous;
    if (!open->handles) drop_open(handle->fs, open);
    bytes_finish(&handle->text);
    request_release(handle->node.request);
    free(handle);
}

void handle_read_text(struct handle *handle, struct fuse_req *request, size_t size, size_t offset,
                      int flags) {
    struct slice text = bytes_slice(&handle->text);
    if (offset >= text.length) {
        reply_bytes(request, (struct slice){ 0 });
        return;
    }
    size_t left = text.length - offset;
    reply_bytes(request, (struct slice){ text.data + offset, left < size ? left : size });
}

struct handle *handles_find(const struct fs *fs, uint64_t inode) {
    struct open_inode *open = find_open(fs, inode);
    return open ? open->handles : NULL;
}

struct request *handles_find_request(const struct fs *fs, uint64_t inode) {
    struct handle *handle = handles_find(fs, inode);
    return handle ? handle->node.request : NULL;
}

bool handles_longest_text(const struct fs *fs, uint64_t inode, size_t *length_out) {
    struct open_inode *open = find_open(fs, inode);
    if (!open) return false;
    size_t longest = 0;
    for (struct handle *handle = open->handles; handle; handle = handle->next)
        if (handle->text.length > longest) longest = handle->text.length;
    if (longest) *length_out = longest;
    return longest > 0;
}

void handles_abandon(struct fs *fs) {
    for (size_t i = 0; i < HANDLE_BUCKETS; i++)
        for (struct open_inode *open = fs->handles.buckets[i]; open; open = open->next)
            for (struct handle *handle = open->handles; handle; handle = handle->next)
                if (handle->node.entry->kind->abandon) handle->node.entry->kind->abandon(handle);
}

void handles_close(struct fs *fs) {
    for (size_t i = 0; i < HANDLE_BUCKETS; i++)
        while (fs->handles.buckets[i]) {
            struct handle *handle = fs->handles.buckets[i]->handles;
            handle->node.entry->kind->close(handle);
        }
}
