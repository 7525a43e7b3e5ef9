#include "mount/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct daemon {
    int parent; /* to the process that waits; -1: in the foreground, or told already */
    bool foreground;
};

enum { EXIT_MOUNTED = 0, EXIT_NOT_MOUNTED = 1, PROBLEM_SIZE = 2048 };

// What the child says: this byte, or the text of a problem.
static const char mounted = '\0';

static size_t read_all(int fd, char *text, size_t size) {
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, text + length, size - length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        length += (size_t)got;
        if (text[0] == mounted) break;
    }
    return length;
}

static void write_all(int fd, const char *text, size_t length) {
    while (length) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text += written;
        length -= (size_t)written;
    }
}

static void report_death(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        fprintf(stderr, "askfs: ended by signal %d before the mount was ready: try askfs -d\n",
                WTERMSIG(status));
    else
        fprintf(stderr, "askfs: ended before the mount was ready: try askfs -d\n");
}

static _Noreturn void wait_for_child(pid_t child, int from) {
    char text[PROBLEM_SIZE];
    size_t length = read_all(from, text, sizeof(text) - 1);
    if (length && text[0] == mounted) _exit(EXIT_MOUNTED);
    text[length] = '\0';
    if (length)
        fprintf(stderr, "askfs: %s\n", text);
    else
        report_death(child);
    _exit(EXIT_NOT_MOUNTED);
}

static _Noreturn void cannot_start(void) {
    fprintf(stderr, "askfs: cannot go to the background: %s: try askfs -f\n", strerror(errno));
    exit(EXIT_NOT_MOUNTED);
}

struct daemon *daemon_start(bool foreground) {
    int ends[2];
    struct daemon *daemon = malloc(sizeof(*daemon));
    if (!daemon) cannot_start();
    *daemon = (struct daemon){ .parent = -1, .foreground = foreground };
    if (foreground) return daemon;
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) < 0) cannot_start();
    pid_t child = fork();
    if (child < 0) cannot_start();
    if (child > 0) {
        close(ends[1]);
        wait_for_child(child, ends[0]);
    }
    close(ends[0]);
    setsid();
    daemon->parent = ends[1];
    return daemon;
}

static void let_go(void) {
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (chdir("/") < 0 || nothing < 0) return; // it runs all the same
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    if (nothing > STDERR_FILENO) close(nothing);
}

void daemon_ready(struct daemon *daemon) {
    if (daemon->parent < 0) return;
    let_go(); // first: whoever waits for the end of our output must not wait for the mount's
    write_all(daemon->parent, &mounted, 1);
    close(daemon->parent);
    daemon->parent = -1;
}

void daemon_failed(struct daemon *daemon, const char *problem) {
    if (daemon->foreground) {
        fprintf(stderr, "askfs: %s\n", problem);
        return;
    }
    if (daemon->parent < 0) return;
    write_all(daemon->parent, problem, strlen(problem));
    close(daemon->parent);
    daemon->parent = -1;
}

void daemon_destroy(struct daemon *daemon) {
    if (!daemon) return;
    if (daemon->parent >= 0) close(daemon->parent);
    free(daemon);
}
