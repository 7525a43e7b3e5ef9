#include "fs/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// include/linux/sched.h; part of what /proc/PID/stat shows, so they stay.
enum { PF_EXITING = 0x4, PF_SIGNALED = 0x400 };

// Up to size - 1 bytes of /proc/THREAD/NAME, NUL-ended. Empty: the thread is gone.
static struct slice read_proc(pid_t thread, const char *name, char *text, size_t size) {
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)thread, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return (struct slice){ 0 };
    ssize_t length = read(fd, text, size - 1);
    close(fd);
    if (length <= 0) return (struct slice){ 0 };
    text[length] = '\0';
    return (struct slice){ text, (size_t)length };
}

bool process_stat_is_killed(struct slice stat_text) {
    // The second field is a name that may hold blanks and brackets; the ninth holds the flags.
    const char *end = stat_text.length ? memrchr(stat_text.data, ')', stat_text.length) : NULL;
    if (!end) return false;
    unsigned long flags = 0;
    if (sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) != 1) return false;
    return (flags & PF_EXITING) && (flags & PF_SIGNALED);
}

// A thread that ends gives back its memory before its files, and before that the kernel forgets its
// list of robust futexes, which every thread of glibc has. So a list is a sure sign of life, forty
// times cheaper than /proc; no list, or no right to ask, says nothing.
static bool is_surely_alive(pid_t thread) {
    void *head = NULL;
    size_t size;
    return syscall(SYS_get_robust_list, thread, &head, &size) == 0 && head;
}

bool process_is_killed(pid_t thread) {
    if (thread <= 0) return false; // of another PID namespace
    if (is_surely_alive(thread)) return false;
    char text[1024];
    return process_stat_is_killed(read_proc(thread, "stat", text, sizeof(text)));
}

// The mask in the line that begins with name, "SigPnd:\t0000000000000100".
static bool read_mask(const char *text, const char *name, uint64_t *mask_out) {
    const char *line = strstr(text, name);
    if (!line) return false;
    *mask_out = strtoull(line + strlen(name), NULL, 16);
    return true;
}

enum process_signals process_status_signals(struct slice status_text) {
    uint64_t own = 0;
    uint64_t shared = 0;
    uint64_t blocked = 0;
    if (!status_text.length || !read_mask(status_text.data, "\nSigPnd:", &own) ||
        !read_mask(status_text.data, "\nShdPnd:", &shared) ||
        !read_mask(status_text.data, "\nSigBlk:", &blocked))
        return PROCESS_SIGNAL;

    static const int harmless[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };
    uint64_t pending = (own | shared) & ~blocked;
    if (!pending) return PROCESS_NO_SIGNAL;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        pending &= ~(UINT64_C(1) << (harmless[i] - 1));
    // A signal that ends the process shows as SIGKILL, whatever it was.
    return pending ? PROCESS_SIGNAL : PROCESS_STOP_SIGNAL;
}

enum process_signals process_signals(pid_t thread) {
    if (thread <= 0) return PROCESS_SIGNAL;
    char text[4096];
    return process_status_signals(read_proc(thread, "status", text, sizeof(text)));
}

// What stands behind name in a text of "name:\tvalue" lines; NULL: no such line.
static const char *find_value(struct slice text, const char *name) {
    const char *line = text.length ? strstr(text.data, name) : NULL;
    return line ? line + strlen(name) : NULL;
}

bool process_status_is_alone(struct slice status_text) {
    const char *threads = find_value(status_text, "\nThreads:");
    return threads && strtoul(threads, NULL, 10) == 1;
}

bool process_fdinfo_writes(struct slice fdinfo_text, uint64_t inode) {
    const char *flags = find_value(fdinfo_text, "\nflags:");
    const char *number = find_value(fdinfo_text, "\nino:");
    if (!flags || !number || strtoumax(number, NULL, 10) != inode) return false;
    return (strtoul(flags, NULL, 8) & O_ACCMODE) != O_RDONLY;
}

static bool has_open_for_writing(pid_t thread, uint64_t inode) {
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)thread);
    DIR *directory = opendir(path);
    bool found = false;
    if (!directory) return false;
    for (struct dirent *each; !found && (each = readdir(directory));) {
        char name[48];
        char text[1024];
        if (each->d_name[0] == '.') continue;
        snprintf(name, sizeof(name), "fdinfo/%.20s", each->d_name);
        found = process_fdinfo_writes(read_proc(thread, name, text, sizeof(text)), inode);
    }
    closedir(directory);
    return found;
}

bool process_holds_alone(pid_t thread, uint64_t inode) {
    char text[4096];
    if (thread <= 0) return false;
    if (!process_status_is_alone(read_proc(thread, "status", text, sizeof(text)))) return false;
    return has_open_for_writing(thread, inode);
}
