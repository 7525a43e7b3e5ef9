#include "mount/mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEAD_MOUNTS_MAX = 16 };

// Not stat: the kernel answers that from what the dead daemon said last.
bool mountpoint_is_dead(const char *path) {
    struct statfs attributes;
    return statfs(path, &attributes) < 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

static void run_fusermount(const char *path) {
    int quiet = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (quiet >= 0) {
        dup2(quiet, STDOUT_FILENO);
        dup2(quiet, STDERR_FILENO);
    }
    execlp("fusermount3", "fusermount3", "-u", "-z", "--", path, (char *)NULL);
    _exit(127);
}

bool mountpoint_detach(const char *path) {
    int status = 0;
    if (geteuid() == 0 && umount2(path, MNT_DETACH) == 0) return true;
    pid_t child = fork();
    if (child == 0) run_fusermount(path);
    if (child < 0) return false;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool problem_with(char *problem, size_t size, const char *path, const char *text) {
    snprintf(problem, size, "%s: %s", path, text);
    return false;
}

// The daemons of a crash loop leave one dead mount upon the other.
static bool clear_dead_mounts(const char *path, char *problem, size_t size) {
    for (int i = 0; i < DEAD_MOUNTS_MAX && mountpoint_is_dead(path); i++)
        if (!mountpoint_detach(path)) break;
    if (!mountpoint_is_dead(path)) return true;
    return problem_with(problem, size, path,
                        "a dead mount is in the way: take it away with fusermount3 -uz");
}

// mount.fuse3 with drop_privileges opens the device itself, and libfuse knows what to do with it.
static bool is_descriptor(const char *path) {
    static const char prefix[] = "/dev/fd/";
    size_t length = strlen(prefix);
    if (strncmp(path, prefix, length) != 0 || !path[length]) return false;
    return strspn(path + length, "0123456789") == strlen(path + length);
}

/* Octal escapes of /proc/self/mountinfo (\040 for a space), in place. */
static void unescape(char *text) {
    char *out = text;
    for (; *text; text++) {
        unsigned character;
        if (*text == '\\' && sscanf(text, "\\%3o", &character) == 1) {
            *out++ = (char)character;
            text += 3;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

// "36 35 98:0 /root /mount/point options - type source options": the last line of a path is on top.
static bool is_ours_already(const char *path) {
    char *line = NULL;
    size_t size = 0;
    bool ours = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    if (!mounts) return false;
    while (getline(&line, &size, mounts) > 0) {
        char place[PATH_MAX];
        if (sscanf(line, "%*s %*s %*s %*s %4095s", place) != 1) continue;
        unescape(place);
        if (strcmp(place, path) == 0) ours = strstr(line, " - fuse.askfs ") != NULL;
    }
    free(line);
    fclose(mounts);
    return ours;
}

static bool check_directory(const char *path, char *problem, size_t size) {
    struct stat attributes;
    if (stat(path, &attributes) < 0 && errno == ENOENT) {
        snprintf(problem, size, "%s: does not exist: mkdir -p %s", path, path);
        return false;
    }
    if (stat(path, &attributes) < 0) {
        snprintf(problem, size, "%s: %s: name a directory that you can reach", path,
                 strerror(errno));
        return false;
    }
    if (!S_ISDIR(attributes.st_mode))
        return problem_with(problem, size, path, "is not a directory: name one to mount on");
    if (access(path, W_OK) < 0)
        return problem_with(problem, size, path,
                            "you may not write here: name a directory of your own");
    return true;
}

// Better one line of ours than two of libfuse.
static bool check_device(char *problem, size_t size) {
    static const char device[] = "/dev/fuse";
    int fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
        return problem_with(
            problem, size, device,
            "is missing: load the kernel module with modprobe fuse; in a container, "
            "run it with --device /dev/fuse");
    snprintf(problem, size, "%s: %s: ask an administrator to chmod 666 it", device,
             strerror(errno));
    return false;
}

bool mountpoint_prepare(struct options *options, char *problem, size_t problem_size) {
    const char *given = options->mountpoint;
    if (is_descriptor(given)) return true;
    if (!clear_dead_mounts(given, problem, problem_size)) return false;
    if (!check_directory(given, problem, problem_size)) return false;
    char *absolute = realpath(given, NULL);
    if (!absolute) return problem_with(problem, problem_size, given, strerror(errno));
    free(options->mountpoint);
    options->mountpoint = absolute;
    if (is_ours_already(absolute)) {
        snprintf(problem, problem_size, "%s: is mounted already: fusermount3 -u %s", absolute,
                 absolute);
        return false;
    }
    return check_device(problem, problem_size);
}
