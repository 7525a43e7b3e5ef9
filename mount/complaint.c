#include "mount/complaint.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/text.h"

enum { TEXT_MAX = 4096 };

void complaint_begin(struct complaint *complaint) {
    *complaint = (struct complaint){ .stderr_before = -1, .caught = -1 };
    fflush(stderr);
    int caught = memfd_create("askfs-stderr", MFD_CLOEXEC);
    if (caught < 0) return;
    int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (before < 0 || dup2(caught, STDERR_FILENO) < 0) {
        if (before >= 0) close(before);
        close(caught);
        return;
    }
    *complaint = (struct complaint){ .stderr_before = before, .caught = caught };
}

void complaint_end(struct complaint *complaint, bool all_went_well, const char *mountpoint,
                   char *problem, size_t problem_size) {
    char text[TEXT_MAX] = "";
    if (complaint->stderr_before >= 0) {
        fflush(stderr);
        dup2(complaint->stderr_before, STDERR_FILENO);
        close(complaint->stderr_before);
        ssize_t length = pread(complaint->caught, text, sizeof(text) - 1, 0);
        text[length > 0 ? length : 0] = '\0';
        close(complaint->caught);
        complaint->stderr_before = -1;
    }
    if (all_went_well)
        fputs(text, stderr);
    else
        complaint_explain(text, mountpoint, problem, problem_size);
}

static const struct {
    const char *said;
    const char *advice;
} advices[] = {
    { "user_allow_other",
      "leave allow_other or allow_root out, or write user_allow_other into /etc/fuse.conf" },
    { "not owned by user", "name a directory of your own" },
    { "is forbidden", "name a directory on a disk" },
    { "failed to exec", "install the package fuse3" },
    { "fusermount3: No such file", "install the package fuse3" },
    { "too many FUSE filesystems", "unmount others, or raise mount_max in /etc/fuse.conf" },
    { "Operation not permitted", "mount as root, or install fusermount3 with its setuid bit" },
    { "", "check that /dev/fuse and fusermount3 can be used" },
};

// They say "fuse: …" or "fusermount3: …".
static struct slice without_name(struct slice line) {
    static const char *const names[] = { "fuse: ", "fusermount3: ", "fusermount: " };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!slice_starts_with(line, names[i])) continue;
        size_t length = strlen(names[i]);
        return (struct slice){ line.data + length, line.length - length };
    }
    return line;
}

void complaint_explain(const char *text, const char *mountpoint, char *problem,
                       size_t problem_size) {
    char shown[256] = "";
    size_t advice = 0;
    while (!strstr(text, advices[advice].said))
        advice++;
    // The first line is the cause; what follows comes of it.
    struct slice line = without_name(slice_trim((struct slice){ text, strcspn(text, "\n") }));
    text_printable(shown, sizeof(shown), line);
    snprintf(problem, problem_size, "%s: cannot be mounted%s%s: %s", mountpoint,
             shown[0] ? ": " : "", shown, advices[advice].advice);
}
