#include "core/io/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/http_result.h"
#include "core/io/http_sockets.h"

enum {
    HEADERS_MAX = 128,
    HEADER_BYTES_MAX = 64 << 10,
    CONNECTIONS_KEPT = 256,
    STREAMS_PER_CONNECTION = 100, // libcurl's HTTP/2 work grows with the streams of a connection
    READ_BUFFER_BYTES = 16 << 10,
    // A flood in one stream gains by a large buffer, a crowd of trickling ones by small ones.
    READ_BUFFER_BYTES_CROWDED = 2 << 10,
    CROWD = 256,
    HANDLES_KEPT = 32
};

struct transfer {
    struct http *http;
    struct transfer *next; // in http->waiting or http->dead
    CURL *easy;
    const struct transfer_events *events; // NULL: cancelled
    void *owner;
    struct http_sending sending;
    struct curl_slist *lines; // an array; its texts are the request's
    struct bytes headers;     // of the reply, raw lines; given back once told
    bool headers_told;
    bool added;
};

struct http {
    struct transport transport; // first: a transport is an http
    struct timers *timers;
    struct clock *clock;
    struct timer timer;
    CURLM *multi;
    int inside;               // curl is on the stack: it may not be told to add or remove
    struct transfer *waiting; // to be added
    struct transfer *dead;    // to be removed
    size_t transfer_count;
    CURL *kept[HANDLES_KEPT];
    int kept_count;
    struct http_sockets sockets;
};

// ---- easy handles ----

static CURL *take_handle(struct http *http) {
    return http->kept_count ? http->kept[--http->kept_count] : curl_easy_init();
}

static void give_handle(struct http *http, CURL *easy) {
    if (http->kept_count == HANDLES_KEPT) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    http->kept[http->kept_count++] = easy;
}

static void free_transfer(struct transfer *transfer) {
    if (transfer->added) curl_multi_remove_handle(transfer->http->multi, transfer->easy);
    give_handle(transfer->http, transfer->easy);
    transfer->http->transfer_count--;
    bytes_finish(&transfer->headers);
    free(transfer->lines);
    free(transfer);
}

// ---- the reply ----

static bool split_header(struct slice line, struct header *header_out) {
    const char *colon = memchr(line.data, ':', line.length);
    if (!colon) return false;
    header_out->name = (struct slice){ line.data, (size_t)(colon - line.data) };
    header_out->value =
        slice_trim((struct slice){ colon + 1, line.length - header_out->name.length - 1 });
    return true;
}

static void tell_headers(struct transfer *transfer, long status) {
    struct header headers[HEADERS_MAX];
    size_t count = 0;
    struct slice left = bytes_slice(&transfer->headers);
    while (left.length && count < HEADERS_MAX) {
        const char *newline = memchr(left.data, '\n', left.length);
        size_t length = newline ? (size_t)(newline - left.data) + 1 : left.length;
        if (split_header((struct slice){ left.data, length }, &headers[count])) count++;
        left.data += length;
        left.length -= length;
    }
    transfer->headers_told = true;
    transfer->events->headers(transfer->owner, (int)status, headers, count);
    bytes_finish(&transfer->headers);
}

static size_t on_header(char *data, size_t size, size_t count, void *owner) {
    struct transfer *transfer = owner;
    struct slice line = { data, size * count };
    if (!transfer->events) return 0;
    if (transfer->headers_told) return line.length; // trailers
    if (slice_starts_with(line, "HTTP/")) bytes_clear(&transfer->headers);
    if (slice_trim(line).length) {
        bytes_append_slice(&transfer->headers, line); // past the maximum: left out
        return line.length;
    }
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) tell_headers(transfer, status);
    return transfer->events ? line.length : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *owner) {
    struct transfer *transfer = owner;
    struct slice bytes = { data, size * count };
    if (!transfer->events) return 0;
    transfer->events->body(transfer->owner, bytes);
    return transfer->events ? bytes.length : 0;
}

// Before each sending. A second one is curl's own idea, after a kept connection died or a stream
// was refused: whether a prompt is sent again is the engine's decision.
static int on_connected(void *owner, char *remote, char *local, int remote_port, int local_port) {
    struct transfer *transfer = owner;
    if (!transfer->events) return CURL_PREREQFUNC_ABORT;
    transfer->sending.is_twice = transfer->sending.was_sent;
    if (transfer->sending.is_twice) return CURL_PREREQFUNC_ABORT;
    transfer->sending.was_sent = true;
    transfer->events->connected(transfer->owner);
    return transfer->events ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

// ---- how it ended ----

// A proxy that refuses to pass a request on answers it: curl keeps that reply to itself.
static void tell_refusal_of_proxy(struct transfer *transfer, const struct transfer_result *result) {
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (transfer->headers_told || transfer->sending.was_sent || status < 400 || status > 499)
        return;
    transfer->http->inside++; // the owner may cancel
    tell_headers(transfer, status);
    if (transfer->events) transfer->events->body(transfer->owner, slice_of(result->detail));
    transfer->http->inside--;
}

static void take_finished(struct http *http) {
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        struct transfer *transfer = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        if (!transfer->events) continue; // cancelled: in the list of the dead
        struct transfer_result result = http_result(transfer->easy, code, &transfer->sending);
        if (code != CURLE_OK) tell_refusal_of_proxy(transfer, &result);
        if (!transfer->events) continue;
        const struct transfer_events *events = transfer->events;
        void *owner = transfer->owner;
        free_transfer(transfer);
        events->done(owner, &result);
    }
}

// ---- curl and the loop ----

static void add_now(struct http *http, struct transfer *transfer) {
    transfer->added = true;
    curl_multi_add_handle(http->multi, transfer->easy);
}

// What could not be done while curl was on the stack.
static void settle(struct http *http) {
    while (http->dead) {
        struct transfer *transfer = http->dead;
        http->dead = transfer->next;
        free_transfer(transfer);
    }
    while (http->waiting) {
        struct transfer *transfer = http->waiting;
        http->waiting = transfer->next;
        add_now(http, transfer);
    }
}

static void act(void *owner, curl_socket_t socket, int events) {
    struct http *http = owner;
    int running;
    http->inside++;
    curl_multi_socket_action(http->multi, socket, events, &running);
    http->inside--;
    take_finished(http);
    settle(http);
}

static int set_timer(CURLM *multi, long timeout_ms, void *owner) {
    struct http *http = owner;
    if (timeout_ms < 0)
        timer_disarm(http->timers, &http->timer);
    else
        // Past now: a timer that arms itself for now would keep the timers running for ever.
        timer_arm(http->timers, &http->timer,
                  time_after(http->clock->now_ns, (int64_t)timeout_ms * TIME_MS + 1));
    return 0;
}

static void on_timer(void *owner) {
    act(owner, CURL_SOCKET_TIMEOUT, 0);
}

// ---- start and cancel ----

static size_t count_lines(const char *const *lines) {
    size_t count = 0;
    while (lines && lines[count])
        count++;
    return count;
}

// curl only reads the list, so that the key is never copied into one.
static struct curl_slist *link_headers(const struct transfer_request *request) {
    size_t count = count_lines(request->headers);
    struct curl_slist *lines = calloc(count + 2, sizeof(*lines));
    if (!lines) return NULL;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        lines[used++].data = (char *)request->headers[i];
    if (request->secret_header) lines[used++].data = (char *)request->secret_header;
    lines[used++].data = (char *)"Expect:"; // no waiting for 100-continue
    for (size_t i = 0; i + 1 < used; i++)
        lines[i].next = &lines[i + 1];
    return lines;
}

static long read_buffer_bytes(const struct http *http) {
    return http->transfer_count > CROWD ? READ_BUFFER_BYTES_CROWDED : READ_BUFFER_BYTES;
}

static void set_options(struct transfer *transfer, const struct transfer_request *request) {
    CURL *easy = transfer->easy;
    bool https = strncasecmp(request->url, "https:", 6) == 0;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->lines);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, read_buffer_bytes(transfer->http));
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http_sockets_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &transfer->http->sockets);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->sending.error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 24L * 3600 * 1000); // the engine's timer
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    // Asks for plain text, and still reads what a server compresses unasked.
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "identity");
    if (https) curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    if (!https) curl_easy_setopt(easy, CURLOPT_PROXY, ""); // loopback, or allowed by name
    if (request->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
    if (request->fresh_connection) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (!request->body.data) return;
    // Not a read function: curl would send the headers first, and wake the server twice.
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
}

static struct transfer *start(struct transport *transport, const struct transfer_request *request,
                              const struct transfer_events *events, void *owner) {
    struct http *http = (struct http *)transport;
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    if (!transfer) return NULL;
    transfer->http = http;
    transfer->events = events;
    transfer->owner = owner;
    bytes_init(&transfer->headers, HEADER_BYTES_MAX);
    transfer->lines = link_headers(request);
    transfer->easy = transfer->lines ? take_handle(http) : NULL;
    if (!transfer->easy) {
        free(transfer->lines);
        free(transfer);
        return NULL;
    }
    http->transfer_count++;
    set_options(transfer, request);
    if (http->inside) {
        transfer->next = http->waiting;
        http->waiting = transfer;
    } else {
        add_now(http, transfer);
    }
    return transfer;
}

static void forget_waiting(struct http *http, struct transfer *transfer) {
    struct transfer **link = &http->waiting;
    while (*link && *link != transfer)
        link = &(*link)->next;
    if (*link) *link = transfer->next;
}

static void cancel(struct transport *transport, struct transfer *transfer) {
    struct http *http = (struct http *)transport;
    transfer->events = NULL;
    if (!transfer->added) forget_waiting(http, transfer);
    if (!http->inside) {
        free_transfer(transfer);
        return;
    }
    transfer->next = http->dead;
    http->dead = transfer;
}

// ---- life ----

struct http *http_create(struct loop *loop, struct timers *timers, struct clock *clock,
                         long connections_max) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return NULL;
    struct http *http = calloc(1, sizeof(*http));
    if (!http) goto end_curl;
    if (!timers_reserve(timers, 1)) goto free_http;
    http->transport = (struct transport){ .start = start, .cancel = cancel };
    http->timers = timers;
    http->clock = clock;
    timer_init(&http->timer, on_timer, http);
    http_sockets_init(&http->sockets, loop, act, http);
    http->multi = curl_multi_init();
    if (!http->multi) goto release_timer;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, http_sockets_watch);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, &http->sockets);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_PER_CONNECTION);
    return http;

release_timer:
    timers_release(timers, 1);
free_http:
    free(http);
end_curl:
    curl_global_cleanup();
    return NULL;
}

void http_destroy(struct http *http) {
    if (!http) return;
    assert(!http->inside);
    settle(http);
    while (http->kept_count)
        curl_easy_cleanup(http->kept[--http->kept_count]);
    curl_multi_cleanup(http->multi);
    http_sockets_finish(&http->sockets);
    timer_disarm(http->timers, &http->timer);
    timers_release(http->timers, 1);
    free(http);
    curl_global_cleanup();
}

struct transport *http_transport(struct http *http) {
    return &http->transport;
}
