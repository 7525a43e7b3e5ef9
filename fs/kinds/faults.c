/*
 * faults: failures to rehearse. Read, the rules and how often each fired; written, as with tracefs:
 * `>` puts rules in the place of those that are there, `>>` adds to them, and the line "clear"
 * removes what is before it. Each write is whole lines, takes effect at once, and is refused as a
 * whole: the reason is in `events`.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "core/events/event_kinds.h"
#include "core/policy/fault_rules.h"
#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/kinds/text.h"
#include "fs/state.h"

struct faults {
    struct handle handle;
    bool is_emptied; /* by O_TRUNC, which comes before it is known whether the rules are good */
};

static bool is_writable(int flags) {
    return (flags & O_ACCMODE) != O_RDONLY;
}

static int open_faults(struct fs *fs, const struct node *node, int flags,
                       struct handle **handle_out) {
    struct faults *faults = (struct faults *)handle_create(fs, node, sizeof(*faults));
    if (!faults) return ERROR_NO_MEMORY;
    faults->is_emptied = is_writable(flags) && (flags & O_TRUNC);
    int error = (flags & O_ACCMODE) == O_WRONLY ? 0 : text_render(&faults->handle);
    if (error) {
        handle_destroy(&faults->handle);
        return error;
    }
    *handle_out = &faults->handle;
    return 0;
}

static void tell(struct fs *fs, const struct node *node, const struct fault_rules *rules,
                 const char *problem) {
    struct events *events = engine_events(fs->parts.engine);
    int64_t wall_ns = fs->parts.clock->wall_ns;
    if (problem)
        event_faults_refused(events, wall_ns, provider_name(node->provider), problem);
    else
        event_faults_set(events, wall_ns, provider_name(node->provider), rules->count);
}

static int write_rules(struct faults *faults, struct slice text) {
    const struct node *node = &faults->handle.node;
    struct fault_rules *rules = provider_faults(node->provider);
    struct fault_rules *changed = rules ? calloc(1, sizeof(*changed)) : NULL;
    char problem[FAULT_PROBLEM_SIZE];
    if (!changed) return ERROR_NO_MEMORY;
    if (!faults->is_emptied) *changed = *rules;
    bool is_good = fault_rules_parse(changed, text, problem);
    if (is_good) *rules = *changed;
    if (is_good) faults->is_emptied = false;
    free(changed);
    tell(faults->handle.fs, node, rules, is_good ? NULL : problem);
    return is_good ? 0 : ERROR_REFUSED_VALUE;
}

static int write_faults(struct handle *handle, struct slice slice, size_t offset, int flags) {
    return write_rules((struct faults *)handle, slice);
}

static int clear(struct fs *fs, const struct node *node) {
    struct fault_rules *rules = provider_faults(node->provider);
    if (!rules) return ERROR_NO_MEMORY;
    fault_rules_clear(rules);
    tell(fs, node, rules, NULL);
    return 0;
}

static int resize_faults(struct fs *fs, const struct node *node, struct handle *handle,
                         size_t length) {
    struct faults *faults = (struct faults *)handle;
    if (length) return ERROR_REFUSED_VALUE;
    if (!faults) return clear(fs, node);
    faults->is_emptied = true;
    return 0;
}

static void close_faults(struct handle *handle) {
    struct faults *faults = (struct faults *)handle;
    if (faults->is_emptied && !handle->fs->is_abandoned) clear(handle->fs, &handle->node);
    handle_destroy(handle);
}

const struct kind kind_faults = {
    .size = text_size,
    .open = open_faults,
    .read = handle_read_text,
    .write = write_faults,
    .resize = resize_faults,
    .close = close_faults,
};
