/*
 * setting: model, system, options.json. A write is the whole new value, in a draft of its own for
 * each open; `>>` adds to the value there is. It takes effect when a descriptor is closed, so that
 * a refusal reaches the writer's close(2).
 */
#include <fcntl.h>

#include "core/events/event_kinds.h"
#include "fs/draft.h"
#include "fs/errors.h"
#include "fs/kinds/kinds.h"
#include "fs/kinds/text.h"
#include "fs/process.h"
#include "fs/state.h"

struct setting {
    const char *(*set)(struct provider *provider, struct slice text);
    size_t length_max;
};

struct setting_handle {
    struct handle handle;
    bool is_written; /* opened for writing: draft is in use */
    bool is_emptied; /* by O_TRUNC, which comes before shells flush: counts when nothing follows */
    bool is_dirty;   /* the draft was changed since it was applied */
    struct draft draft;
};

static int apply(struct fs *fs, const struct node *node, struct slice text) {
    const char *problem = node->entry->setting->set(node->provider, text);
    if (!problem) return 0;
    event_setting_refused(engine_events(fs->parts.engine), fs->parts.clock->wall_ns,
                          provider_name(node->provider), node->entry->name, problem);
    return ERROR_REFUSED_VALUE;
}

// What `>>` adds to: the value as it reads.
static int begin_with_value(struct setting_handle *setting) {
    struct bytes *text = &setting->draft.text;
    const struct node *node = &setting->handle.node;
    return node->entry->text->render(setting->handle.fs, node, text) ? 0 : ERROR_NO_MEMORY;
}

static int open_setting(struct fs *fs, const struct node *node, int flags,
                        struct handle **handle_out) {
    struct setting_handle *setting =
        (struct setting_handle *)handle_create(fs, node, sizeof(*setting));
    if (!setting) return ERROR_NO_MEMORY;
    setting->is_written = (flags & O_ACCMODE) != O_RDONLY;
    setting->is_emptied = setting->is_written && (flags & O_TRUNC);
    draft_init(&setting->draft, node->entry->setting->length_max, false);
    int error = 0;
    if ((flags & O_ACCMODE) != O_WRONLY) error = text_render(&setting->handle);
    if (!error && setting->is_written && (flags & O_APPEND) && !(flags & O_TRUNC))
        error = begin_with_value(setting);
    if (error) {
        draft_finish(&setting->draft);
        handle_destroy(&setting->handle);
        return error;
    }
    *handle_out = &setting->handle;
    return 0;
}

static int write_setting(struct handle *handle, struct slice slice, size_t offset, int flags) {
    struct setting_handle *setting = (struct setting_handle *)handle;
    int error = draft_write(&setting->draft, offset, slice, flags & O_APPEND);
    setting->is_dirty = !error;
    return error;
}

static int flush_setting(struct handle *handle, pid_t thread) {
    struct setting_handle *setting = (struct setting_handle *)handle;
    if (!setting->is_dirty) return 0;
    setting->is_dirty = false;
    setting->is_emptied = false;
    if (process_is_killed(thread)) return 0; // half a value is no value
    return apply(handle->fs, &handle->node, bytes_slice(&setting->draft.text));
}

// By name (truncate(2)) there is no draft, and only emptying means something.
static int resize_setting(struct fs *fs, const struct node *node, struct handle *handle,
                          size_t length) {
    struct setting_handle *setting = (struct setting_handle *)handle;
    if (!setting) return length ? ERROR_REFUSED_VALUE : apply(fs, node, (struct slice){ 0 });
    int error = draft_resize(&setting->draft, length);
    if (error) return error;
    setting->is_emptied = length == 0;
    setting->is_dirty = length != 0;
    return 0;
}

static void close_setting(struct handle *handle) {
    struct setting_handle *setting = (struct setting_handle *)handle;
    bool is_changed = setting->is_dirty || (setting->is_emptied && !setting->draft.error);
    if (is_changed && !handle->fs->is_abandoned)
        apply(handle->fs, &handle->node, bytes_slice(&setting->draft.text));
    draft_finish(&setting->draft);
    handle_destroy(handle);
}

const struct setting setting_model = { provider_set_model, 1 << 10 };
const struct setting setting_system = { provider_set_system, 1 << 20 };
const struct setting setting_options = { provider_set_options, 1 << 20 };

const struct kind kind_setting = {
    .size = text_size,
    .open = open_setting,
    .read = handle_read_text,
    .write = write_setting,
    .flush = flush_setting,
    .resize = resize_setting,
    .close = close_setting,
};
