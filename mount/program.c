#include "mount/program.h"

#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/engine/engine.h"
#include "core/events/event_kinds.h"
#include "core/io/http.h"
#include "core/io/spill_file.h"
#include "core/transport/fault_transport.h"
#include "fs/fs.h"
#include "mount/complaint.h"
#include "mount/descriptors.h"

static const int64_t cancels_ns = 2 * TIME_S;

// ---- what the loop calls ----

static void stop(void *owner, int signal_number) {
    struct program *program = owner;
    (void)signal_number;
    loop_stop(program->loop);
}

static void read_config_again(void *owner, int signal_number) {
    struct program *program = owner;
    (void)signal_number;
    reload_start(&program->reload);
}

static void kernel_has_sent(void *owner, bool readable, bool writable) {
    struct program *program = owner;
    (void)readable;
    (void)writable;
    if (!fs_receive(program->fs)) loop_stop(program->loop);
}

static void settle(void *owner) {
    struct program *program = owner;
    if (!program->engine) return;
    engine_flush(program->engine);
    if (program->is_stopping && !engine_is_cancelling(program->engine)) loop_stop(program->loop);
}

static void tree_is_usable(void *owner) {
    struct program *program = owner;
    event_mounted(engine_events(program->engine), program->clock.wall_ns,
                  program->options.mountpoint, ASKFS_VERSION);
    daemon_ready(program->daemon);
}

// ---- the parts ----

static uint64_t random_seed(void) {
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) seed = (uint64_t)getpid();
    return seed;
}

// True without one when none is wanted.
static bool make_spill(struct program *program) {
    const struct config *config = program->setup->config;
    struct spill_file_parts parts = {
        .clock = &program->clock,
        .timers = &program->timers,
        .folder = config->spill_dir,
        .temporary = getenv("TMPDIR"),
        .bytes_max = (uint64_t)config->max_spill_bytes,
    };
    if (parts.bytes_max) program->spill = spill_file_create(&parts);
    return program->spill || !parts.bytes_max;
}

static bool build(struct program *program) {
    snprintf(program->problem, sizeof(program->problem), "out of memory or descriptors");
    if (setup_needs_simulator(program->setup) &&
        !simulator_start(&program->simulator, program->problem, sizeof(program->problem)))
        return false;
    timers_init(&program->timers);
    struct loop_parts loop = { &program->clock, &program->timers, settle, program };
    program->loop = loop_create(&loop);
    if (!program->loop) return false;
    size_t connections = descriptors_connections_max();
    program->http =
        http_create(program->loop, &program->timers, &program->clock, (long)connections);
    if (!program->http) return false;
    struct fault_transport_parts faults = { http_transport(program->http), &program->timers,
                                            &program->clock, random_seed() };
    program->faults = fault_transport_create(&faults);
    if (!program->faults) return false;
    if (!make_spill(program)) return false;
    struct engine_parts engine = {
        .clock = &program->clock,
        .timers = &program->timers,
        .transport = fault_transport_transport(program->faults),
        .random_seed = random_seed(),
        .spill = program->spill ? spill_file_spill(program->spill) : NULL,
        .memory_max = (size_t)program->setup->config->max_memory,
        .in_flight_max = descriptors_prompts_max(connections),
    };
    program->engine = engine_create(&engine);
    if (!program->engine) return false;
    const struct config *config = program->setup->config;
    event_config_loaded(engine_events(program->engine), program->clock.wall_ns, config->file,
                        config->provider_count);
    return setup_apply(program->setup, program->engine, program->simulator.url);
}

static bool make_session(struct program *program) {
    char *arguments[] = { "askfs", "-o", program->options.fuse_options, NULL };
    struct fs_parts parts = {
        .engine = program->engine,
        .clock = &program->clock,
        .timers = &program->timers,
        .mountpoint = program->options.mountpoint,
        .version_text = program->version,
        .config_shown = program->setup->config->shown,
        .faults = program->options.faults,
        .ready = tree_is_usable,
        .owner = program,
    };
    program->fs = fs_create(&parts, 3, arguments);
    return program->fs &&
           fuse_session_mount(fs_session(program->fs), program->options.mountpoint) == 0;
}

static bool mount_tree(struct program *program) {
    struct complaint complaint;
    complaint_begin(&complaint);
    bool mounted = make_session(program);
    complaint_end(&complaint, mounted, program->options.mountpoint, program->problem,
                  sizeof(program->problem));
    return mounted;
}

static bool watch_kernel(struct program *program) {
    int descriptor = fuse_session_fd(fs_session(program->fs));
    snprintf(program->problem, sizeof(program->problem), "out of memory or descriptors");
    program->fuse_watch = loop_watch(program->loop, descriptor, kernel_has_sent, program);
    if (!program->fuse_watch) return false;
    watch_for(program->fuse_watch, true, false);
    return loop_catch(program->loop, SIGTERM, stop, program) &&
           loop_catch(program->loop, SIGINT, stop, program) &&
           loop_catch(program->loop, SIGHUP, read_config_again, program);
}

// A file that was named stays the file: a relative name is of the directory that we were started
// in. NULL: the usual places are looked through again.
static const char *config_to_read_again(const struct program *program) {
    const char *variable = getenv("ASKFS_CONFIG");
    bool is_named = program->options.config_file || (variable && variable[0]);
    return is_named ? program->setup->config->file : NULL;
}

// The setup of the start goes when another one comes into force, and its keys with it.
static bool prepare_reload(struct program *program) {
    const char *file = config_to_read_again(program);
    program->reload = (struct reload){
        .loop = program->loop,
        .clock = &program->clock,
        .engine = program->engine,
        .fs = program->fs,
        .simulator = &program->simulator,
        .config_file = file ? strdup(file) : NULL,
        .setup = program->setup,
    };
    program->setup = NULL;
    return !file || program->reload.config_file;
}

bool program_start(struct program *program) {
    return build(program) && mount_tree(program) && watch_kernel(program) &&
           prepare_reload(program);
}

void program_run(struct program *program) {
    loop_run(program->loop);
}

// ---- the end ----

static void cancels_take_too_long(void *owner) {
    struct program *program = owner;
    loop_stop(program->loop);
}

// What goes on at a provider without us, and costs, is told to stop; the provider has a moment.
static void cancel_upstream(struct program *program) {
    engine_stop(program->engine);
    if (!engine_is_cancelling(program->engine) || !timers_reserve(&program->timers, 1)) return;
    program->is_stopping = true;
    timer_init(&program->cancels_timer, cancels_take_too_long, program);
    timer_arm(&program->timers, &program->cancels_timer,
              time_after(program->clock.now_ns, cancels_ns));
    loop_run(program->loop);
    timer_disarm(&program->timers, &program->cancels_timer);
    timers_release(&program->timers, 1);
}

// Every reader is answered and the mount is taken away; then what still runs is cancelled upstream.
void program_stop(struct program *program) {
    reload_stop(&program->reload);
    if (program->fs) {
        fs_abandon(program->fs);
        watch_end(program->fuse_watch);
        fuse_session_unmount(fs_session(program->fs));
        fs_destroy(program->fs);
    }
    if (program->engine) cancel_upstream(program);
    engine_destroy(program->engine);
    fault_transport_destroy(program->faults);
    http_destroy(program->http);
    loop_destroy(program->loop);
    spill_file_destroy(program->spill);
    timers_finish(&program->timers);
    simulator_stop(&program->simulator);
    setup_release(program->setup);
    free(program->reload.config_file);
    daemon_destroy(program->daemon);
    options_finish(&program->options);
}
