#include "mount/key_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A command under way. */
struct running {
    pid_t pid;
    int out;     /* its standard output */
    int trouble; /* the errno of a failed exec, then the end of file */
    int64_t deadline_ms;
};

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_child(char *const *command, int out, int trouble) {
    dup2(out, STDOUT_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execvp(command[0], command);
    int reason = errno;
    ssize_t written = write(trouble, &reason, sizeof(reason));
    _exit(written == sizeof(reason) ? 127 : 126);
}

// 0, or an errno: also that of an exec that failed in the child.
static int start(char *const *command, struct running *running) {
    int out[2];
    int trouble[2];
    int reason = 0;
    if (pipe2(out, O_CLOEXEC) < 0) return errno;
    if (pipe2(trouble, O_CLOEXEC) < 0) {
        reason = errno;
        goto close_out;
    }
    running->pid = fork();
    if (running->pid == 0) run_child(command, out[1], trouble[1]);
    if (running->pid < 0) {
        reason = errno;
        goto close_trouble;
    }
    close(out[1]);
    close(trouble[1]);
    running->out = out[0];
    running->trouble = trouble[0];
    running->deadline_ms = monotonic_ms() + KEY_COMMAND_SECONDS_MAX * 1000;
    if (read(trouble[0], &reason, sizeof(reason)) != sizeof(reason)) reason = 0;
    return reason;

close_trouble:
    close(trouble[0]);
    close(trouble[1]);
close_out:
    close(out[0]);
    close(out[1]);
    running->pid = 0;
    return reason;
}

// Reads to the end, so that the command never meets a closed pipe; keeps the first size bytes.
static bool read_output(const struct running *running, char *text, size_t size, size_t *length) {
    char rest[512];
    struct pollfd polled = { .fd = running->out, .events = POLLIN };
    bool in_time = true;
    for (;;) {
        int64_t left_ms = running->deadline_ms - monotonic_ms();
        in_time = left_ms > 0;
        if (!in_time) break;
        if (poll(&polled, 1, (int)left_ms) <= 0) continue;
        bool has_room = *length < size;
        ssize_t got = has_room ? read(running->out, text + *length, size - *length)
                               : read(running->out, rest, sizeof(rest));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (has_room) *length += (size_t)got;
    }
    explicit_bzero(rest, sizeof(rest));
    return in_time;
}

// The output may end long before the command does. True: it ended by itself, in time.
static bool await_end(const struct running *running, int *status) {
    const struct timespec pause = { 0, 5000000 };
    for (;;) {
        pid_t ended = waitpid(running->pid, status, WNOHANG);
        if (ended == running->pid) return true;
        if (ended < 0 && errno != EINTR) return true;
        if (monotonic_ms() >= running->deadline_ms) return false;
        nanosleep(&pause, NULL);
    }
}

static void stop(const struct running *running) {
    int status;
    kill(running->pid, SIGKILL);
    while (waitpid(running->pid, &status, 0) < 0 && errno == EINTR)
        ;
}

ssize_t key_command_run(char *const *command, char *text, size_t size, char *problem,
                        size_t problem_size) {
    struct running running = { 0 };
    size_t length = 0;
    int status = 0;
    int reason = start(command, &running);
    if (!running.pid) {
        snprintf(problem, problem_size, "key command %s cannot be started: %s", command[0],
                 strerror(reason));
        return -1;
    }
    bool in_time = read_output(&running, text, size, &length) && await_end(&running, &status);
    if (!in_time) stop(&running);
    close(running.out);
    close(running.trouble);
    if (!in_time)
        snprintf(problem, problem_size, "key command %s did not end within %d seconds", command[0],
                 KEY_COMMAND_SECONDS_MAX);
    else if (reason)
        snprintf(problem, problem_size, "key command %s cannot be started: %s", command[0],
                 strerror(reason));
    else if (WIFSIGNALED(status))
        snprintf(problem, problem_size, "key command %s was ended by signal %d", command[0],
                 WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(problem, problem_size,
                 "key command %s failed with exit status %d: run it by hand to see why", command[0],
                 WEXITSTATUS(status));
    else {
        char *end = memchr(text, '\n', length);
        return end ? (ssize_t)(end - text) : (ssize_t)length;
    }
    explicit_bzero(text, length);
    return -1;
}
