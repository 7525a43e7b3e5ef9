/* askfs: options in, a mounted tree out. The whole life of the program is in main. */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/config/config.h"
#include "mount/daemon.h"
#include "mount/descriptors.h"
#include "mount/kernel.h"
#include "mount/mountpoint.h"
#include "mount/options.h"
#include "mount/program.h"
#include "mount/setup.h"
#include "mount/version.h"

enum { EXIT_MOUNT = 1, EXIT_USAGE = 2 };

// mount(8) and systemd's units of the system start us without HOME.
static void find_home(void) {
    const char *home = getenv("HOME");
    if (home && home[0]) return;
    const struct passwd *user = getpwuid(getuid());
    if (user && user->pw_dir) setenv("HOME", user->pw_dir, 1);
}

// No key may end in a core dump.
static void prepare_process(void) {
    struct rlimit none = { 0, 0 };
    descriptors_prepare();
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // a file that may not grow is an error like any other
    find_home();
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
    if (!program_start(&program)) {
        daemon_failed(program.daemon, program.problem);
        program_stop(&program);
        return EXIT_MOUNT;
    }
    program_run(&program);
    program_stop(&program);
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
