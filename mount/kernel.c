#include "mount/kernel.h"

#include <limits.h>
#include <stdio.h>

// 0 when there is no such setting.
static unsigned read_number(const char *folder, const char *name) {
    char path[PATH_MAX];
    unsigned number = 0;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    if (fscanf(file, "%u", &number) != 1) number = 0;
    fclose(file);
    return number;
}

bool kernel_ends_waiting(const char *settings_folder, char *warning, size_t warning_size) {
    // A read may wait for as long as an answer takes. When it waits longer than one of these, the
    // kernel takes the whole mount away.
    static const char *const names[] = { "default_request_timeout", "max_request_timeout" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        unsigned seconds = read_number(settings_folder, names[i]);
        if (!seconds) continue;
        snprintf(warning, warning_size,
                 "warning: the kernel ends a mount whose reader waits for %u s: "
                 "sysctl fs.fuse.%s=0",
                 seconds, names[i]);
        return true;
    }
    return false;
}
