/* askfs-sim: an HTTP server on loopback that answers as LLM providers do. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mount/sim/routes.h"
#include "mount/sim/server.h"

enum { EXIT_START = 1, EXIT_USAGE = 2, PORT_MAX = 65535 };

static const char help[] =
    "Usage: askfs-sim [--port N] [--parent]\n"
    "\n"
    "An HTTP server on 127.0.0.1 that answers like OpenAI's and Anthropic's APIs, without a "
    "model.\n"
    "\n"
    "  --port N     listen on this port; 0, as without the option: any that is free\n"
    "  --parent     end when standard input ends\n"
    "  --help       this text\n"
    "  --version    the version\n"
    "\n"
    "The first line that it prints says where it listens. With or without /v1 before them:\n"
    "  POST /chat/completions, /responses, /messages      streamed or whole\n"
    "  GET /responses/ID, POST /responses/ID/cancel       responses in the background\n"
    "  GET /models, /health\n"
    "\n"
    "The model sim-echo answers with the prompt, sim-think with reasoning before its text, "
    "sim-large\n"
    "at length, and any other name with a few sentences; always the same for the same question. "
    "The\n"
    "member \"sim\" of a body, or the header x-sim, is an object that says how to answer:\n"
    "  text, reasoning, refusal                strings, or true\n"
    "  chunks, chunk_bytes, repeat             how the text is cut\n"
    "  first_ms, ms_per_chunk                  its pace\n"
    "  tool, stamp, usage                      true or false\n"
    "  finish                                  stop, length, content_filter\n"
    "  prefill                                 accept, refuse, ignore\n"
    "  continuation, overlap                   exact, overlap, restart, preamble, diverge; "
    "characters\n"
    "  context_tokens                          more than these are refused\n"
    "\n"
    "POST /sim/faults takes rules, one a line; GET shows them, DELETE or the line clear removes "
    "them:\n"
    "  rate_limit, server, overloaded          status=N retry_after=SECONDS\n"
    "  reset, refuse                           before a reply\n"
    "  timeout                                 after=SECONDS\n"
    "  disconnect, truncate                    after_chunks=N\n"
    "  stall                                   after_chunks=N for=SECONDS\n"
    "  error                                   after_chunks=N class=overloaded|server|rate_limit\n"
    "  malformed                               at_chunk=N\n"
    "  no_terminal\n"
    "  slow, split                             ms_per_chunk=N, bytes=N; beside another fault\n"
    "  each of them                            times=N skip=N p=0..1 model=NAME path=PART\n"
    "Without path they are meant for answers alone. GET /sim/requests and /sim/stats tell what "
    "came.\n";

struct program {
    struct server server;
    uv_signal_t signals[2];
    uv_pipe_t parent;
    char parent_input[512];
};

struct options_given {
    int port;
    bool has_parent;
};

// ---- what ends it ----

static void on_signal(uv_signal_t *handle, int number) {
    struct program *program = handle->data;
    (void)number;
    server_stop(&program->server);
}

static void give_parent_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct program *program = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(program->parent_input, sizeof(program->parent_input));
}

static void on_parent_input(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    struct program *program = stream->data;
    (void)buffer; // nothing is expected there but the end
    if (length < 0) server_stop(&program->server);
}

// What is no pipe (a file, /dev/null) cannot be waited for: it has ended already.
static bool watch_parent(struct program *program) {
    uv_handle_type type = uv_guess_handle(STDIN_FILENO);
    if (type != UV_NAMED_PIPE && type != UV_TTY && type != UV_TCP) return false;
    uv_pipe_init(&program->server.loop, &program->parent, 0);
    program->parent.data = program;
    return uv_pipe_open(&program->parent, STDIN_FILENO) == 0 &&
           uv_read_start((uv_stream_t *)&program->parent, give_parent_buffer, on_parent_input) == 0;
}

static void watch_signals(struct program *program) {
    static const int numbers[] = { SIGTERM, SIGINT };
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&program->server.loop, &program->signals[i]);
        program->signals[i].data = program;
        uv_signal_start(&program->signals[i], on_signal, numbers[i]);
    }
    signal(SIGPIPE, SIG_IGN);
}

// ---- options ----

static bool read_port(const char *text, int *port) {
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 0 || number > PORT_MAX) return false;
    *port = (int)number;
    return true;
}

static int complain(const char *about, const char *what) {
    fprintf(stderr, "askfs-sim: %s: %s; try --help\n", about, what);
    return EXIT_USAGE;
}

// -1: go on; else the exit status.
static int read_options(int count, char **arguments, struct options_given *given) {
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--parent") == 0) {
            given->has_parent = true;
        } else if (strcmp(arguments[i], "--port") == 0) {
            const char *port = i + 1 < count ? arguments[++i] : "";
            if (!read_port(port, &given->port))
                return complain("--port", "wants a number from 0 to 65535");
        } else if (strcmp(arguments[i], "--help") == 0) {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        } else if (strcmp(arguments[i], "--version") == 0) {
            puts("askfs-sim " ASKFS_VERSION);
            return EXIT_SUCCESS;
        } else {
            return complain(arguments[i], "unknown option");
        }
    }
    return -1;
}

// ---- its life ----

// Each stream needs a descriptor.
static void raise_limits(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int count, char **arguments) {
    struct options_given given = { 0 };
    int status = read_options(count, arguments, &given);
    if (status >= 0) return status;
    raise_limits();
    struct program *program = calloc(1, sizeof(*program));
    if (!program) return EXIT_START;
    int result = server_start(&program->server, given.port, routes_handle);
    if (result < 0) {
        fprintf(stderr, "askfs-sim: cannot listen on port %d: %s\n", given.port,
                uv_strerror(result));
        free(program);
        return EXIT_START;
    }
    watch_signals(program);
    if (given.has_parent) {
        signal(SIGHUP, SIG_IGN); // pkill -HUP askfs means the mount, and finds this name, too
        if (!watch_parent(program)) server_stop(&program->server);
    }
    printf("askfs-sim: listening on http://127.0.0.1:%d\n", server_port(&program->server));
    fflush(stdout);
    server_run(&program->server);
    server_finish(&program->server);
    free(program);
    return EXIT_SUCCESS;
}
