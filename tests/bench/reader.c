/*
 * reader: the two ends of the benchmark's comparison, one JSON object on stdout each.
 *
 *   reader http URL BODY STREAMS APART_US a bare libcurl + epoll reader of STREAMS answers, asked
 *                                         for APART_US after each other
 *   reader files FILE…                    one epoll reader of many response files
 *   reader threads FILE…                  a blocking reader for each, "ready" on stderr once all
 *                                         are open
 *   reader first-http URL BODY TIMES      request to first byte over one kept-alive connection
 *   reader first-file DIRECTORY PROMPT TIMES   prompt opened to first byte of response read
 *   reader first-closed DIRECTORY PROMPT TIMES   prompt closed to first byte of response read
 *   reader cycle DIRECTORY PROMPT TIMES   prompt opened to the end of response read
 *
 * Tokens carry "@<monotonic nanoseconds> " when the simulator stamps them; the difference to the
 * moment of their arrival is the latency.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES_MAX = 4 << 20, BUFFER_BYTES = 128 << 10, EVENTS = 256 };

struct tally {
    uint64_t bytes;
    uint64_t tokens;
    uint32_t *latency_us;
    size_t samples;
    size_t samples_max;
};

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "reader: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void tally_init(struct tally *tally) {
    *tally = (struct tally){ .latency_us = malloc(SAMPLES_MAX * sizeof(uint32_t)),
                             .samples_max = SAMPLES_MAX };
    if (!tally->latency_us) fail("malloc");
}

// A stamp that two reads cut in half is missed; there are enough others.
static void take(struct tally *tally, const char *data, size_t length) {
    int64_t now = now_ns();
    tally->bytes += length;
    for (const char *at = data, *end = data + length; (at = memchr(at, '@', (size_t)(end - at)));
         at++) {
        int64_t stamp = 0;
        const char *digit = at + 1;
        while (digit < end && *digit >= '0' && *digit <= '9')
            stamp = stamp * 10 + (*digit++ - '0');
        if (digit == end || *digit != ' ' || now < stamp) continue;
        tally->tokens++;
        if (tally->samples < tally->samples_max)
            tally->latency_us[tally->samples++] = (uint32_t)((now - stamp) / 1000);
    }
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t quantile(struct tally *tally, double q) {
    return tally->samples ? tally->latency_us[(size_t)(q * (double)(tally->samples - 1))] : 0;
}

static void report(struct tally *tally, int64_t started_ns, uint64_t errors) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    qsort(tally->latency_us, tally->samples, sizeof(*tally->latency_us), compare);
    printf("{\"bytes\": %llu, \"tokens\": %llu, \"errors\": %llu, \"wall_s\": %.6f, "
           "\"cpu_s\": %.6f, \"p50_us\": %u, \"p99_us\": %u}\n",
           (unsigned long long)tally->bytes, (unsigned long long)tally->tokens,
           (unsigned long long)errors, (double)(now_ns() - started_ns) / 1e9, cpu,
           quantile(tally, 0.50), quantile(tally, 0.99));
}

// ---- http ----

struct client {
    int epoll;
    CURLM *multi;
    int64_t due_ns; // curl's timer; -1: none
    int64_t ask_ns; // when the next answer is asked for; -1: none is
    struct tally tally;
};

static size_t on_body(char *data, size_t size, size_t count, void *owner) {
    take(owner, data, size * count);
    return size * count;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *owner, void *known) {
    struct client *client = owner;
    struct epoll_event event = { .data.fd = socket };
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(client->epoll, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    epoll_ctl(client->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
    curl_multi_assign(client->multi, socket, client);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *owner) {
    struct client *client = owner;
    (void)multi;
    client->due_ns = timeout_ms < 0 ? -1 : now_ns() + timeout_ms * 1000000;
    return 0;
}

static void client_init(struct client *client) {
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    client->due_ns = -1;
    client->ask_ns = -1;
    client->multi = curl_multi_init();
    tally_init(&client->tally);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
}

static CURL *post(const char *url, const char *body, struct curl_slist *headers,
                  struct tally *tally) {
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, tally);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); // else three system calls more for each read
    return easy;
}

static int turn(struct client *client) {
    struct epoll_event events[EVENTS];
    int running = 0;
    int64_t wait_ns = 1000000000;
    if (client->due_ns >= 0) wait_ns = client->due_ns - now_ns();
    if (client->ask_ns >= 0 && client->ask_ns - now_ns() < wait_ns)
        wait_ns = client->ask_ns - now_ns();
    int count = epoll_wait(client->epoll, events, EVENTS,
                           wait_ns > 0 ? (int)((wait_ns + 999999) / 1000000) : 0);
    for (int i = 0; i < count; i++)
        curl_multi_socket_action(client->multi, events[i].data.fd,
                                 (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                     (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
                                 &running);
    if (client->due_ns >= 0 && now_ns() >= client->due_ns) {
        client->due_ns = -1;
        curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return running;
}

// All of them at once would make their tokens arrive in bunches, which are cheap to read.
static void read_http(const char *url, const char *body, int streams, int64_t apart_ns) {
    struct client client = { 0 };
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    client_init(&client);
    int64_t started_ns = now_ns();
    uint64_t errors = 0;
    client.ask_ns = started_ns;
    for (int asked = 0, left = streams; left > 0;) {
        for (; client.ask_ns >= 0 && client.ask_ns <= now_ns(); asked++) {
            curl_multi_add_handle(client.multi, post(url, body, headers, &client.tally));
            client.ask_ns = asked + 1 < streams ? client.ask_ns + apart_ns : -1;
        }
        turn(&client);
        CURLMsg *message;
        int queued;
        while ((message = curl_multi_info_read(client.multi, &queued))) {
            errors += message->data.result != CURLE_OK;
            left--;
        }
    }
    report(&client.tally, started_ns, errors);
}

struct first {
    int64_t at_ns;
};

static size_t on_first(char *data, size_t size, size_t count, void *owner) {
    struct first *first = owner;
    (void)data;
    if (!first->at_ns) first->at_ns = now_ns();
    return size * count;
}

static void first_http(const char *url, const char *body, int times) {
    struct client client = { 0 };
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    client_init(&client);
    CURL *easy = post(url, body, headers, &client.tally);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_first);
    int64_t started_ns = now_ns();
    for (int i = 0; i < times; i++) {
        struct first first = { 0 };
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &first);
        int64_t begun_ns = now_ns();
        curl_multi_add_handle(client.multi, easy);
        CURLMsg *message = NULL;
        int queued;
        while (!(message = curl_multi_info_read(client.multi, &queued)))
            turn(&client);
        curl_multi_remove_handle(client.multi, easy);
        client.tally.latency_us[client.tally.samples++] =
            (uint32_t)((first.at_ns - begun_ns) / 1000);
    }
    report(&client.tally, started_ns, 0);
}

// ---- files ----

static void read_files(int count, char **paths) {
    struct tally tally;
    tally_init(&tally);
    static char buffer[BUFFER_BYTES];
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t errors = 0;
    for (int i = 0; i < count; i++) {
        struct epoll_event event = { .events = EPOLLIN };
        event.data.fd = open(paths[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (event.data.fd < 0) fail(paths[i]);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) < 0) fail("epoll_ctl");
    }
    int64_t started_ns = now_ns();
    for (int left = count; left > 0;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            ssize_t got = read(events[i].data.fd, buffer, sizeof(buffer));
            if (got > 0) {
                take(&tally, buffer, (size_t)got);
            } else if (got == 0 || errno != EAGAIN) {
                errors += got < 0;
                close(events[i].data.fd);
                left--;
            }
        }
    }
    report(&tally, started_ns, errors);
}

static void write_prompt(const char *directory, const char *prompt) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/prompt", directory);
    int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file < 0) fail(path);
    if (write(file, prompt, strlen(prompt)) < 0) fail(path);
    close(file);
}

// Each thread has a tally of its own, and room for the stamps of a long answer.
enum { THREAD_SAMPLES_MAX = 4096, STACK_BYTES = 64 << 10 };

struct thread {
    pthread_t id;
    const char *path;
    struct tally tally;
    uint32_t latency_us[THREAD_SAMPLES_MAX];
    int error;
};

static atomic_int opened;

static void *read_blocking(void *owner) {
    struct thread *thread = owner;
    char buffer[16 << 10];
    ssize_t got;
    int file = open(thread->path, O_RDONLY | O_CLOEXEC);
    atomic_fetch_add(&opened, 1);
    if (file < 0) {
        thread->error = errno;
        return NULL;
    }
    while ((got = read(file, buffer, sizeof(buffer))) > 0)
        take(&thread->tally, buffer, (size_t)got);
    thread->error = got < 0 ? errno : 0;
    close(file);
    return NULL;
}

static void read_threads(int count, char **paths) {
    struct tally all;
    tally_init(&all);
    struct thread *threads = calloc((size_t)count, sizeof(*threads));
    pthread_attr_t attributes;
    uint64_t errors = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int64_t started_ns = now_ns();
    for (int i = 0; i < count; i++) {
        threads[i].path = paths[i];
        threads[i].tally.latency_us = threads[i].latency_us;
        threads[i].tally.samples_max = THREAD_SAMPLES_MAX;
        if (pthread_create(&threads[i].id, &attributes, read_blocking, &threads[i]) != 0)
            fail("pthread_create");
    }
    while (atomic_load(&opened) < count)
        usleep(1000);
    fprintf(stderr, "ready\n");
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i].id, NULL);
        const struct tally *tally = &threads[i].tally;
        all.bytes += tally->bytes;
        all.tokens += tally->tokens;
        errors += threads[i].error != 0;
        for (size_t j = 0; j < tally->samples && all.samples < all.samples_max; j++)
            all.latency_us[all.samples++] = tally->latency_us[j];
    }
    report(&all, started_ns, errors);
}

/* From where to where a question to the mount is timed. */
enum span { OPEN_TO_FIRST, CLOSE_TO_FIRST, OPEN_TO_END };

static void ask_files(const char *directory, const char *prompt, int times, enum span span) {
    struct tally tally;
    tally_init(&tally);
    static char buffer[BUFFER_BYTES];
    char path[4096];
    snprintf(path, sizeof(path), "%s/response", directory);
    int64_t started_ns = now_ns();
    for (int i = 0; i < times; i++) {
        int64_t begun_ns = now_ns();
        write_prompt(directory, prompt);
        if (span == CLOSE_TO_FIRST) begun_ns = now_ns();
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) fail(path);
        ssize_t got = read(file, buffer, sizeof(buffer));
        int64_t end_ns = now_ns();
        while (got > 0)
            got = read(file, buffer, sizeof(buffer));
        close(file);
        if (span == OPEN_TO_END) end_ns = now_ns();
        tally.latency_us[tally.samples++] = (uint32_t)((end_ns - begun_ns) / 1000);
    }
    report(&tally, started_ns, 0);
}

int main(int argc, char **argv) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc == 6 && strcmp(argv[1], "http") == 0)
        read_http(argv[2], argv[3], atoi(argv[4]), atoll(argv[5]) * 1000);
    else if (argc == 5 && strcmp(argv[1], "first-http") == 0)
        first_http(argv[2], argv[3], atoi(argv[4]));
    else if (argc == 5 && strcmp(argv[1], "first-file") == 0)
        ask_files(argv[2], argv[3], atoi(argv[4]), OPEN_TO_FIRST);
    else if (argc == 5 && strcmp(argv[1], "first-closed") == 0)
        ask_files(argv[2], argv[3], atoi(argv[4]), CLOSE_TO_FIRST);
    else if (argc == 5 && strcmp(argv[1], "cycle") == 0)
        ask_files(argv[2], argv[3], atoi(argv[4]), OPEN_TO_END);
    else if (argc > 2 && strcmp(argv[1], "threads") == 0)
        read_threads(argc - 2, argv + 2);
    else if (argc > 2 && strcmp(argv[1], "files") == 0)
        read_files(argc - 2, argv + 2);
    else {
        fprintf(stderr, "usage: reader http URL BODY STREAMS APART_US | files FILE… |\n"
                        "  threads FILE… | first-http URL BODY TIMES |\n"
                        "  first-file, first-closed or cycle DIRECTORY PROMPT TIMES\n");
        return 2;
    }
    return 0;
}
