/*
 * state: the structs behind engine.h, provider.h and request.h, for the files of this folder only.
 */
#ifndef ASKFS_CORE_ENGINE_STATE_H
#define ASKFS_CORE_ENGINE_STATE_H

#include "core/engine/provider.h"
#include "core/engine/request.h"
#include "core/engine/settings.h"
#include "core/engine/stats.h"
#include "core/policy/pause.h"
#include "core/providers/wire.h"

struct engine {
    struct engine_parts parts;
    struct random random;
    struct provider **providers;
    size_t provider_count;
    uint64_t serial_newest;
    struct request *news;      /* changed since the last flush, newest first */
    struct store_pool stores;  /* the memory of all answers */
    struct gain gain;          /* scratch for every decoder */
    struct bytes scratch;      /* scratch for URLs */
    int64_t started_wall_ns;
};

/* A failure and when it happened, for status and error. */
struct last_error {
    struct failure failure;
    int64_t wall_ns;
    char request_id[40];
    int attempts;
};

struct provider {
    struct engine *engine;
    const struct provider_config *config;
    const char *secret_header;
    const char *key_problem;
    char *base_url;
    const char **headers;       /* constant request headers, NULL-ended */
    char *url;                  /* of the wire */
    struct settings *settings;
    struct breaker breaker;
    const char *breaker_cause;  /* why it opened last; NULL: never did */
    struct pause pause;
    struct timer release_timer; /* looks at the queue again when a pause ends */
    struct stats stats;
    struct last_error *last_error; /* NULL: none yet */
    struct request *newest;
    struct request *oldest;
    size_t request_count;       /* in the list */
    struct request *ended_first; /* of these the ended ones, in the order of their ends */
    struct request *ended_last;
    size_t ended_count;
    struct request *queue_first;
    struct request *queue_last;
    bool releasing;             /* inside provider_release_queue */
    size_t in_flight;
    size_t queued;
    size_t active;              /* not ended, listings not counted */
    struct request *last_sent;  /* reference; its prompt is what prompt reads */
    struct request *listing;    /* reference; the newest list of models, or NULL */
    int64_t listed_ns;          /* when it was started */
};

/* What the phase timer of a request waits for. */
enum phase {
    PHASE_CONNECT,
    PHASE_FIRST_TOKEN,
    PHASE_READ,  /* the next content */
    PHASE_GRACE, /* complete, the usage may still come */
    PHASE_DRAIN, /* ended, the reply's last bytes may still come */
    PHASE_RETRY
};

/* One try at one provider. */
struct attempt {
    int number;
    int64_t started_ns;
    int64_t started_wall_ns;
    int64_t connected_ns;     /* -1: not yet */
    int64_t connect_ns;       /* what the transport said; 0: reused */
    int64_t first_content_ns; /* -1: not yet */
    int64_t ended_ns;         /* -1: under way */
    int http_status;          /* 0: no reply */
    size_t bytes;             /* of text kept from it */
    int64_t delay_ns;         /* before the next one; -1: no next one */
    enum retry_reason delay_reason;
    struct failure *failure;  /* NULL: ok, or under way */
    bool restarted;           /* what it had brought was thrown away, unseen */
    struct usage usage;
    char *provider_request_id; /* NULL: not told */
};

struct request {
    struct request *newer, *older;      /* in the provider's list */
    struct request *ended_next;
    struct request *queue_next;
    struct request *news_next;
    size_t references;
    struct provider *provider;
    uint64_t serial;
    char id[40];
    enum request_state state;
    bool in_list;
    bool is_listing;           /* asks for the models, not for an answer */
    bool in_queue;
    bool in_flight;            /* counted as such */
    bool in_news;
    bool has_permit;
    bool draining;             /* the answer is complete; the reply's last bytes are awaited */
    struct breaker_permit permit;

    struct bytes prompt;
    struct settings *settings;
    struct store response;
    struct store reasoning;
    bool text_given;           /* a reader was given a byte */

    struct attempt *attempts;
    int attempt_count;
    struct attempts spent;     /* what retry_decide asks for */

    /* the attempt under way */
    struct bytes body;
    char *url;
    struct transfer *transfer;
    int reply_status;
    struct bytes reply_headers; /* of a failing reply: name NUL value NUL … */
    struct bytes reply_body;    /* of a failing reply, or of a listing */
    struct decoder *decoder;    /* kept after the end for response.json */
    uint64_t progress;
    int64_t progress_ns;        /* newest content */
    enum phase phase;
    struct timer phase_timer;
    struct timer total_timer;

    struct failure *failure;    /* how it ended; NULL: not failed */
    struct watcher *watchers;
    struct watcher *telling;    /* the next one to be told */
    const char *recovery;       /* how the newest reconnect went on; NULL: none */
    int reconnects;
    int64_t submitted_ns;
    int64_t first_content_ns;   /* of the request, whatever attempt; -1 */
    int64_t ended_ns;           /* -1 */
    int64_t started_wall_ns;
    int64_t changed_wall_ns;
    int64_t retry_at_ns;
    enum retry_reason retry_reason;
};

/* engine.c */
int64_t engine_now_ns(const struct engine *engine);
int64_t engine_wall_ns(const struct engine *engine);

/* provider.c */
struct provider *provider_create(struct engine *engine, const struct provider_config *config,
                                 const char *base_url);
void provider_cancel_all(struct provider *provider);
void provider_destroy(struct provider *provider);
void provider_add_request(struct provider *provider, struct request *request);
/* The request has ended. Ended requests past requests_kept leave the list, oldest end first. */
void provider_note_ended(struct provider *provider, struct request *request);
/* Starts queued requests as far as pause and max_in_flight allow. */
void provider_release_queue(struct provider *provider);
void provider_note_error(struct provider *provider, const struct request *request);

/* request.c */
struct request *request_create(struct provider *provider);
void request_changed(struct request *request); /* watchers will hear of it */
void request_tell_watchers(struct request *request);
void request_begin(struct request *request);   /* admission: start, queue or refuse */
/* From the queue to its first attempt. */
void request_leave_queue(struct request *request);
/* The end, exactly once. failure NULL: done. Copies it. */
void request_end(struct request *request, enum request_state state,
                 const struct failure *failure);

/* attempt.c */
void attempt_start(struct request *request);
/* Ends the transfer under way, if any, upstream too. */
void attempt_abandon(struct request *request);
struct attempt *attempt_newest(const struct request *request); /* NULL: none */
/* Closes the attempt under way, if any, as failed and ends its transfer; decides nothing. */
void attempt_end_failed(struct request *request, const struct failure *failure);
/* The JSON that an attempt sends. */
bool attempt_write_body(const struct request *request, struct bytes *out);
void attempt_phase_timer(void *owner);

/* listing.c */
void listing_ended(struct request *request); /* its reply is whole: read it */

#endif
