#include "mount/sim/output.h"

#include "mount/sim/server.h"

enum { KEPT_MAX = 512 << 20 };

static void flush(struct output *output);

static size_t left_of(const struct output *output) {
    return output->kept.length - output->written;
}

bool output_is_clogged(const struct output *output) {
    return left_of(output) > 0 || output->waiting.length > 0;
}

static void on_turn(void *owner) {
    struct output *output = owner;
    if (output->is_broken)
        output->parts.broken(output->parts.owner);
    else
        flush(output);
}

static void go_on_next_turn(struct output *output) {
    timer_arm(&output->server->timers, &output->timer, server_next_turn_ns(output->server));
}

// Told from the loop only, so that who sends is never ended meanwhile.
static void note_broken(struct output *output) {
    output->is_broken = true;
    go_on_next_turn(output);
}

void output_init(struct output *output, struct server *server, const struct output_parts *parts) {
    *output = (struct output){ .server = server, .parts = *parts };
    bytes_init(&output->kept, KEPT_MAX);
    bytes_init(&output->waiting, KEPT_MAX);
    timer_init(&output->timer, on_turn, output);
    output->write.data = output;
}

void output_stop(struct output *output) {
    output->is_stopped = true;
    timer_disarm(&output->server->timers, &output->timer);
}

void output_finish(struct output *output) {
    bytes_finish(&output->kept);
    bytes_finish(&output->waiting);
}

void output_split(struct output *output, size_t segment_bytes) {
    output->segment_bytes = segment_bytes;
}

static void on_written(uv_write_t *write, int status) {
    struct output *output = write->data;
    output->written += output->borrowed;
    output->borrowed = 0;
    if (output->is_stopped) return;
    if (status < 0)
        note_broken(output);
    else
        flush(output);
}

// The kernel takes no more: libuv writes these bytes when it does again.
static void lend(struct output *output, size_t length) {
    uv_buf_t buffer = uv_buf_init(output->kept.data + output->written, (unsigned int)length);
    output->borrowed = length;
    if (uv_write(&output->write, (uv_stream_t *)output->parts.tcp, &buffer, 1, on_written) == 0)
        return;
    output->borrowed = 0;
    note_broken(output);
}

// Nothing of kept is left: its memory goes, and what waited is next.
static bool take_waiting(struct output *output) {
    bytes_finish(&output->kept);
    output->written = 0;
    if (output->waiting.length == 0) return false;
    output->kept = output->waiting;
    bytes_init(&output->waiting, KEPT_MAX);
    return true;
}

// How much of length the kernel took; negative: it is broken.
static ssize_t try_write(struct output *output, const char *data, size_t length) {
    uv_buf_t buffer = uv_buf_init((char *)data, (unsigned int)length);
    int taken = uv_try_write((uv_stream_t *)output->parts.tcp, &buffer, 1);
    return taken == UV_EAGAIN ? 0 : taken;
}

// True: there may be more to do at once.
static bool write_some(struct output *output) {
    size_t length = left_of(output);
    if (output->segment_bytes && output->segment_bytes < length) length = output->segment_bytes;
    ssize_t taken = try_write(output, output->kept.data + output->written, length);
    if (taken < 0) {
        note_broken(output);
        return false;
    }
    output->written += (size_t)taken;
    if ((size_t)taken < length) {
        lend(output, length - (size_t)taken);
        return false;
    }
    if (left_of(output) == 0) return true;
    go_on_next_turn(output);
    return false;
}

static void flush(struct output *output) {
    if (output->borrowed || output->is_broken || timer_is_armed(&output->timer)) return;
    while (left_of(output) || take_waiting(output))
        if (!write_some(output)) return;
    output->parts.drained(output->parts.owner);
}

// Keeps data for flush; the bytes that libuv borrows must stay where they are.
static bool keep(struct output *output, struct slice data) {
    struct bytes *bytes = output->borrowed ? &output->waiting : &output->kept;
    if (bytes_append_slice(bytes, data)) return true;
    note_broken(output);
    return false;
}

void output_send(struct output *output, struct slice data) {
    if (output->is_broken || output->is_stopped) return;
    bool direct = !output_is_clogged(output) && !output->segment_bytes;
    ssize_t taken = direct ? try_write(output, data.data, data.length) : 0;
    if (taken < 0) {
        note_broken(output);
        return;
    }
    data.data += taken;
    data.length -= (size_t)taken;
    if (data.length == 0) return;
    bool was_clogged = output_is_clogged(output);
    if (!keep(output, data) || was_clogged) return;
    if (direct)
        lend(output, data.length);
    else
        go_on_next_turn(output);
}
