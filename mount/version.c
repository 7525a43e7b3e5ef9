#include "mount/version.h"

#include <curl/curl.h>
#include <fuse_lowlevel.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <uv.h>

void version_text(char *text, size_t size) {
    struct utsname kernel;
    const char *release = uname(&kernel) == 0 ? kernel.release : "unknown";
    snprintf(text, size,
             "askfs %s\nlibfuse %s\nlibcurl %s\njansson %s\n"
             "libuv %s\nkernel %s\n",
             ASKFS_VERSION, fuse_pkgversion(), curl_version(), jansson_version_str(),
             uv_version_string(), release);
}
