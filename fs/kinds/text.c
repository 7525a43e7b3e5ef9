#include "fs/kinds/text.h"

#include <stdint.h>

#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/state.h"

static bool render(struct fs *fs, const struct node *node, struct bytes *out) {
    const struct text *text = node->entry->text;
    if (text->needs_request && !node_request(node)) return true;
    return text->render(fs, node, out);
}

static size_t count(struct fs *fs, const struct node *node) {
    struct bytes out;
    bytes_init(&out, SIZE_MAX / 2);
    size_t length = render(fs, node, &out) ? out.length : 0;
    bytes_finish(&out);
    return length;
}

// What an ended request says stays as it is, and may be megabytes: find, ls and du over all records
// must not render each of them again.
static size_t remembered_size(struct fs *fs, const struct node *node) {
    const struct request *request = node->request;
    if (!request || !request_has_ended(request)) return count(fs, node);
    uint64_t inode = tree_inode(node);
    struct known_size *known = &fs->sizes[inode * UINT64_C(0x9e3779b97f4a7c15) % SIZES_KEPT];
    int64_t changed_ns = request_changed_wall_ns(request);
    if (known->inode != inode || known->changed_wall_ns != changed_ns)
        *known = (struct known_size){ inode, changed_ns, count(fs, node) };
    return known->size;
}

size_t text_size(struct fs *fs, const struct node *node) {
    size_t length = 0;
    if (handles_longest_text(fs, tree_inode(node), &length)) return length;
    const struct text *text = node->entry->text;
    if (text->length) return text->length(fs, node);
    return remembered_size(fs, node);
}

// The file is open, and for another request than the newest: what is read of it stays the same.
static const struct handle *open_for_another(const struct fs *fs, const struct node *node) {
    const struct handle *open = handles_find(fs, tree_inode(node));
    bool is_other = node->entry->is_of_newest && open && open->serial != node_serial(node);
    return is_other ? open : NULL;
}

int text_render(struct handle *handle) {
    const struct node *node = &handle->node;
    if (node->entry->text->needs_request && !node_request(node)) return ERROR_NO_REQUEST;
    return render(handle->fs, node, &handle->text) ? 0 : ERROR_NO_MEMORY;
}

static int copy_text(struct handle *handle, const struct handle *other) {
    return bytes_append_slice(&handle->text, bytes_slice(&other->text)) ? 0 : ERROR_NO_MEMORY;
}

static int open_text(struct fs *fs, const struct node *node, int flags,
                     struct handle **handle_out) {
    const struct handle *other = open_for_another(fs, node);
    struct handle *handle = handle_create(fs, node, sizeof(*handle));
    if (!handle) return ERROR_NO_MEMORY;
    if (other) handle->serial = other->serial;
    int error = other ? copy_text(handle, other) : text_render(handle);
    if (error) {
        handle_destroy(handle);
        return error;
    }
    *handle_out = handle;
    return 0;
}

// Of the same request it says the same, or what it said a moment ago.
static bool is_newest(const struct handle *handle) {
    return handle->serial == node_serial(&handle->node);
}

const struct kind kind_text = {
    .size = text_size,
    .is_newest = is_newest,
    .open = open_text,
    .read = handle_read_text,
    .close = handle_destroy,
};
