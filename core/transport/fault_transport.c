#include "core/transport/fault_transport.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/transport/fault_stream.h"
#include "core/transport/fault_words.h"

struct fault_transport {
    struct transport transport; // first: a transport is one of these
    struct fault_transport_parts parts;
    struct random random;
    struct faulty *transfers;
};

/* A transfer with a failure in it. */
struct faulty {
    struct faulty *next, *previous;
    struct fault_transport *faults;
    struct transfer *inner;               // NULL: none, or no more
    const struct transfer_events *events; // NULL: cancelled, or over
    void *owner;
    struct fault fault;
    struct fault_target target;
    struct fault_stream stream;
    struct transfer_result result; // how inner ended
    struct timer timer;
    bool is_connected;
    bool is_inside; // its owner is being told something: it may not be freed
};

static int64_t now_of(const struct faulty *faulty) {
    return faulty->faults->parts.clock->now_ns;
}

static struct timers *timers_of(const struct faulty *faulty) {
    return faulty->faults->parts.timers;
}

// ---- life ----

static void destroy(struct faulty *faulty) {
    if (faulty->previous)
        faulty->previous->next = faulty->next;
    else
        faulty->faults->transfers = faulty->next;
    if (faulty->next) faulty->next->previous = faulty->previous;
    timer_disarm(timers_of(faulty), &faulty->timer);
    timers_release(timers_of(faulty), 1);
    fault_stream_finish(&faulty->stream);
    free(faulty);
}

static void drop_inner(struct faulty *faulty) {
    struct transport *inner = faulty->faults->parts.inner;
    if (faulty->inner) inner->cancel(inner, faulty->inner);
    faulty->inner = NULL;
}

static void end(struct faulty *faulty, const struct transfer_result *result) {
    struct transfer_result told = *result;
    const struct transfer_events *events = faulty->events;
    void *owner = faulty->owner;
    drop_inner(faulty);
    destroy(faulty);
    events->done(owner, &told);
}

static void end_with(struct faulty *faulty, enum transport_end how) {
    struct transfer_result result = { .end = how, .connect_ns = faulty->is_connected ? 1 : -1 };
    if (how != TRANSPORT_OK)
        snprintf(result.detail, sizeof(result.detail), "rehearsed: %s",
                 fault_kind_name(faulty->fault.kind));
    end(faulty, &result);
}

// ---- what its owner is told; each false: it cancelled, and faulty is gone ----

static bool leave(struct faulty *faulty) {
    faulty->is_inside = false;
    if (faulty->events) return true;
    destroy(faulty);
    return false;
}

static bool tell_connected(struct faulty *faulty) {
    faulty->is_connected = true;
    faulty->is_inside = true;
    faulty->events->connected(faulty->owner);
    return leave(faulty);
}

static bool tell_headers(struct faulty *faulty, int status, const struct header *headers,
                         size_t count) {
    faulty->is_inside = true;
    faulty->events->headers(faulty->owner, status, headers, count);
    return leave(faulty);
}

static bool tell_body(struct faulty *faulty, struct slice bytes) {
    size_t piece_max =
        faulty->fault.segment_bytes > 0 ? (size_t)faulty->fault.segment_bytes : bytes.length;
    faulty->is_inside = true;
    while (bytes.length && faulty->events) {
        size_t length = bytes.length < piece_max ? bytes.length : piece_max;
        faulty->events->body(faulty->owner, (struct slice){ bytes.data, length });
        bytes.data += length;
        bytes.length -= length;
    }
    return leave(faulty);
}

// ---- faults that are the whole reply ----

static void reply(struct faulty *faulty) {
    const struct fault *fault = &faulty->fault;
    struct fault_headers headers;
    struct bytes body;
    bytes_init(&body, 4096);
    if (!fault_write_reply(fault, faulty->target.wire, &body)) {
        bytes_finish(&body);
        end_with(faulty, TRANSPORT_NO_MEMORY);
        return;
    }
    fault_write_headers(fault, &headers);
    bool is_alive = tell_connected(faulty) &&
                    tell_headers(faulty, fault_reply_status(fault, faulty->target.wire),
                                 headers.headers, headers.count) &&
                    tell_body(faulty, bytes_slice(&body));
    bytes_finish(&body);
    if (is_alive) end_with(faulty, TRANSPORT_OK);
}

static void be_silent(struct faulty *faulty) {
    int64_t wait_ns = faulty->fault.wait_ns;
    if (faulty->is_connected) {
        end_with(faulty, TRANSPORT_EMPTY_REPLY);
        return;
    }
    if (!tell_connected(faulty) || wait_ns == TIME_NEVER) return;
    timer_arm(timers_of(faulty), &faulty->timer, time_after(now_of(faulty), wait_ns + 1));
}

static bool needs_no_answer(enum fault_kind kind) {
    return kind == FAULT_RATE_LIMIT || kind == FAULT_SERVER || kind == FAULT_OVERLOADED ||
           kind == FAULT_REFUSE || kind == FAULT_RESET || kind == FAULT_TIMEOUT;
}

static void fail_alone(struct faulty *faulty) {
    switch (faulty->fault.kind) {
    case FAULT_REFUSE:
        end_with(faulty, TRANSPORT_REFUSED);
        break;
    case FAULT_RESET:
        if (tell_connected(faulty)) end_with(faulty, TRANSPORT_RECEIVE);
        break;
    case FAULT_TIMEOUT:
        be_silent(faulty);
        break;
    default:
        reply(faulty);
        break;
    }
}

// ---- faults in the midst of an answer ----

// True: go on. Else faulty waits, or is gone.
static bool do_next(struct faulty *faulty) {
    struct fault_deed deed = fault_stream_next(&faulty->stream, now_of(faulty));
    switch (deed.step) {
    case FAULT_STEP_GIVE:
        return tell_body(faulty, deed.bytes);
    case FAULT_STEP_MORE:
        if (faulty->stream.has_ended) end(faulty, &faulty->result);
        return false;
    case FAULT_STEP_WAIT:
        if (deed.until_ns == TIME_NEVER)
            drop_inner(faulty);
        else
            timer_arm(timers_of(faulty), &faulty->timer, deed.until_ns);
        return false;
    case FAULT_STEP_END:
        end_with(faulty, TRANSPORT_OK);
        return false;
    case FAULT_STEP_RESET:
        end_with(faulty, TRANSPORT_RECEIVE);
        return false;
    case FAULT_STEP_NO_MEMORY:
        end_with(faulty, TRANSPORT_NO_MEMORY);
        return false;
    }
    return false;
}

static void pump(struct faulty *faulty) {
    if (timer_is_armed(&faulty->timer)) return; // it waits
    while (do_next(faulty))
        continue;
}

static void on_timer(void *owner) {
    struct faulty *faulty = owner;
    if (needs_no_answer(faulty->fault.kind))
        fail_alone(faulty);
    else
        pump(faulty);
}

// ---- the other transport ----

static void on_connected(void *owner) {
    tell_connected(owner);
}

static struct slice content_type_of(const struct header *headers, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (slice_equals_nocase(headers[i].name, "content-type")) return headers[i].value;
    return (struct slice){ 0 };
}

static void on_headers(void *owner, int status, const struct header *headers, size_t count) {
    struct faulty *faulty = owner;
    if (fault_stream_init(&faulty->stream, &faulty->fault, &faulty->target, status,
                          content_type_of(headers, count)))
        tell_headers(faulty, status, headers, count);
    else
        end_with(faulty, TRANSPORT_NO_MEMORY);
}

static void on_body(void *owner, struct slice bytes) {
    struct faulty *faulty = owner;
    if (fault_stream_feed(&faulty->stream, bytes))
        pump(faulty);
    else
        end_with(faulty, TRANSPORT_NO_MEMORY);
}

static void on_done(void *owner, const struct transfer_result *result) {
    struct faulty *faulty = owner;
    faulty->inner = NULL;
    faulty->result = *result;
    fault_stream_end(&faulty->stream);
    pump(faulty);
}

// ---- start and cancel ----

static const char *path_of(const char *url) {
    const char *host = strstr(url, "://");
    const char *path = strchr(host ? host + 3 : url, '/');
    return path ? path : "/";
}

static struct fault draw(struct fault_transport *faults, const struct transfer_request *request) {
    const struct fault_target *target = request->faults;
    struct fault_subject subject = { target->model ? target->model : "", path_of(request->url),
                                     target->model == NULL };
    return fault_rules_draw(target->rules, &subject, &faults->random);
}

static struct faulty *create(struct fault_transport *faults, const struct transfer_request *request,
                             const struct fault *fault) {
    struct faulty *faulty = calloc(1, sizeof(*faulty));
    if (!faulty) return NULL;
    if (!timers_reserve(faults->parts.timers, 1)) {
        free(faulty);
        return NULL;
    }
    faulty->faults = faults;
    faulty->fault = *fault;
    faulty->target = *request->faults;
    timer_init(&faulty->timer, on_timer, faulty);
    faulty->next = faults->transfers;
    if (faults->transfers) faults->transfers->previous = faulty;
    faults->transfers = faulty;
    return faulty;
}

static struct transfer *start(struct transport *transport, const struct transfer_request *request,
                              const struct transfer_events *events, void *owner) {
    static const struct transfer_events inner_events = {
        .connected = on_connected, .headers = on_headers, .body = on_body, .done = on_done
    };
    struct fault_transport *faults = (struct fault_transport *)transport;
    struct transport *inner = faults->parts.inner;
    if (!request->faults || request->faults->rules->count == 0)
        return inner->start(inner, request, events, owner);
    struct fault fault = draw(faults, request);
    if (fault.kind == FAULT_NONE && fault.pace_ns < 0 && fault.segment_bytes == 0)
        return inner->start(inner, request, events, owner);

    struct faulty *faulty = create(faults, request, &fault);
    if (!faulty) return NULL;
    faulty->events = events;
    faulty->owner = owner;
    if (needs_no_answer(fault.kind))
        // Past now: it is not told from inside a run of the timers that started it.
        timer_arm(timers_of(faulty), &faulty->timer, now_of(faulty) + 1);
    else
        faulty->inner = inner->start(inner, request, &inner_events, faulty);
    if (faulty->inner || timer_is_armed(&faulty->timer)) return (struct transfer *)faulty;
    destroy(faulty);
    return NULL;
}

static struct faulty *find(struct fault_transport *faults, struct transfer *transfer) {
    struct faulty *faulty = faults->transfers;
    while (faulty && (struct transfer *)faulty != transfer)
        faulty = faulty->next;
    return faulty;
}

static void cancel(struct transport *transport, struct transfer *transfer) {
    struct fault_transport *faults = (struct fault_transport *)transport;
    struct faulty *faulty = find(faults, transfer);
    if (!faulty) {
        faults->parts.inner->cancel(faults->parts.inner, transfer);
        return;
    }
    drop_inner(faulty);
    faulty->events = NULL;
    if (!faulty->is_inside) destroy(faulty);
}

struct fault_transport *fault_transport_create(const struct fault_transport_parts *parts) {
    struct fault_transport *faults = calloc(1, sizeof(*faults));
    if (!faults) return NULL;
    faults->transport = (struct transport){ .start = start, .cancel = cancel };
    faults->parts = *parts;
    faults->random.state = parts->random_seed;
    return faults;
}

void fault_transport_destroy(struct fault_transport *faults) {
    if (!faults) return;
    assert(!faults->transfers);
    free(faults);
}

struct transport *fault_transport_transport(struct fault_transport *faults) {
    return &faults->transport;
}
