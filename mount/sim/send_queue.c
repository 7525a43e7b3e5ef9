#include "mount/sim/send_queue.h"

#include "mount/sim/server.h"

enum { KEPT_MAX = 512 << 20 };

static void flush(struct send_queue *queue);

static size_t left_of(const struct send_queue *queue) {
    return queue->kept.length - queue->written;
}

bool send_queue_is_clogged(const struct send_queue *queue) {
    return left_of(queue) > 0 || queue->waiting.length > 0;
}

static void on_turn(void *owner) {
    struct send_queue *queue = owner;
    if (queue->is_broken)
        queue->parts.broken(queue->parts.owner);
    else
        flush(queue);
}

static void go_on_next_turn(struct send_queue *queue) {
    timer_arm(&queue->server->timers, &queue->timer, server_next_turn_ns(queue->server));
}

// Told from the loop only, so that who sends is never ended meanwhile.
static void note_broken(struct send_queue *queue) {
    queue->is_broken = true;
    go_on_next_turn(queue);
}

void send_queue_init(struct send_queue *queue, struct server *server,
                     const struct send_queue_parts *parts) {
    *queue = (struct send_queue){ .server = server, .parts = *parts };
    bytes_init(&queue->kept, KEPT_MAX);
    bytes_init(&queue->waiting, KEPT_MAX);
    timer_init(&queue->timer, on_turn, queue);
    queue->write.data = queue;
}

void send_queue_stop(struct send_queue *queue) {
    queue->is_stopped = true;
    timer_disarm(&queue->server->timers, &queue->timer);
}

void send_queue_finish(struct send_queue *queue) {
    bytes_finish(&queue->kept);
    bytes_finish(&queue->waiting);
}

void send_queue_split(struct send_queue *queue, size_t segment_bytes) {
    queue->segment_bytes = segment_bytes;
}

static void on_written(uv_write_t *write, int status) {
    struct send_queue *queue = write->data;
    queue->written += queue->borrowed;
    queue->borrowed = 0;
    if (queue->is_stopped) return;
    if (status < 0)
        note_broken(queue);
    else
        flush(queue);
}

// The kernel takes no more: libuv writes these bytes when it does again.
static void lend(struct send_queue *queue, size_t length) {
    uv_buf_t buffer = uv_buf_init(queue->kept.data + queue->written, (unsigned int)length);
    queue->borrowed = length;
    if (uv_write(&queue->write, (uv_stream_t *)queue->parts.tcp, &buffer, 1, on_written) == 0)
        return;
    queue->borrowed = 0;
    note_broken(queue);
}

// Nothing of kept is left: its memory goes, and what waited is next.
static bool take_waiting(struct send_queue *queue) {
    bytes_finish(&queue->kept);
    queue->written = 0;
    if (queue->waiting.length == 0) return false;
    queue->kept = queue->waiting;
    bytes_init(&queue->waiting, KEPT_MAX);
    return true;
}

// How much of length the kernel took; negative: it is broken.
static ssize_t try_write(struct send_queue *queue, const char *data, size_t length) {
    uv_buf_t buffer = uv_buf_init((char *)data, (unsigned int)length);
    int taken = uv_try_write((uv_stream_t *)queue->parts.tcp, &buffer, 1);
    return taken == UV_EAGAIN ? 0 : taken;
}

// True: there may be more to do at once.
static bool write_some(struct send_queue *queue) {
    size_t length = left_of(queue);
    if (queue->segment_bytes && queue->segment_bytes < length) length = queue->segment_bytes;
    ssize_t taken = try_write(queue, queue->kept.data + queue->written, length);
    if (taken < 0) {
        note_broken(queue);
        return false;
    }
    queue->written += (size_t)taken;
    if ((size_t)taken < length) {
        lend(queue, length - (size_t)taken);
        return false;
    }
    if (left_of(queue) == 0) return true;
    go_on_next_turn(queue);
    return false;
}

static void flush(struct send_queue *queue) {
    if (queue->borrowed || queue->is_broken || timer_is_armed(&queue->timer)) return;
    while (left_of(queue) || take_waiting(queue))
        if (!write_some(queue)) return;
    queue->parts.drained(queue->parts.owner);
}

// Keeps data for flush; the bytes that libuv borrows must stay where they are.
static bool keep(struct send_queue *queue, struct slice data) {
    struct bytes *bytes = queue->borrowed ? &queue->waiting : &queue->kept;
    if (bytes_append_slice(bytes, data)) return true;
    note_broken(queue);
    return false;
}

void send_queue_add(struct send_queue *queue, struct slice data) {
    if (queue->is_broken || queue->is_stopped) return;
    bool direct = !send_queue_is_clogged(queue) && !queue->segment_bytes;
    ssize_t taken = direct ? try_write(queue, data.data, data.length) : 0;
    if (taken < 0) {
        note_broken(queue);
        return;
    }
    data.data += taken;
    data.length -= (size_t)taken;
    if (data.length == 0) return;
    bool was_clogged = send_queue_is_clogged(queue);
    if (!keep(queue, data) || was_clogged) return;
    if (direct)
        lend(queue, data.length);
    else
        go_on_next_turn(queue);
}
