#include "mount/simulator.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS_MAX = 10000 };

static const char program[] = "askfs-sim";

// The simulator that was built or installed with this program, before any other on PATH.
static void find_program(char path[PATH_MAX]) {
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        self[length] = '\0';
        int printed = snprintf(path, PATH_MAX, "%s/%s", dirname(self), program);
        if (printed < PATH_MAX && access(path, X_OK) == 0) return;
    }
    snprintf(path, PATH_MAX, "%s", program);
}

static void run_program(const char *path, int in, int out) {
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (quiet >= 0) dup2(quiet, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); // a Ctrl-C meant for askfs -f lets the requests end first
    execlp(path, program, "--port", "0", "--parent", (char *)NULL);
    _exit(127);
}

// "askfs-sim: listening on http://127.0.0.1:PORT", the first line that it prints.
static bool read_address(int from, struct simulator *simulator) {
    char line[256];
    size_t length = 0;
    struct pollfd polled = { .fd = from, .events = POLLIN };
    while (length < sizeof(line) - 1 && !memchr(line, '\n', length)) {
        if (poll(&polled, 1, START_MS_MAX) <= 0) return false;
        ssize_t got = read(from, line + length, sizeof(line) - 1 - length);
        if (got <= 0) return false;
        length += (size_t)got;
    }
    line[length] = '\0';
    char *url = strstr(line, "http://");
    if (!url) return false;
    url[strcspn(url, " \n")] = '\0';
    int printed = snprintf(simulator->url, sizeof(simulator->url), "%s/v1", url);
    return printed > 0 && (size_t)printed < sizeof(simulator->url);
}

bool simulator_start(struct simulator *simulator, char *problem, size_t problem_size) {
    char path[PATH_MAX];
    int in[2];
    int out[2];
    find_program(path);
    if (pipe2(in, O_CLOEXEC) < 0) goto no_pipe;
    if (pipe2(out, O_CLOEXEC) < 0) goto close_in;
    simulator->pid = fork();
    if (simulator->pid < 0) goto close_out;
    if (simulator->pid == 0) run_program(path, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    simulator->lifeline = in[1];
    bool listens = read_address(out[0], simulator);
    close(out[0]);
    if (listens) return true;
    simulator_stop(simulator);
    snprintf(problem, problem_size, "the simulator %s did not start: install it beside askfs",
             path);
    return false;

close_out:
    close(out[0]);
    close(out[1]);
close_in:
    close(in[0]);
    close(in[1]);
no_pipe:
    simulator->pid = 0;
    snprintf(problem, problem_size, "cannot start the simulator: %s", strerror(errno));
    return false;
}

void simulator_stop(struct simulator *simulator) {
    if (!simulator->pid) return;
    close(simulator->lifeline);
    kill(simulator->pid, SIGTERM);
    while (waitpid(simulator->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    simulator->pid = 0;
}
