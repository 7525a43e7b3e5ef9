/* askfs: options in, a mounted tree out. The whole life of the program is in main. */
#include <curl/curl.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/engine/engine.h"
#include "core/events/event_kinds.h"
#include "core/io/http.h"
#include "core/io/loop.h"
#include "core/io/spill_file.h"
#include "core/transport/fault_transport.h"
#include "fs/fs.h"
#include "mount/complaint.h"
#include "mount/daemon.h"
#include "mount/kernel.h"
#include "mount/mountpoint.h"
#include "mount/options.h"
#include "mount/reload.h"
#include "mount/setup.h"
#include "mount/simulator.h"
#include "mount/version.h"

enum { EXIT_MOUNT = 1, EXIT_USAGE = 2 };
// The kernel's own, the loop's, a log; and lists of models and cancels beside the prompts.
enum { FILES_OF_OUR_OWN = 32, CONNECTIONS_BESIDE_PROMPTS = 4, CONNECTIONS_MAX = 1 << 20 };
static const int64_t farewell_ns = 2 * TIME_S;

struct program {
    struct options options;
    struct setup *setup; /* until reload has it */
    struct daemon *daemon;
    struct simulator simulator;
    struct clock clock;
    struct timers timers;
    struct loop *loop;
    struct http *http;
    struct fault_transport *faults;
    struct spill_file *spill;
    struct engine *engine;
    struct fs *fs;
    struct watch *fuse_watch;
    struct reload reload;
    struct timer farewell_timer;
    bool is_stopping;
    char version[512];
    char problem[1024];
};

// Started without them (cron, <&-), the mount's own descriptors would take their numbers, and be
// closed in their place when we go to the background.
static void hold_standard_descriptors(void) {
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor > STDERR_FILENO) close(descriptor);
}

// No key may end in a core dump, and each stream needs a descriptor.
static void prepare_process(void) {
    struct rlimit none = { 0, 0 };
    struct rlimit files;
    hold_standard_descriptors();
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // a file that may not grow is an error like any other
}

// How many connections the descriptors are enough for. What is beyond waits, because a provider
// must not be taken for dead where it is we who cannot reach it.
static size_t connections_max(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur > CONNECTIONS_MAX)
        return CONNECTIONS_MAX;
    size_t limit = (size_t)files.rlim_cur;
    return limit > 2 * FILES_OF_OUR_OWN ? limit - FILES_OF_OUR_OWN : limit / 2;
}

static uint64_t random_seed(void) {
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) seed = (uint64_t)getpid();
    return seed;
}

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
    if (program->is_stopping && !engine_says_farewell(program->engine)) loop_stop(program->loop);
}

static void tree_is_usable(void *owner) {
    struct program *program = owner;
    event_mounted(engine_events(program->engine), program->clock.wall_ns,
                  program->options.mountpoint, ASKFS_VERSION);
    daemon_ready(program->daemon);
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
    size_t connections = connections_max();
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
        .in_flight_max = connections > 2 * CONNECTIONS_BESIDE_PROMPTS
                             ? connections - CONNECTIONS_BESIDE_PROMPTS
                             : 1,
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

static void farewells_take_too_long(void *owner) {
    struct program *program = owner;
    loop_stop(program->loop);
}

// What goes on at a provider without us, and costs, is told to stop; the provider has a moment.
static void say_farewell(struct program *program) {
    engine_stop(program->engine);
    if (!engine_says_farewell(program->engine) || !timers_reserve(&program->timers, 1)) return;
    program->is_stopping = true;
    timer_init(&program->farewell_timer, farewells_take_too_long, program);
    timer_arm(&program->timers, &program->farewell_timer,
              time_after(program->clock.now_ns, farewell_ns));
    loop_run(program->loop);
    timer_disarm(&program->timers, &program->farewell_timer);
    timers_release(&program->timers, 1);
}

// Every reader is answered and the mount is taken away; then what still runs is cancelled upstream.
static void tear_down(struct program *program) {
    reload_stop(&program->reload);
    if (program->fs) {
        fs_abandon(program->fs);
        watch_end(program->fuse_watch);
        fuse_session_unmount(fs_session(program->fs));
        fs_destroy(program->fs);
    }
    if (program->engine) say_farewell(program);
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

// Both work all the same, so nobody is kept from mounting.
static void warn(struct program *program) {
    char warning[256];
    if (kernel_ends_waiting(KERNEL_FUSE_SETTINGS, warning, sizeof(warning)))
        fprintf(stderr, "askfs: %s\n", warning);
    if (!keys_lock(program->setup->keys))
        fprintf(stderr, "askfs: warning: keys may be swapped out to disk: raise ulimit -l\n");
}

// Runs no key command.
static bool check(const struct options *options, struct config_error *error_out) {
    struct config *config = config_load(options->config_file, setup_environment, NULL, error_out);
    if (config) config_print(config, stdout);
    config_destroy(config);
    return config != NULL;
}

int main(int argc, char **argv) {
    static struct program program;
    struct config_error error = { "" };
    prepare_process();
    version_text(program.version, sizeof(program.version));
    switch (options_parse(&program.options, argc, argv, program.problem, sizeof(program.problem))) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_BAD:
        goto usage;
    case OPTIONS_RUN:
        break;
    }
    if (program.options.check) {
        if (!check(&program.options, &error)) goto bad_config;
        return EXIT_SUCCESS;
    }
    program.setup = setup_load(program.options.config_file, NULL, &error);
    if (!program.setup) goto bad_config;
    if (!mountpoint_prepare(&program.options, program.problem, sizeof(program.problem)))
        goto no_mount;
    program.daemon = daemon_start(program.options.foreground);
    warn(&program);
    if (!build(&program) || !mount_tree(&program) || !watch_kernel(&program) ||
        !prepare_reload(&program)) {
        daemon_failed(program.daemon, program.problem);
        tear_down(&program);
        return EXIT_MOUNT;
    }
    loop_run(program.loop);
    tear_down(&program);
    return EXIT_SUCCESS;

bad_config:
    snprintf(program.problem, sizeof(program.problem), "%s", error.text);
usage:
    fprintf(stderr, "askfs: %s\n", program.problem);
    return EXIT_USAGE;
no_mount:
    fprintf(stderr, "askfs: %s\n", program.problem);
    return EXIT_MOUNT;
}
