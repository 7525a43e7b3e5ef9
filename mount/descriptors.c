#include "mount/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

// The kernel's own, the loop's, a log; and lists of models and cancels beside the prompts.
enum { FILES_OF_OUR_OWN = 32, CONNECTIONS_BESIDE_PROMPTS = 4, CONNECTIONS_MAX = 1 << 20 };

// Started without them (cron, <&-), the mount's own descriptors would take their numbers, and be
// closed in their place when we go to the background.
static void hold_standard(void) {
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor > STDERR_FILENO) close(descriptor);
}

void descriptors_prepare(void) {
    struct rlimit files;
    hold_standard();
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

size_t descriptors_connections_max(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur > CONNECTIONS_MAX)
        return CONNECTIONS_MAX;
    size_t limit = (size_t)files.rlim_cur;
    return limit > 2 * FILES_OF_OUR_OWN ? limit - FILES_OF_OUR_OWN : limit / 2;
}

size_t descriptors_prompts_max(size_t connections_max) {
    return connections_max > 2 * CONNECTIONS_BESIDE_PROMPTS
               ? connections_max - CONNECTIONS_BESIDE_PROMPTS
               : 1;
}
