/* The life of the session: made, served message by message, abandoned, destroyed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/place.h"
#include "fs/state.h"

// Messages handled in one call, so that the sockets get their turn.
enum { BATCH = 64 };

// What libfuse turns on by itself, and must not.
enum {
    UNWANTED = FUSE_CAP_ASYNC_DIO | FUSE_CAP_ASYNC_READ | FUSE_CAP_WRITEBACK_CACHE |
               FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
               FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS
};

// With asynchronous reads a blocked reader would take a background slot, and RELEASE, on which
// prompts are sent, is a background request too.
static void initialise(void *userdata, struct fuse_conn_info *connection) {
    struct fs *fs = userdata;
    connection->want &= ~(unsigned)UNWANTED;
    connection->want |= connection->capable & FUSE_CAP_ATOMIC_O_TRUNC;
    connection->max_background = 65535;
    connection->congestion_threshold = 65535;
    fs->kernel_interface[0] = connection->proto_major;
    fs->kernel_interface[1] = connection->proto_minor;
    fs->mounted_wall_ns = fs->configured_wall_ns = fs->parts.clock->wall_ns;
    fs->is_initialised = true;
}

struct fs *fs_create(const struct fs_parts *parts, int fuse_argc, char **fuse_argv) {
    struct fs *fs = calloc(1, sizeof(*fs));
    if (!fs) return NULL;
    fs->parts = *parts;
    json_incref(fs->parts.config_shown);
    fs->uid = getuid();
    fs->gid = getgid();
    if (!interrupts_init(fs)) goto free_fs;

    struct fuse_lowlevel_ops operations = fs_operations;
    operations.init = initialise;
    struct fuse_args arguments = FUSE_ARGS_INIT(fuse_argc, fuse_argv);
    fs->session = fuse_session_new(&arguments, &operations, sizeof(operations), fs);
    fuse_opt_free_args(&arguments);
    if (!fs->session) goto finish_interrupts;
    return fs;

finish_interrupts:
    interrupts_finish(fs);
free_fs:
    json_decref(fs->parts.config_shown);
    free(fs);
    return NULL;
}

bool fs_show_config(struct fs *fs, json_t *config_shown) {
    if (!config_shown) return false;
    json_decref(fs->parts.config_shown);
    fs->parts.config_shown = json_incref(config_shown);
    fs->configured_wall_ns = fs->parts.clock->wall_ns;
    return true;
}

struct fuse_session *fs_session(struct fs *fs) {
    return fs->session;
}

static bool make_nonblocking(struct fs *fs) {
    int fd = fuse_session_fd(fs->session);
    int flags = fcntl(fd, F_GETFL);
    fs->is_nonblocking = flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
    return fs->is_nonblocking;
}

// The reply to INIT has gone out by the time its message is handled.
static void tell_ready(struct fs *fs) {
    if (fs->was_ready || !fs->is_initialised) return;
    fs->was_ready = true;
    if (fs->parts.ready) fs->parts.ready(fs->parts.owner);
}

// A prompt that was just closed is to be sent before its writer's next question is answered: the
// provider can think while the writer still opens the response.
static bool is_urged(const struct fs *fs) {
    return timers_next_ns(fs->parts.timers) <= fs->parts.clock->now_ns + 1;
}

bool fs_receive(struct fs *fs) {
    if (!fs->is_nonblocking && !make_nonblocking(fs)) return false;
    for (int i = 0; i < BATCH && !(i && is_urged(fs)); i++) {
        int length = fuse_session_receive_buf(fs->session, &fs->buffer);
        if (length == -EAGAIN) break;
        if (length == -EINTR) continue;
        if (length <= 0) return false; // ENODEV: unmounted
        fuse_session_process_buf(fs->session, &fs->buffer);
        interrupts_look(fs);
        tell_ready(fs);
    }
    return !fuse_session_exited(fs->session);
}

void fs_abandon(struct fs *fs) {
    fs->is_abandoned = true;
    handles_abandon(fs);
}

void fs_destroy(struct fs *fs) {
    if (!fs) return;
    fs_abandon(fs);
    handles_close(fs);
    interrupts_finish(fs);
    places_destroy(fs);
    fuse_session_destroy(fs->session);
    free(fs->buffer.mem);
    json_decref(fs->parts.config_shown);
    free(fs);
}
