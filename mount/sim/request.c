#include "mount/sim/request.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 256 << 10, TARGET_MAX = 64 << 10 };

struct request *request_create(void) {
    struct request *request = calloc(1, sizeof(*request));
    if (!request) return NULL;
    bytes_init(&request->target, TARGET_MAX);
    bytes_init(&request->headers, HEADERS_MAX);
    bytes_init(&request->body, REQUEST_BODY_MAX);
    return request;
}

void request_destroy(struct request *request) {
    if (!request) return;
    bytes_finish(&request->target);
    bytes_finish(&request->headers);
    bytes_finish(&request->body);
    free(request);
}

// ---- headers ----

bool request_add_name(struct request *request, struct slice piece) {
    struct bytes *headers = &request->headers;
    if (request->has_headers) return true; // a trailer: nobody asks for one
    if (request->in_value && !bytes_append(headers, "", 1)) return false;
    request->in_value = false;
    size_t from = headers->length;
    if (!bytes_append_slice(headers, piece)) return false;
    for (size_t i = from; i < headers->length; i++)
        headers->data[i] = (char)tolower((unsigned char)headers->data[i]);
    return true;
}

bool request_add_value(struct request *request, struct slice piece) {
    if (request->has_headers) return true;
    if (!request->in_value && !bytes_append(&request->headers, "", 1)) return false;
    request->in_value = true;
    return bytes_append_slice(&request->headers, piece);
}

bool request_end_headers(struct request *request) {
    bool ended = !request->in_value || bytes_append(&request->headers, "", 1);
    request->in_value = false;
    request->has_headers = ended;
    return ended;
}

const char *request_value(const char *name) {
    return name + strlen(name) + 1;
}

const char *request_next_header(const struct request *request, const char *name) {
    if (!request->has_headers || request->headers.length == 0) return NULL;
    const char *end = request->headers.data + request->headers.length;
    const char *next = request->headers.data;
    if (name) {
        const char *value = request_value(name);
        next = value + strlen(value) + 1;
    }
    return next < end ? next : NULL;
}

const char *request_header(const struct request *request, const char *name) {
    const char *header = NULL;
    while ((header = request_next_header(request, header)))
        if (strcmp(header, name) == 0) return request_value(header);
    return NULL;
}

// ---- the target ----

struct slice request_path(const struct request *request) {
    struct slice target = bytes_slice(&request->target);
    const char *query = target.length ? memchr(target.data, '?', target.length) : NULL;
    if (query) target.length = (size_t)(query - target.data);
    return target;
}

// The value of a key, up to the next '&' or the end; NULL: there is none.
static const char *query_value(const struct request *request, const char *key) {
    size_t length = strlen(key);
    const char *at = request->target.data ? strchr(request->target.data, '?') : NULL;
    while (at) {
        at++;
        if (strncmp(at, key, length) == 0 && at[length] == '=') return at + length + 1;
        at = strchr(at, '&');
    }
    return NULL;
}

long long request_query_number(const struct request *request, const char *key,
                               long long otherwise) {
    const char *value = query_value(request, key);
    char *end;
    if (!value) return otherwise;
    long long number = strtoll(value, &end, 10);
    return end == value || (*end && *end != '&') ? otherwise : number;
}

bool request_query_is(const struct request *request, const char *pair) {
    const char *query = request->target.data ? strchr(request->target.data, '?') : NULL;
    size_t length = strlen(pair);
    for (; query; query = strchr(query + 1, '&'))
        if (strncmp(query + 1, pair, length) == 0 &&
            (!query[length + 1] || query[length + 1] == '&'))
            return true;
    return false;
}
