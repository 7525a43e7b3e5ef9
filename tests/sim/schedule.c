#include "tests/sim/schedule.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/provider.h"
#include "core/engine/report.h"
#include "tests/sim/memory.h"
#include "tests/sim/upstream.h"

enum { READERS = 2, TEXT_MAX = 2048 };

/* Follows one answer as a reader of the file would. */
struct reader {
    struct asking *asking;
    struct watcher watcher;
    bool is_watching;
    bool never_reads;
    int64_t pace_ns; /* between two reads; 0: as soon as there is something */
    struct timer timer;
    size_t length;
    char text[TEXT_MAX];
};

/* One prompt and who reads its answer. */
struct asking {
    struct world *world;
    size_t number;
    struct request *request;
    struct timer ask_timer;
    struct timer cancel_timer;
    size_t answer_length;
    char answer[TEXT_MAX]; /* the right one */
    bool was_cancelled;
    bool has_ended;
    struct reader readers[READERS];
};

struct world {
    struct random random;
    struct clock clock;
    struct timers timers;
    struct upstream upstream;
    struct config *config;
    struct engine *engine;
    struct asking askings[UPSTREAM_PROMPTS];
    size_t count;
    struct schedule_result result;
    FILE *trace;
};

static bool chance(struct world *world, double rate) {
    return random_unit(&world->random) < rate;
}

static int64_t between(struct world *world, int64_t min, int64_t max) {
    return random_between(&world->random, min, max);
}

static void note(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct world *world, const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (int i = 0; i < length && i < (int)sizeof(line); i++)
        world->result.trace = (world->result.trace ^ (unsigned char)line[i]) * 1099511628211u;
    if (world->trace) fprintf(world->trace, "%12.6f %s\n", (double)world->clock.now_ns / 1e9, line);
}

static void wrong(struct world *world, const char *what) {
    if (!world->result.wrong) world->result.wrong = what;
    note(world, "WRONG: %s", what);
}

// ---- readers ----

static bool is_prefix(const struct reader *reader, size_t from) {
    const struct asking *asking = reader->asking;
    return reader->length <= asking->answer_length &&
           memcmp(asking->answer + from, reader->text + from, reader->length - from) == 0;
}

static bool is_whole(const struct reader *reader) {
    return reader->length == reader->asking->answer_length;
}

static void stop_watching(struct reader *reader) {
    if (reader->is_watching) request_unwatch(reader->asking->request, &reader->watcher);
    reader->is_watching = false;
}

static void read_some(struct reader *reader, size_t size) {
    struct asking *asking = reader->asking;
    size_t from = reader->length;
    size_t room = sizeof(reader->text) - from;
    struct slice slice =
        request_read(asking->request, REQUEST_RESPONSE, reader->length, size < room ? size : room);
    if (slice.length) memcpy(reader->text + reader->length, slice.data, slice.length);
    reader->length += slice.length;
    if (slice.length) note(asking->world, "%zu: read %zu", asking->number, reader->length);
    if (!is_prefix(reader, from)) wrong(asking->world, "what a reader got is not the answer");
}

static void reads_to_the_end(struct reader *reader) {
    struct asking *asking = reader->asking;
    while (reader->length < store_length(request_response(asking->request)))
        read_some(reader, TEXT_MAX);
    if (request_state(asking->request) == REQUEST_DONE && !is_whole(reader))
        wrong(asking->world, "the end came before the answer was whole");
}

static void on_change(void *owner) {
    struct reader *reader = owner;
    bool has_ended = request_has_ended(reader->asking->request);
    if (reader->never_reads && !has_ended) return;
    if (has_ended) {
        reads_to_the_end(reader);
        stop_watching(reader);
    } else if (reader->pace_ns == 0) {
        read_some(reader, TEXT_MAX);
    }
}

static void on_pace(void *owner) {
    struct reader *reader = owner;
    struct world *world = reader->asking->world;
    if (!reader->is_watching) return;
    read_some(reader, (size_t)between(world, 1, 200));
    timer_arm(&world->timers, &reader->timer, time_after(world->clock.now_ns, reader->pace_ns));
}

static void start_reading(struct asking *asking, struct reader *reader) {
    struct world *world = asking->world;
    reader->asking = asking;
    reader->never_reads = chance(world, 0.3);
    if (!reader->never_reads && chance(world, 0.4))
        reader->pace_ns = between(world, TIME_MS, 3 * TIME_S);
    reader->watcher.changed = on_change;
    reader->watcher.owner = reader;
    reader->is_watching = true;
    request_watch(asking->request, &reader->watcher);
    timer_init(&reader->timer, on_pace, reader);
    if (reader->pace_ns)
        timer_arm(&world->timers, &reader->timer, time_after(world->clock.now_ns, reader->pace_ns));
}

// ---- askings ----

static void cancel_now(void *owner) {
    struct asking *asking = owner;
    if (!asking->request || request_has_ended(asking->request)) return;
    note(asking->world, "%zu: cancel", asking->number);
    asking->was_cancelled = true;
    request_cancel(asking->request);
    asking->world->upstream.forbidden[asking->number] = true;
    if (request_state(asking->request) != REQUEST_CANCELLED)
        wrong(asking->world, "a cancelled request is not cancelled");
}

static void ask_now(void *owner) {
    struct asking *asking = owner;
    struct world *world = asking->world;
    struct bytes prompt;
    size_t which = (size_t)between(world, 0, (int64_t)engine_provider_count(world->engine) - 1);
    struct provider *provider = engine_provider(world->engine, which);
    bytes_init(&prompt, 4096);
    memory_own_begin();
    bytes_printf(&prompt, "prompt %zu", asking->number);
    memory_own_end();
    asking->request = request_submit(provider, &prompt);
    bytes_finish(&prompt);
    asking->has_ended = !asking->request; // no memory
    if (!asking->request) return;
    note(world, "%zu: asks %s", asking->number, provider_name(provider));
    asking->answer_length = upstream_answer(asking->number, asking->answer, TEXT_MAX);
    world->result.requests++;
    for (size_t i = 0; i < READERS; i++)
        start_reading(asking, &asking->readers[i]);
    if (chance(world, 0.15))
        timer_arm(&world->timers, &asking->cancel_timer,
                  time_after(world->clock.now_ns, between(world, 0, 20 * TIME_S)));
}

static void look_at(struct asking *asking) {
    struct world *world = asking->world;
    struct request *request = asking->request;
    if (!request || asking->has_ended || !request_has_ended(request)) return;
    asking->has_ended = true;
    world->upstream.forbidden[asking->number] = true;
    enum request_state state = request_state(request);
    note(world, "%zu: %s %s", asking->number, request_state_name(state),
         failure_class_name(request_failure(request)->class));
    world->result.done += state == REQUEST_DONE;
    world->result.failed += state == REQUEST_FAILED;
    world->result.cancelled += state == REQUEST_CANCELLED;
    if (state == REQUEST_CANCELLED && !asking->was_cancelled) wrong(world, "cancelled by nobody");
    if (state == REQUEST_FAILED && request_failure(request)->class == FAILURE_NONE)
        wrong(world, "failed without a failure");
}

// ---- the world ----

static void draw_character(struct world *world, struct character *character) {
    static const enum habit prefills[] = { HABIT_EXACT, HABIT_RESTART, HABIT_REFUSE };
    double *rates[] = { &character->refuse_rate, &character->reset_rate, &character->silence_rate,
                        &character->error_rate,  &character->limit_rate, &character->caller_rate,
                        &character->cut_rate,    &character->stall_rate, &character->malformed_rate,
                        &character->slow_rate };
    character->wire = (enum wire_kind)between(world, 0, WIRE_KINDS - 1);
    character->prefill = prefills[between(world, 0, 2)];
    character->continuation = (enum habit)between(world, 0, HABIT_PREAMBLE);
    character->has_cursor = chance(world, 0.7);
    character->tells_retry_after = chance(world, 0.5);
    // Few kinds at once find more than all of them always.
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++)
        *rates[i] = chance(world, 0.3) ? random_unit(&world->random) * 0.5 : 0;
}

// Of its own: the schedules of all seeds are as they were before there were budgets.
static void draw_budgets(struct world *world) {
    struct random random = { world->random.state ^ 0xb0d9e7 };
    for (size_t i = 0; i < UPSTREAM_PROVIDERS; i++)
        if (random_unit(&random) < 0.2)
            world->upstream.characters[i].budget = (uint64_t)random_between(&random, 1, 6);
}

static const char *no_environment(void *owner, const char *name) {
    (void)owner;
    (void)name;
    return NULL;
}

static void add_provider(struct world *world, struct bytes *json, size_t i) {
    static const char *const apis[] = { "chat", "responses", "messages" };
    bytes_printf(json,
                 "%s\"p%zu\":{\"type\":\"sim\",\"api\":\"%s\",\"model\":\"m\","
                 "\"base_url\":\"http://127.0.0.1:%d/v1\","
                 "\"budget\":{\"requests\":%llu,\"period\":1e9}}",
                 i ? "," : "", i, apis[world->upstream.characters[i].wire], upstream_port(i),
                 (unsigned long long)world->upstream.characters[i].budget);
}

static bool configure(struct world *world) {
    static const char *const recoveries[] = { "auto", "auto", "auto", "exact", "off" };
    struct bytes json;
    struct config_error error;
    size_t count = (size_t)between(world, 1, UPSTREAM_PROVIDERS);
    bytes_init(&json, 1 << 16);
    bytes_printf(&json,
                 "{\"defaults\":{\"retry\":{\"max_attempts\":%lld,\"max_retry_after\":60},"
                 "\"breaker\":{\"failure_threshold\":%lld,\"recovery_timeout\":%lld},"
                 "\"timeouts\":{\"connection\":5,\"first_token\":20,\"read\":15,\"total\":%d},"
                 "\"recovery\":\"%s\",\"max_in_flight\":%lld},\"providers\":{",
                 (long long)between(world, 1, 5), (long long)between(world, 1, 6),
                 (long long)between(world, 1, 90), chance(world, 0.2) ? 30 : 0,
                 recoveries[between(world, 0, 4)], (long long)between(world, 1, 8));
    for (size_t i = 0; i < count; i++)
        add_provider(world, &json, i);
    if (count > 1) {
        bytes_append_text(&json, ",\"any\":{\"type\":\"route\",\"providers\":[");
        for (size_t i = 0; i < count; i++)
            bytes_printf(&json, "%s\"p%zu\"", i ? "," : "", i);
        bytes_append_text(&json, "]}");
    }
    bytes_append_text(&json, "}}");
    world->config = config_parse(bytes_slice(&json), "sim.json", no_environment, NULL, &error);
    if (!world->config && world->trace) fprintf(world->trace, "%s\n", error.text);
    bytes_finish(&json);
    return world->config != NULL;
}

static bool build(struct world *world) {
    for (size_t i = 0; i < UPSTREAM_PROVIDERS; i++)
        draw_character(world, &world->upstream.characters[i]);
    draw_budgets(world);
    if (!configure(world)) return false;
    struct engine_parts parts = { .clock = &world->clock,
                                  .timers = &world->timers,
                                  .transport = &world->upstream.transport,
                                  .random_seed = random_next(&world->random) };
    world->engine = engine_create(&parts);
    if (!world->engine) return false;
    size_t count = world->config->provider_count;
    struct provider_setup *setups = calloc(count, sizeof(*setups));
    for (size_t i = 0; setups && i < count; i++)
        setups[i].config = &world->config->providers[i];
    bool done = setups && engine_configure(world->engine, setups, count);
    free(setups);
    return done;
}

static void plan(struct world *world) {
    world->count = (size_t)between(world, 1, 8);
    timers_reserve(&world->timers, world->count * (2 + READERS));
    for (size_t i = 0; i < world->count; i++) {
        struct asking *asking = &world->askings[i];
        asking->world = world;
        asking->number = i;
        timer_init(&asking->ask_timer, ask_now, asking);
        timer_init(&asking->cancel_timer, cancel_now, asking);
        timer_arm(&world->timers, &asking->ask_timer,
                  time_after(world->clock.now_ns, between(world, 0, 30 * TIME_S)));
    }
}

static bool all_ended(const struct world *world) {
    for (size_t i = 0; i < world->count; i++)
        if (!world->askings[i].has_ended) return false;
    return true;
}

// One turn of the loop: the clock jumps to the next deadline.
static bool turn(struct world *world) {
    int64_t next_ns = timers_next_ns(&world->timers);
    if (next_ns == TIME_NEVER) return false;
    if (next_ns > world->clock.now_ns) {
        world->clock.wall_ns += next_ns - world->clock.now_ns;
        world->clock.now_ns = next_ns;
    }
    timers_run(&world->timers, world->clock.now_ns);
    engine_flush(world->engine);
    for (size_t i = 0; i < world->count; i++)
        look_at(&world->askings[i]);
    if (world->upstream.wrong) wrong(world, world->upstream.wrong);
    world->result.steps++;
    return true;
}

enum { FAULTS_S = 120, STEPS_MAX = 200000 };

static void run(struct world *world) {
    int64_t well_at_ns = time_after(world->clock.now_ns, FAULTS_S * TIME_S);
    int64_t over_at_ns = time_after(well_at_ns, 3600 * TIME_S);
    while (!all_ended(world) && !world->result.wrong) {
        if (world->clock.now_ns >= well_at_ns) world->upstream.is_well = true;
        if (world->result.steps > STEPS_MAX || world->clock.now_ns > over_at_ns || !turn(world))
            wrong(world, "a request did not end although all faults had");
    }
}

static void tell_stuck(struct world *world) {
    for (size_t i = 0; i < world->count; i++) {
        const struct asking *asking = &world->askings[i];
        if (!asking->request || asking->has_ended) continue;
        struct bytes status;
        bytes_init(&status, 1 << 16);
        report_request_status(asking->request, &status);
        report_request_attempts(asking->request, &status);
        fprintf(world->trace, "%zu:\n%s\n", i, status.data);
        bytes_finish(&status);
    }
}

static void check_attempts(struct world *world) {
    for (size_t i = 0; i < world->count; i++) {
        uint64_t started = world->upstream.started_for[i];
        world->result.attempts += started;
        if (started > 200) wrong(world, "a request was sent far too often");
    }
}

static void tear_down(struct world *world) {
    for (size_t i = 0; i < world->count; i++) {
        struct asking *asking = &world->askings[i];
        timer_disarm(&world->timers, &asking->ask_timer);
        timer_disarm(&world->timers, &asking->cancel_timer);
        for (size_t j = 0; j < READERS && asking->request; j++) {
            timer_disarm(&world->timers, &asking->readers[j].timer);
            stop_watching(&asking->readers[j]);
        }
        request_release(asking->request);
    }
    engine_destroy(world->engine);
    if (world->upstream.under_way) wrong(world, "a transfer outlived the engine");
    config_destroy(world->config);
    timers_finish(&world->timers);
}

struct schedule_result schedule_run(uint64_t seed, FILE *trace_out) {
    memory_own_begin();
    struct world *world = calloc(1, sizeof(*world));
    assert(world);
    world->random.state = seed;
    world->trace = trace_out;
    world->result.trace = 14695981039346656037u;
    world->clock.now_ns = 1000 * TIME_S;
    world->clock.wall_ns = INT64_C(1795529403) * TIME_S;
    timers_init(&world->timers);
    upstream_init(&world->upstream, &world->clock, &world->timers, random_next(&world->random));
    if (build(world)) {
        plan(world);
        memory_own_end();
        run(world);
        memory_own_begin();
        check_attempts(world);
        if (world->result.wrong && world->trace) tell_stuck(world);
    }
    tear_down(world);
    struct schedule_result result = world->result;
    free(world);
    memory_own_end();
    return result;
}
