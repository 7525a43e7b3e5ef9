#include "tests/sim/upstream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/bodies.h"
#include "tests/sim/memory.h"

enum { PORT_FIRST = 1000, BODY_BYTES_MAX = 1 << 20 };

enum part { PART_CONNECT, PART_HEADERS, PART_BODY, PART_OVER };

/* One transfer: what will be sent, and how it will end. */
struct exchange {
    struct upstream *upstream;
    struct exchange *next, *previous;
    const struct transfer_events *events;
    void *owner;
    struct timer timer;
    enum part part;
    size_t which; /* provider */
    bool is_paid; /* a prompt */
    bool never_connects, never_answers;
    enum transport_end refusal; /* TRANSPORT_OK: connects */
    int status;
    char retry_after[32];
    struct bytes body;
    size_t at;
    size_t stop_at; /* where the body breaks off; beyond it: nowhere */
    bool stalls;    /* there, instead of ending */
    enum transport_end end;
    int64_t gap_ns;
};

int upstream_port(size_t i) {
    return PORT_FIRST + (int)i;
}

size_t upstream_answer(size_t prompt, char *text, size_t size) {
    struct random random = { prompt * 77 + 5 };
    size_t words = (size_t)random_between(&random, 1, 60);
    size_t length = 0;
    for (size_t i = 0; i < words && length + 32 < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%sp%zuw%zu", i ? " " : "", prompt,
                                   i * i);
    return length;
}

static bool happens(struct upstream *upstream, double rate) {
    return !upstream->is_well && random_unit(&upstream->random) < rate;
}

// ---- what the provider does ----

static void drop(struct exchange *exchange) {
    struct upstream *upstream = exchange->upstream;
    timer_disarm(upstream->timers, &exchange->timer);
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        upstream->exchanges = exchange->next;
    if (exchange->next) exchange->next->previous = exchange->previous;
    upstream->under_way--;
    timers_release(upstream->timers, 1);
    bytes_finish(&exchange->body);
    free(exchange);
}

static void over(struct exchange *exchange, enum transport_end end) {
    const struct transfer_events *events = exchange->events;
    void *owner = exchange->owner;
    struct transfer_result result = { .end = end, .connect_ns = 1000 };
    drop(exchange);
    events->done(owner, &result);
}

static void again_in(struct exchange *exchange, int64_t wait_ns) {
    timer_arm(exchange->upstream->timers, &exchange->timer,
              time_after(exchange->upstream->clock->now_ns, wait_ns));
}

static void charge(struct exchange *exchange) {
    struct upstream *upstream = exchange->upstream;
    uint64_t budget = upstream->characters[exchange->which].budget;
    if (!exchange->is_paid || exchange->status != 200) return;
    if (++upstream->answers_begun[exchange->which] > budget && budget)
        upstream->wrong = "more was asked for than the budget allows";
}

static void send_headers(struct exchange *exchange) {
    struct header headers[2];
    size_t count = 0;
    headers[count++] = (struct header){ slice_of("content-type"),
                                        slice_of(exchange->status == 200 ? "text/event-stream"
                                                                         : "application/json") };
    if (exchange->retry_after[0])
        headers[count++] =
            (struct header){ slice_of("retry-after"), slice_of(exchange->retry_after) };
    exchange->part = PART_BODY;
    charge(exchange);
    again_in(exchange, exchange->gap_ns);
    exchange->events->headers(exchange->owner, exchange->status, headers, count);
}

static void send_some(struct exchange *exchange) {
    struct random *random = &exchange->upstream->random;
    size_t limit =
        exchange->stop_at < exchange->body.length ? exchange->stop_at : exchange->body.length;
    size_t length = (size_t)random_between(random, 1, 400);
    if (length > limit - exchange->at) length = limit - exchange->at;
    if (length == 0) {
        bool broke = exchange->stop_at < exchange->body.length;
        if (!broke || !exchange->stalls) over(exchange, broke ? exchange->end : TRANSPORT_OK);
        return;
    }
    struct slice piece = { exchange->body.data + exchange->at, length };
    exchange->at += length;
    again_in(exchange, exchange->gap_ns);
    exchange->events->body(exchange->owner, piece);
}

static void step(void *owner) {
    struct exchange *exchange = owner;
    switch (exchange->part) {
    case PART_CONNECT:
        if (exchange->refusal != TRANSPORT_OK) {
            over(exchange, exchange->refusal);
            break;
        }
        exchange->part = PART_HEADERS;
        if (!exchange->never_answers) again_in(exchange, exchange->gap_ns);
        exchange->events->connected(exchange->owner);
        break;
    case PART_HEADERS:
        if (exchange->status)
            send_headers(exchange);
        else
            over(exchange, exchange->end);
        break;
    case PART_BODY:
        send_some(exchange);
        break;
    case PART_OVER:
        break;
    }
}

// ---- which part it plays ----

static void fail_with(struct exchange *exchange, int status, const char *said) {
    exchange->status = status;
    bytes_clear(&exchange->body);
    bytes_append_text(&exchange->body, said);
    exchange->stop_at = SIZE_MAX;
}

static void choose_reply(struct exchange *exchange, const struct character *character) {
    static const int server[] = { 500, 502, 503, 529, 504 };
    static const int caller[] = { 400, 401, 403, 404, 413, 422 };
    struct upstream *upstream = exchange->upstream;
    struct random *random = &upstream->random;
    if (happens(upstream, character->reset_rate)) {
        exchange->status = 0;
        exchange->end = TRANSPORT_RECEIVE;
    } else if (happens(upstream, character->error_rate)) {
        fail_with(exchange, server[random_between(random, 0, 4)],
                  "{\"error\":{\"message\":\"broken\"}}");
    } else if (happens(upstream, character->limit_rate)) {
        fail_with(exchange, 429, "{\"error\":{\"message\":\"slow down\"}}");
        if (character->tells_retry_after)
            snprintf(exchange->retry_after, sizeof(exchange->retry_after), "%lld",
                     (long long)random_between(random, 0, 70));
    } else if (happens(upstream, character->caller_rate)) {
        fail_with(exchange, caller[random_between(random, 0, 5)],
                  "{\"error\":{\"message\":\"your mistake\"}}");
    }
}

// One event, at or behind this place, is no JSON.
static void malform(struct exchange *exchange, size_t from) {
    char *data = strstr(exchange->body.data + from, "data: {");
    if (data) data[strlen("data: ")] = '<';
}

static void choose_faults(struct exchange *exchange, const struct character *character) {
    static const enum transport_end ends[] = { TRANSPORT_OK, TRANSPORT_PARTIAL, TRANSPORT_RECEIVE,
                                               TRANSPORT_HTTP2_STREAM };
    struct upstream *upstream = exchange->upstream;
    struct random *random = &upstream->random;
    exchange->gap_ns = random_between(random, 0, 50 * TIME_MS);
    exchange->never_answers = happens(upstream, character->silence_rate);
    if (happens(upstream, character->refuse_rate)) exchange->refusal = TRANSPORT_REFUSED;
    if (happens(upstream, character->slow_rate))
        exchange->gap_ns = random_between(random, TIME_S, 5 * TIME_S);
    if (exchange->status != 200 || exchange->body.length == 0) return;
    size_t somewhere = (size_t)random_between(random, 0, (int64_t)exchange->body.length - 1);
    exchange->end = ends[random_between(random, 0, 3)];
    if (happens(upstream, character->malformed_rate)) malform(exchange, somewhere);
    if (happens(upstream, character->cut_rate)) exchange->stop_at = somewhere;
    if (happens(upstream, character->stall_rate)) {
        exchange->stop_at = somewhere;
        exchange->stalls = true;
    }
    choose_reply(exchange, character);
}

static struct slice rest_of(struct upstream *upstream, struct slice full, const char *partial,
                            enum habit habit, char *scratch, size_t size) {
    size_t length = strlen(partial);
    if (length > full.length) length = full.length; // what is not ours is not continued
    size_t back = 0;
    switch (habit) {
    case HABIT_RESTART:
        return full;
    case HABIT_OVERLAP:
        back = length < 40 ? 0 : (size_t)random_between(&upstream->random, 30, 40);
        while (back && back < length && full.data[length - back - 1] != ' ')
            back++;
        break;
    case HABIT_PREAMBLE:
        back = length < 40 ? length : 40;
        snprintf(scratch, size, "Sure, going on: %.*s", (int)(full.length - length + back),
                 full.data + length - back);
        if (length < 40) break;
        return slice_of(scratch);
    case HABIT_EXACT:
    case HABIT_REFUSE:
    case HABITS:
        break;
    }
    return (struct slice){ full.data + length - back, full.length - length + back };
}

static size_t store(struct upstream *upstream, size_t prompt, struct slice text) {
    size_t number = upstream->stored_count++ % UPSTREAM_STORED;
    struct stored *stored = &upstream->stored[number];
    stored->prompt = prompt;
    stored->length = text.length < sizeof(stored->text) ? text.length : sizeof(stored->text);
    memcpy(stored->text, text.data, stored->length);
    return number;
}

static void answer_prompt(struct exchange *exchange, const struct character *character,
                          const struct asked *asked) {
    struct upstream *upstream = exchange->upstream;
    char full[8192];
    char scratch[16384];
    char id[32];
    struct slice text = { full, upstream_answer(asked->prompt, full, sizeof(full)) };
    if (asked->prefills && character->prefill == HABIT_REFUSE) {
        fail_with(exchange, 400,
                  "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
                  "\"This model does not support assistant message prefill. The conversation must "
                  "end with a user message.\"}}");
        return;
    }
    if (asked->prefills)
        text =
            rest_of(upstream, text, asked->partial, character->prefill, scratch, sizeof(scratch));
    if (asked->continues)
        text = rest_of(upstream, text, asked->partial, character->continuation, scratch,
                       sizeof(scratch));
    snprintf(id, sizeof(id), "resp_%zu", store(upstream, asked->prompt, text));
    bodies_write(&exchange->body, character->wire, id, text, 0, &upstream->random);
}

// "…/responses/resp_7?stream=true&starting_after=4"
static bool is_resume(const char *url, size_t *stored_out, size_t *after_out) {
    const char *id = strstr(url, "/responses/resp_");
    const char *after = strstr(url, "starting_after=");
    return id && after && sscanf(id, "/responses/resp_%zu", stored_out) == 1 &&
           sscanf(after, "starting_after=%zu", after_out) == 1 && *stored_out < UPSTREAM_STORED;
}

static void note_prompt(struct upstream *upstream, size_t prompt) {
    upstream->started++;
    upstream->started_for[prompt]++;
    if (upstream->forbidden[prompt])
        upstream->wrong = "something was sent for a request that had ended";
}

static void cast(struct exchange *exchange, const struct transfer_request *request) {
    struct upstream *upstream = exchange->upstream;
    const char *port = strstr(request->url, "127.0.0.1:");
    size_t which = port ? (size_t)(atoi(port + strlen("127.0.0.1:")) - PORT_FIRST) : 0;
    const struct character *character = &upstream->characters[which];
    size_t number = 0;
    size_t after = 0;
    assert(which < UPSTREAM_PROVIDERS);
    exchange->status = 200;
    exchange->which = which;
    bool is_get = is_resume(request->url, &number, &after) || strstr(request->url, "/models");
    if (is_get != !request->body.data) upstream->wrong = "the wrong HTTP method";
    if (is_resume(request->url, &number, &after)) {
        const struct stored *stored = &upstream->stored[number];
        struct slice text = { stored->text, stored->length };
        char id[32];
        note_prompt(upstream, stored->prompt);
        snprintf(id, sizeof(id), "resp_%zu", number);
        bodies_write(&exchange->body, WIRE_RESPONSES, id, text, after + 1, &upstream->random);
        if (!character->has_cursor)
            fail_with(exchange, 404, "{\"error\":{\"message\":\"no such response\"}}");
    } else if (strstr(request->url, "/models")) {
        bytes_append_text(&exchange->body, "{\"data\":[{\"id\":\"m\"}]}");
    } else if (strstr(request->url, "/cancel")) {
        bytes_append_text(&exchange->body, "{}");
    } else {
        struct asked asked = bodies_read(request->body);
        if (!asked.good) {
            upstream->wrong = "a request body that no provider would understand";
            return;
        }
        note_prompt(upstream, asked.prompt);
        exchange->is_paid = true;
        answer_prompt(exchange, character, &asked);
    }
    choose_faults(exchange, character);
}

static struct transfer *start(struct transport *transport, const struct transfer_request *request,
                              const struct transfer_events *events, void *owner) {
    struct upstream *upstream = (struct upstream *)transport;
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange) return NULL;
    memory_own_begin();
    timers_reserve(upstream->timers, 1);
    exchange->upstream = upstream;
    exchange->events = events;
    exchange->owner = owner;
    exchange->stop_at = SIZE_MAX;
    exchange->next = upstream->exchanges;
    if (upstream->exchanges) upstream->exchanges->previous = exchange;
    upstream->exchanges = exchange;
    upstream->under_way++;
    bytes_init(&exchange->body, BODY_BYTES_MAX);
    timer_init(&exchange->timer, step, exchange);
    cast(exchange, request);
    again_in(exchange, random_between(&upstream->random, 1, 20 * TIME_MS));
    memory_own_end();
    return (struct transfer *)exchange;
}

static void cancel(struct transport *transport, struct transfer *transfer) {
    (void)transport;
    drop((struct exchange *)transfer);
}

void upstream_init(struct upstream *upstream, struct clock *clock, struct timers *timers,
                   uint64_t seed) {
    *upstream = (struct upstream){ .transport = { .start = start, .cancel = cancel },
                                   .clock = clock,
                                   .timers = timers,
                                   .random = { seed } };
}

void upstream_finish(struct upstream *upstream) {
    assert(!upstream->exchanges);
}
