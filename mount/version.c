#include "mount/version.h"

#include <curl/curl.h>
#include <fuse_lowlevel.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <uv.h>

static const char *known(const char *version) {
    return version ? version : "absent";
}

// Not curl_version(): for one number it starts LDAP, and with it SASL and Kerberos, two megabytes
// of libraries that nothing here uses.
void version_text(char *text, size_t size) {
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    struct utsname kernel;
    const char *release = uname(&kernel) == 0 ? kernel.release : "unknown";
    snprintf(text, size,
             "askfs %s\nlibfuse %s\nlibcurl %s\nTLS %s\nnghttp2 %s\nzlib %s\njansson %s\n"
             "libuv %s\nkernel %s\n",
             ASKFS_VERSION, fuse_pkgversion(), curl->version, known(curl->ssl_version),
             known(curl->nghttp2_version), known(curl->libz_version), jansson_version_str(),
             uv_version_string(), release);
}
