#include "core/config/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/base/bytes.h"

static const char *const endpoints[] = { "/chat/completions", "/responses", "/messages" };

struct url_parts {
    bool is_https;
    struct slice host; /* without the brackets of IPv6 */
    struct slice authority;
    struct slice path; /* without slashes at its end */
};

// Printable ASCII that no URL library reads in two ways.
static bool is_plain(const char *url) {
    for (; *url; url++)
        if (*url <= ' ' || *url >= 0x7f || strchr("\\\"<>^`{|}", *url)) return false;
    return true;
}

static bool is_port(struct slice port) {
    long number = 0;
    if (port.length == 0 || port.length > 5) return false;
    for (size_t i = 0; i < port.length; i++) {
        if (!isdigit((unsigned char)port.data[i])) return false;
        number = number * 10 + (port.data[i] - '0');
    }
    return number >= 1 && number <= 65535;
}

static bool is_ipv6(struct slice host) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (host.length >= sizeof(text)) return false;
    memcpy(text, host.data, host.length);
    text[host.length] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

// HOST, HOST:PORT, [IPv6], [IPv6]:PORT
static bool split_authority(struct url_parts *parts) {
    struct slice rest = parts->authority;
    parts->host = rest;
    if (rest.length && rest.data[0] == '[') {
        const char *end = memchr(rest.data, ']', rest.length);
        if (!end) return false;
        parts->host = (struct slice){ rest.data + 1, (size_t)(end - rest.data) - 1 };
        if (!is_ipv6(parts->host)) return false;
        rest.length -= (size_t)(end + 1 - rest.data);
        rest.data = end + 1;
        return rest.length == 0 ||
               (rest.data[0] == ':' && is_port((struct slice){ rest.data + 1, rest.length - 1 }));
    }
    const char *colon = memchr(rest.data, ':', rest.length);
    if (colon) {
        parts->host.length = (size_t)(colon - rest.data);
        if (!is_port((struct slice){ colon + 1, rest.length - parts->host.length - 1 }))
            return false;
    }
    if (memchr(parts->host.data, '[', parts->host.length)) return false;
    if (memchr(parts->host.data, ']', parts->host.length)) return false;
    return parts->host.length > 0 && parts->host.data[0] != '.';
}

static const char *split(const char *url, struct url_parts *parts) {
    if (!is_plain(url)) return "it holds a space or another character that no URL may hold";
    parts->is_https = strncasecmp(url, "https://", 8) == 0;
    if (!parts->is_https && strncasecmp(url, "http://", 7) != 0)
        return "expected a URL that begins with https:// or http://";
    const char *authority = url + (parts->is_https ? 8 : 7);
    parts->authority = (struct slice){ authority, strcspn(authority, "/?#") };
    if (memchr(authority, '@', parts->authority.length))
        return "a user name or password may not stand in it; use \"api_key\"";
    if (!split_authority(parts))
        return "expected https://HOST, https://HOST:PORT or https://HOST/PATH";
    const char *path = authority + parts->authority.length;
    if (strchr(path, '?'))
        return "a query (?…) is not supported; for Azure use "
               "https://NAME.openai.azure.com/openai/v1, "
               "which needs no api-version";
    if (strchr(path, '#')) return "a fragment (#…) means nothing here: leave it out";
    parts->path = slice_of(path);
    while (parts->path.length && path[parts->path.length - 1] == '/')
        parts->path.length--;
    return NULL;
}

// 127.0.0.0/8, ::1 and localhost, in their plain spelling only: what looks unusual is not trusted.
static bool is_loopback(struct slice host) {
    char text[INET6_ADDRSTRLEN];
    struct in_addr four;
    struct in6_addr six;
    if (slice_equals_nocase(host, "localhost")) return true;
    if (host.length >= sizeof(text)) return false;
    memcpy(text, host.data, host.length);
    text[host.length] = '\0';
    if (inet_pton(AF_INET, text, &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

// v1, v2, v1beta, v1beta2, v1.0, v1alpha
static bool is_version(struct slice segment) {
    size_t i = 1;
    if (segment.length < 2 || (segment.data[0] != 'v' && segment.data[0] != 'V')) return false;
    if (!isdigit((unsigned char)segment.data[1])) return false;
    while (i < segment.length &&
           (isdigit((unsigned char)segment.data[i]) || segment.data[i] == '.'))
        i++;
    struct slice stage = { segment.data + i, segment.length - i };
    while (stage.length && isdigit((unsigned char)stage.data[stage.length - 1]))
        stage.length--;
    return stage.length == 0 || slice_equals_nocase(stage, "alpha") ||
           slice_equals_nocase(stage, "beta") || slice_equals_nocase(stage, "preview");
}

static bool has_version(struct slice path) {
    while (path.length) {
        path.data++; // the slash
        path.length--;
        const char *end = path.length ? memchr(path.data, '/', path.length) : NULL;
        size_t length = end ? (size_t)(end - path.data) : path.length;
        if (is_version((struct slice){ path.data, length })) return true;
        path.data += length;
        path.length -= length;
    }
    return false;
}

static bool strip_endpoint(struct slice *path) {
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
        size_t length = strlen(endpoints[i]);
        if (path->length < length) continue;
        struct slice tail = { path->data + path->length - length, length };
        if (!slice_equals_nocase(tail, endpoints[i])) continue;
        path->length -= length;
        while (path->length && path->data[path->length - 1] == '/')
            path->length--;
        return true;
    }
    return false;
}

char *url_base(const char *url, bool allow_http, const char **problem) {
    struct url_parts parts;
    struct bytes base;
    *problem = split(url, &parts);
    if (*problem) return NULL;
    if (!parts.is_https && !allow_http && !is_loopback(parts.host)) {
        *problem =
            "plain http goes only to this machine (localhost, 127.0.0.1, ::1), because it shows "
            "the key to the network; use https, or set \"allow_http\": true";
        return NULL;
    }
    bool is_whole = strip_endpoint(&parts.path) || has_version(parts.path);
    bytes_init(&base, strlen(url) + sizeof("https:///v1"));
    bool written = bytes_append_text(&base, parts.is_https ? "https://" : "http://") &&
                   bytes_append_slice(&base, parts.authority) &&
                   bytes_append_slice(&base, parts.path) &&
                   bytes_append_text(&base, is_whole ? "" : "/v1");
    char *text = written ? bytes_take(&base) : NULL;
    bytes_finish(&base);
    return text;
}

bool url_same_host(const char *a, const char *b) {
    const char *authority = strstr(a, "://");
    if (!authority) return false;
    size_t length = (size_t)(authority + 3 - a);
    length += strcspn(a + length, "/");
    return strncasecmp(a, b, length) == 0 && (b[length] == '/' || b[length] == '\0');
}
