/* Any bytes give the same events, whole or cut anywhere. */
#include <stdio.h>

#include "core/stream/sse.h"
#include "tests/fuzz/cuts.h"

enum { LOG_MAX = 64 << 20, EVENT_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct bytes *log, const struct sse_event *event) {
    bytes_printf(log, "%d %zu:", event->raw, event->type.length);
    bytes_append_slice(log, event->type);
    bytes_printf(log, " %zu:", event->data.length);
    bytes_append_slice(log, event->data);
}

static bool feed(struct sse *sse, struct slice input, struct bytes *log) {
    struct sse_event event;
    enum sse_status status;
    while ((status = sse_next(sse, &input, &event)) == SSE_EVENT)
        note(log, &event);
    return status == SSE_MORE;
}

static void run(const uint8_t *data, size_t size, bool cut, struct bytes *log) {
    struct bytes buffer;
    struct sse sse;
    struct sse_event event;
    struct cuts cuts;
    struct slice piece;
    bytes_init(&buffer, EVENT_MAX);
    bytes_init(log, LOG_MAX);
    sse_init(&sse, &buffer);
    cuts_begin(&cuts, data, size);
    bool open = cut || feed(&sse, (struct slice){ (const char *)data, size }, log);
    while (cut && cuts_next(&cuts, &piece))
        open = open && feed(&sse, piece, log);
    while (open && sse_end(&sse, &event) == SSE_EVENT)
        note(log, &event);
    bytes_finish(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes whole, cut;
    if (size > EVENT_MAX / 2) return 0; // where the limit strikes depends on what is buffered
    run(data, size, false, &whole);
    run(data, size, true, &cut);
    if (whole.length != cut.length ||
        (whole.length && memcmp(whole.data, cut.data, whole.length) != 0))
        abort();
    bytes_finish(&whole);
    bytes_finish(&cut);
    return 0;
}
