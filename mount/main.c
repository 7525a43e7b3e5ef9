/* askfs: options in, a mounted tree out. The whole life of the program is in main. */
#include <curl/curl.h>
#include <errno.h>
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
#include "core/engine/event_kinds.h"
#include "core/engine/fault_transport.h"
#include "core/io/http.h"
#include "core/io/loop.h"
#include "core/io/spill_file.h"
#include "fs/fs.h"
#include "mount/complaint.h"
#include "mount/daemon.h"
#include "mount/kernel.h"
#include "mount/keys.h"
#include "mount/mountpoint.h"
#include "mount/options.h"
#include "mount/simulator.h"
#include "mount/version.h"

enum { EXIT_MOUNT = 1, EXIT_USAGE = 2 };

struct program {
    struct options options;
    struct config *config;
    struct keys *keys;
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
    char version[512];
    char problem[1024];
};

// No key may end in a core dump, and each stream needs a descriptor.
static void prepare_process(void) {
    struct rlimit none = { 0, 0 };
    struct rlimit files;
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // a file that may not grow is an error like any other
}

static const char *get_environment(void *owner, const char *name) {
    (void)owner;
    return getenv(name);
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

static void kernel_has_sent(void *owner, bool readable, bool writable) {
    struct program *program = owner;
    (void)readable;
    (void)writable;
    if (!fs_receive(program->fs)) loop_stop(program->loop);
}

static void turn_ends(void *owner) {
    struct program *program = owner;
    if (program->engine) engine_flush(program->engine);
}

static void tree_is_usable(void *owner) {
    struct program *program = owner;
    event_mounted(engine_events(program->engine), program->clock.wall_ns,
                  program->options.mountpoint, ASKFS_VERSION);
    daemon_ready(program->daemon);
}

static bool add_providers(struct program *program) {
    const struct config *config = program->config;
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct provider_config *provider = &config->providers[i];
        const char *url = provider->base_url ? NULL : program->simulator.url;
        if (!engine_add_provider(program->engine, provider, keys_header(program->keys, i),
                                 keys_problem(program->keys, i), url)) {
            snprintf(program->problem, sizeof(program->problem), "out of memory");
            return false;
        }
    }
    return engine_link_routes(program->engine);
}

static bool needs_simulator(const struct config *config) {
    for (size_t i = 0; i < config->provider_count; i++)
        if (!config->providers[i].base_url) return true;
    return false;
}

// True without one when none is wanted.
static bool make_spill(struct program *program) {
    struct spill_file_parts parts = {
        .clock = &program->clock,
        .timers = &program->timers,
        .folder = program->config->spill_dir,
        .temporary = getenv("TMPDIR"),
        .bytes_max = (uint64_t)program->config->max_spill_bytes,
    };
    if (parts.bytes_max) program->spill = spill_file_create(&parts);
    return program->spill || !parts.bytes_max;
}

static bool build(struct program *program) {
    snprintf(program->problem, sizeof(program->problem), "out of memory or descriptors");
    if (needs_simulator(program->config) &&
        !simulator_start(&program->simulator, program->problem, sizeof(program->problem)))
        return false;
    timers_init(&program->timers);
    struct loop_parts loop = { &program->clock, &program->timers, turn_ends, program };
    program->loop = loop_create(&loop);
    if (!program->loop) return false;
    program->http = http_create(program->loop, &program->timers, &program->clock);
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
        .memory_max = (size_t)program->config->max_memory,
    };
    program->engine = engine_create(&engine);
    if (!program->engine) return false;
    event_config_loaded(engine_events(program->engine), program->clock.wall_ns,
                        program->config->file, program->config->provider_count);
    return add_providers(program);
}

static bool make_session(struct program *program) {
    char *arguments[] = { "askfs", "-o", program->options.fuse_options, NULL };
    struct fs_parts parts = {
        .engine = program->engine,
        .clock = &program->clock,
        .timers = &program->timers,
        .mountpoint = program->options.mountpoint,
        .version_text = program->version,
        .config_shown = program->config->shown,
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
           loop_catch(program->loop, SIGHUP, stop, program);
}

// Every reader is answered and the mount is taken away; then what still runs is cancelled upstream.
static void tear_down(struct program *program) {
    if (program->fs) {
        fs_abandon(program->fs);
        watch_end(program->fuse_watch);
        fuse_session_unmount(fs_session(program->fs));
        fs_destroy(program->fs);
    }
    engine_destroy(program->engine);
    fault_transport_destroy(program->faults);
    http_destroy(program->http);
    loop_destroy(program->loop);
    spill_file_destroy(program->spill);
    timers_finish(&program->timers);
    simulator_stop(&program->simulator);
    keys_destroy(program->keys);
    config_destroy(program->config);
    daemon_destroy(program->daemon);
    options_finish(&program->options);
}

// Both work all the same, so nobody is kept from mounting.
static void warn(struct program *program) {
    char warning[256];
    if (kernel_ends_waiting(KERNEL_FUSE_SETTINGS, warning, sizeof(warning)))
        fprintf(stderr, "askfs: %s\n", warning);
    if (!keys_lock(program->keys))
        fprintf(stderr, "askfs: warning: keys may be swapped out to disk: raise ulimit -l\n");
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
    program.config = config_load(program.options.config_file, get_environment, NULL, &error);
    if (!program.config) goto bad_config;
    if (program.options.check) {
        config_print(program.config, stdout);
        return EXIT_SUCCESS;
    }
    program.keys = keys_load(program.config, &error);
    if (!program.keys) goto bad_config;
    if (!mountpoint_prepare(&program.options, program.problem, sizeof(program.problem)))
        goto no_mount;
    program.daemon = daemon_start(program.options.foreground);
    warn(&program);
    if (!build(&program) || !mount_tree(&program) || !watch_kernel(&program)) {
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
