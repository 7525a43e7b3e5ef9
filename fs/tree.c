#include "fs/tree.h"

#include <limits.h>
#include <string.h>

#include "fs/errors.h"
#include "fs/inode.h"
#include "fs/kind.h"
#include "fs/kinds/kinds.h"
#include "fs/place.h"
#include "fs/state.h"

enum { BLOCK_SIZE = 4096, STAT_BLOCK = 512 };

uint64_t tree_inode(const struct node *node) {
    struct inode_parts parts = {
        .provider = node->provider ? node->provider_index + 1 : 0,
        .serial = node->request ? request_serial(node->request) : node->round,
        .entry = layout_number(node->entry),
    };
    return inode_pack(&parts);
}

int tree_find(struct fs *fs, uint64_t inode, struct node *node_out) {
    struct inode_parts parts = inode_unpack(inode);
    struct node node = { .entry = layout_entry(parts.entry) };
    if (!node.entry) return ERROR_STALE;
    if (parts.provider) {
        node.provider_index = parts.provider - 1;
        node.provider = engine_provider(fs->parts.engine, node.provider_index);
        if (!node.provider) return ERROR_STALE;
    }
    if (node.entry->is_of_newest) {
        node.round = parts.serial;
    } else if (parts.serial) {
        node.request = provider_request(node.provider, parts.serial);
        if (!node.request) node.request = handles_find_request(fs, inode);
        if (!node.request) return ERROR_STALE;
    }
    *node_out = node;
    return 0;
}

// ---- names ----

static bool find_provider(struct fs *fs, const char *name, struct node *node) {
    struct provider *provider;
    for (size_t i = 0; (provider = engine_next_shown(fs->parts.engine, &i));) {
        if (strcmp(provider_name(provider), name) != 0) continue;
        node->provider = provider;
        node->provider_index = i - 1;
        return true;
    }
    return false;
}

// A route's failures are those of its providers.
static bool is_shown(const struct fs *fs, const struct node *node) {
    if (!node->entry->is_rehearsal) return true;
    const struct provider_config *config = provider_config(node->provider);
    if (config_is_route(config)) return false;
    return fs->parts.faults || strcmp(config->type->name, "sim") == 0;
}

// Fills in whom a nameless entry stands for.
static bool find_nameless(struct fs *fs, const char *name, struct node *node) {
    if (node->entry->holds == DIRECTORY_PROVIDER) return find_provider(fs, name, node);
    node->request = provider_find_request(node->provider, name);
    return node->request != NULL;
}

int tree_lookup(struct fs *fs, const struct node *directory, const char *name,
                struct node *node_out) {
    struct node node = *directory;
    if (strlen(name) > NAME_MAX) return ERROR_LONG_NAME; // the kernel lets 1,024 bytes through
    node.entry = layout_find(directory->entry->holds, name);
    if (!node.entry) return ERROR_NO_NAME;
    if (!node.entry->name && !find_nameless(fs, name, &node)) return ERROR_NO_NAME;
    if (S_ISLNK(node.entry->mode) && !tree_link_target(&node)) return ERROR_NO_NAME;
    if (!is_shown(fs, &node)) return ERROR_NO_NAME;
    if (node.entry->is_of_newest) node.round = place_round(fs, &node);
    *node_out = node;
    return 0;
}

static void find_parent(const struct node *node, struct node *parent_out) {
    struct node parent = *node;
    enum directory in = node->entry->in;
    parent.entry = layout_directory(in == DIRECTORY_NONE ? DIRECTORY_ROOT : in);
    parent.round = 0;
    if (in == DIRECTORY_REQUESTS) parent.request = NULL;
    if (in == DIRECTORY_ROOT || in == DIRECTORY_NONE) parent.provider = NULL;
    *parent_out = parent;
}

const char *tree_link_target(const struct node *node) {
    struct request *newest = provider_newest_request(node->provider);
    return newest ? request_id(newest) : NULL;
}

struct request *node_request(const struct node *node) {
    if (node->request) return node->request;
    return node->provider ? provider_newest_request(node->provider) : NULL;
}

uint64_t node_serial(const struct node *node) {
    const struct request *request = node_request(node);
    return request ? request_serial(request) : 0;
}

// ---- walks ----

// A cookie is 1 for ".", 2 for "..", 2 + n for entry n, and above that a provider's index or a
// request's serial, which stays in its place however many come and go.
enum { COOKIE_DOT = 1, COOKIE_DOT_DOT = 2, COOKIE_NAMELESS = 2 + INODE_ENTRIES_MAX };

static bool next_entry(const struct fs *fs, const struct node *directory, uint64_t *cookie,
                       struct node *node, const char **name_out) {
    for (size_t i = *cookie - COOKIE_DOT_DOT + 1; i <= layout_count(); i++) {
        const struct entry *entry = layout_entry(i);
        if (entry->in != directory->entry->holds || !entry->name) continue;
        *node = *directory;
        node->entry = entry;
        if (S_ISLNK(entry->mode) && !tree_link_target(node)) continue;
        if (!is_shown(fs, node)) continue;
        if (entry->is_of_newest) node->round = place_round(fs, node);
        *cookie = COOKIE_DOT_DOT + i;
        *name_out = entry->name;
        return true;
    }
    return false;
}

static bool next_provider(struct fs *fs, uint64_t *cookie, struct node *node,
                          const char **name_out) {
    size_t index = *cookie > COOKIE_NAMELESS ? *cookie - COOKIE_NAMELESS : 0;
    node->provider = engine_next_shown(fs->parts.engine, &index);
    if (!node->provider) return false;
    node->provider_index = index - 1;
    *name_out = provider_name(node->provider);
    *cookie = COOKIE_NAMELESS + index;
    return true;
}

static bool next_request(uint64_t *cookie, struct node *node, const char **name_out) {
    uint64_t before = *cookie > COOKIE_NAMELESS ? *cookie - COOKIE_NAMELESS : UINT64_MAX;
    struct request *request = provider_request_before(node->provider, before);
    if (!request) return false;
    node->request = request;
    *name_out = request_id(request);
    *cookie = COOKIE_NAMELESS + request_serial(request);
    return true;
}

static bool next_nameless(struct fs *fs, const struct node *directory, uint64_t *cookie,
                          struct node *node_out, const char **name_out) {
    // No entry has this name, so it is the nameless one.
    const struct entry *entry = layout_find(directory->entry->holds, "");
    if (!entry) return false;
    struct node node = *directory;
    node.entry = entry;
    bool found = entry->holds == DIRECTORY_PROVIDER ? next_provider(fs, cookie, &node, name_out)
                                                    : next_request(cookie, &node, name_out);
    if (found) *node_out = node;
    return found;
}

bool tree_next(struct fs *fs, const struct node *directory, uint64_t *cookie, struct node *node_out,
               const char **name_out) {
    if (*cookie < COOKIE_DOT_DOT) {
        *cookie += 1;
        *name_out = *cookie == COOKIE_DOT ? "." : "..";
        *node_out = *directory;
        if (*cookie == COOKIE_DOT_DOT) find_parent(directory, node_out);
        return true;
    }
    if (*cookie < COOKIE_NAMELESS && next_entry(fs, directory, cookie, node_out, name_out))
        return true;
    return next_nameless(fs, directory, cookie, node_out, name_out);
}

// ---- stat ----

static nlink_t count_links(struct fs *fs, const struct node *node) {
    switch (node->entry->holds) {
    case DIRECTORY_ROOT:
        return 2 + engine_shown_count(fs->parts.engine);
    case DIRECTORY_PROVIDER:
        return 2 + 1; // requests
    case DIRECTORY_REQUESTS:
        return 2 + provider_request_count(node->provider);
    case DIRECTORY_REQUEST:
        return 2;
    case DIRECTORY_NONE:
        break;
    }
    return 1;
}

static int64_t newest_change_ns(struct fs *fs, const struct provider *provider) {
    struct request *newest = provider_newest_request(provider);
    return newest ? request_changed_wall_ns(newest) : fs->mounted_wall_ns;
}

static int64_t changed_ns(struct fs *fs, const struct node *node) {
    if (node->entry->is_static) return fs->mounted_wall_ns;
    if (node->entry->is_of_config) return fs->configured_wall_ns;
    const struct kind *kind = node->entry->kind;
    if (kind && kind->changed_ns) return kind->changed_ns(fs, node);
    if (node->request) return request_changed_wall_ns(node->request);
    if (node->provider) return newest_change_ns(fs, node->provider);
    int64_t newest_ns = fs->configured_wall_ns;
    const struct provider *provider;
    for (size_t i = 0; (provider = engine_next_shown(fs->parts.engine, &i));) {
        int64_t change_ns = newest_change_ns(fs, provider);
        if (change_ns > newest_ns) newest_ns = change_ns;
    }
    return newest_ns;
}

static size_t size_of(struct fs *fs, const struct node *node) {
    if (S_ISLNK(node->entry->mode)) {
        const char *target = tree_link_target(node);
        return target ? strlen(target) : 0;
    }
    return entry_is_file(node->entry) ? node->entry->kind->size(fs, node) : 0;
}

void tree_stat(struct fs *fs, const struct node *node, struct stat *stat_out) {
    int64_t ns = changed_ns(fs, node);
    struct timespec changed = { ns / TIME_S, ns % TIME_S };
    size_t size = size_of(fs, node);
    *stat_out = (struct stat){
        .st_ino = tree_inode(node),
        .st_mode = node->entry->mode,
        .st_nlink = count_links(fs, node),
        .st_uid = fs->uid,
        .st_gid = fs->gid,
        .st_size = (off_t)size,
        .st_blksize = BLOCK_SIZE,
        .st_blocks = (blkcnt_t)((size + STAT_BLOCK - 1) / STAT_BLOCK),
        .st_atim = changed,
        .st_mtim = changed,
        .st_ctim = changed,
    };
}

bool tree_is_steady(const struct node *node) {
    // Only writing changes a prompt, and then the kernel asks again by itself; not having to ask at
    // each open is a fifth of what it takes to get a prompt on its way.
    if (node->entry->kind == &kind_prompt) return true;
    if (entry_is_directory(node->entry)) return node->entry->holds != DIRECTORY_REQUESTS;
    return node->entry->is_static;
}
