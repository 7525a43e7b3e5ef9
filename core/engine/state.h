/*
 * state: the structs behind engine.h, provider.h and request.h, for the files of this folder only.
 */
#ifndef ASKFS_CORE_ENGINE_STATE_H
#define ASKFS_CORE_ENGINE_STATE_H

#include "core/base/random.h"
#include "core/engine/endpoint.h"
#include "core/engine/model_state.h"
#include "core/engine/provider.h"
#include "core/engine/records.h"
#include "core/engine/request.h"
#include "core/engine/settings.h"
#include "core/engine/stats.h"
#include "core/events/events.h"
#include "core/policy/alerts.h"
#include "core/policy/pacer.h"
#include "core/policy/quota.h"
#include "core/policy/recovery.h"
#include "core/policy/retry_budget.h"
#include "core/policy/route.h"
#include "core/providers/wire.h"
#include "core/stream/seam.h"

struct engine {
    struct engine_parts parts;
    struct random random;
    struct provider **providers;
    size_t provider_count;
    size_t in_flight; /* transfers of prompts, of all providers */
    uint64_t serial_newest;
    struct request *news;                     /* changed since the last flush, newest first */
    struct store_pool stores;                 /* the memory of all answers */
    struct gain gain;                         /* scratch for every decoder */
    struct bytes joined;                      /* scratch for text that came through a seam */
    struct upstream_cancel *upstream_cancels; /* under way at providers: upstream_cancel.c */
    struct events *events;                    /* NULL: no memory for them */
    struct events *alerts;
    int64_t started_wall_ns;
};

/* A failure and when it happened, for status and error. */
struct last_error {
    struct failure failure;
    int64_t wall_ns;
    char request_id[40];
    int attempts;
};

/* Requests that wait for a provider: those that ask again before those that never asked. */
struct queue {
    struct request *first[2], *last[2]; /* [1]: again */
    size_t count;
};

struct provider {
    struct engine *engine;
    const struct provider_config *config;
    struct endpoint *endpoint; /* with a reference; config is its */
    const char *key_problem;   /* NULL: it has its key, or needs none */
    bool is_removed; /* not in the configuration any more; what runs here ends as it was */
    struct provider **members; /* of a route, in order; NULL: no route */
    size_t member_count;
    struct settings *settings;
    struct model_states models;
    struct pacer pacer;
    struct retry_budget retry_budget;
    struct quota quota;         /* the user's own budget */
    struct fault_rules *faults; /* NULL: none were ever asked for */
    struct alerts alerts;
    struct timer alert_timer;   /* when time alone may end an alert */
    struct timer release_timer; /* looks at the queue again when the pacer lets somebody through */
    struct timer probe_timer;   /* asks for the models while a breaker is open */
    struct stats stats;
    struct last_error *last_error; /* NULL: none yet */
    struct records records;
    struct queue queue;
    bool releasing;            /* inside queue_release */
    size_t in_flight;          /* transfers of prompts */
    size_t active;             /* requests of its own, and of routes while they are with it */
    struct request *last_sent; /* reference; its prompt is what prompt reads */
    struct request *listing;   /* reference; the newest list of models, or NULL */
    int64_t listed_ns;         /* when it was started */
    struct request *probe;     /* reference; the newest free probe, or NULL */
};

/* What the phase timer of a request waits for. */
enum phase {
    PHASE_CONNECT,
    PHASE_HEADERS,
    PHASE_REFUSAL, /* the body of a reply that is no answer */
    PHASE_FIRST_TOKEN,
    PHASE_READ,  /* the next content */
    PHASE_GRACE, /* complete, the usage may still come */
    PHASE_DRAIN, /* ended, the reply's last bytes may still come */
    PHASE_RETRY
};

/* One try at one provider. */
struct attempt {
    int number;
    struct provider *target;
    struct settings *settings; /* with a reference */
    enum recovery_method method;
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
    struct failure *failure; /* NULL: ok, or under way */
    struct usage usage;
    bool holds_budget;         /* under way, and noted as such in the target's quota */
    char *provider_request_id; /* NULL: not told */
};

/* One provider as one request sees it. A plain request has one leg, that of a route one for each
 * provider of the route. */
struct leg {
    struct provider *target;
    struct settings *settings; /* what it is asked with; with a reference */
    struct model_state *model; /* with a reference; NULL: never admitted */
    struct breaker_permit permit;
    bool has_permit;
    bool is_active; /* counted at the target */
    bool is_closed; /* nothing more is asked here for this request */
    bool is_silent;
    bool wants_fresh_connection; /* the next attempt here */
    unsigned refused;            /* bits of recovery methods that did not work here */
    struct attempts spent;       /* what retry_decide asks for */
    struct failure *failure;     /* the newest here; NULL: none */
};

/* Where a continuation was joined to what was there. */
struct seam_record {
    size_t offset;
    enum recovery_method method;
    size_t overlap; /* bytes of the continuation that were there already */
};

struct request {
    struct request *ended_next; /* in its provider's records */
    struct request *queue_next, *queue_previous;
    struct request *news_next;
    size_t references;
    struct provider *provider; /* whose directory the prompt was written in */
    uint64_t serial;
    char id[40];
    enum request_state state;
    bool in_records;
    bool is_listing; /* asks for the models, not for an answer */
    bool in_queue;
    bool asks_again; /* in the queue of those */
    bool in_flight;  /* counted as such at the leg's target */
    bool in_news;
    bool draining; /* the answer is complete; the reply's last bytes are awaited */

    struct bytes prompt;
    struct settings *settings;
    struct store response;
    struct store reasoning;
    size_t given[2]; /* how far readers were given each text, by enum request_text */

    struct leg *legs;
    size_t leg_count;
    struct leg *leg; /* where it is now; NULL: not yet anywhere */
    struct attempt *attempts;
    int attempt_count;
    int64_t deadline_ns; /* TIME_NEVER: none */

    /* going on after a broken stream */
    enum recovery_method method; /* of the attempt under way, or the next one */
    struct seam *seam;           /* NULL: what comes is appended as it is */
    size_t grown_to;             /* longest that the response ever was */
    int idle_reconnects;         /* broken streams since it last grew */
    int reconnects;
    enum recovery_method recovered_by; /* how the newest reconnect went on */
    struct seam_record *seams;
    size_t seam_count;
    int64_t window_outgrown; /* largest context window that was too small, in tokens; 0: none */
    struct failure *cause;   /* the first failure, when later ones are only its consequence */

    /* the attempt under way */
    struct bytes body;
    char *url;
    struct transfer *transfer;
    struct endpoint *endpoint;  /* with a reference; what the transfer was started with */
    struct pacer_ticket ticket; /* of the target's pacer */
    int reply_status;
    struct bytes reply_headers; /* of a failing reply: name NUL value NUL … */
    struct bytes reply_body;    /* of a failing reply, or of a listing */
    struct decoder *decoder;    /* kept after the end for response.json */
    uint64_t progress;          /* of the decoder, at this attempt's start and then as seen */
    bool has_opened;            /* this attempt brought an answer's beginning: the decoder is its */
    bool has_content;           /* this attempt brought some */
    bool in_background;         /* it goes on at the provider without a connection */
    bool had_tools;             /* some attempt brought a part of a tool call */
    bool keeps_reasoning;       /* that of the attempt at hand follows what is there */
    int64_t progress_ns;        /* newest content */
    int64_t byte_ns;            /* newest byte of any kind */
    enum phase phase;
    struct timer phase_timer;
    struct timer total_timer;

    struct failure *failure; /* how it ended; NULL: not failed */
    struct watcher *watchers;
    struct watcher *telling; /* the next one to be told */
    int64_t submitted_ns;
    int64_t first_content_ns; /* of the request, whatever attempt; -1 */
    int64_t ended_ns;         /* -1 */
    int64_t started_wall_ns;
    int64_t changed_wall_ns;
    int64_t retry_at_ns;
};

/* engine.c */
int64_t engine_now_ns(const struct engine *engine);
int64_t engine_wall_ns(const struct engine *engine);

/* provider.c */
/* Takes endpoint, whatever happens. NULL: no memory. */
struct provider *provider_create(struct engine *engine, struct endpoint *endpoint);
/* Goes on with another configuration of the same type and wire. Takes both. */
void provider_change(struct provider *provider, struct endpoint *endpoint,
                     struct settings *settings);
struct settings *settings_of_config(const struct provider_config *config); /* NULL: no memory */
void provider_cancel_all(struct provider *provider);
void provider_forget_requests(struct provider *provider); /* all have ended */
void provider_destroy(struct provider *provider);
/* To its records; false: no memory. */
bool provider_add_request(struct provider *provider, struct request *request);
void provider_note_ended(struct provider *provider, struct request *request);
void provider_note_error(struct provider *provider, const struct request *request,
                         const struct failure *failure);
/* The state of the model that new requests are asked with; NULL: nothing is known yet. */
const struct model_state *provider_model_state(const struct provider *provider);

/* health.c */
/* The breaker was asked or told something; from: its state before. Counts, and starts or ends the
 * free probe that looks whether an open breaker may be tried sooner. */
void health_note_breaker(struct provider *provider, struct model_state *model,
                         enum breaker_state from, const char *cause);
/* open, close, reset, auto: for every model. */
void health_command(struct provider *provider, enum breaker_command command);
void health_probe_timer(void *owner);
/* A listing of this provider succeeded. */
void health_note_answer(struct provider *provider);

/* queue.c */
void queue_join(struct request *request, bool again); /* of its leg's target */
void queue_leave(struct request *request);
/* May one more be in flight, by max_in_flight and by what the process can hold open? */
bool queue_has_room(const struct provider *provider);
void queue_enter_flight(struct provider *provider);
/* Where the process was full, other providers' queues hear of the room. */
void queue_leave_flight(struct provider *provider);
/* Lets requests go on as far as pacer and queue_has_room allow. */
void queue_release(struct provider *provider);
void queue_release_timer(void *owner);
/* The key is paused for longer: each request that waits here hears of it. */
void queue_disperse(struct provider *provider);

/* leg.c */
bool legs_create(struct request *request); /* false: no memory */
void legs_destroy(struct request *request);
/* Asks the breaker, unless its permit still holds. False: it is open. */
bool leg_is_admitted(struct request *request, struct leg *leg);
/* The same question without asking for a permit. */
bool leg_would_be_admitted(const struct leg *leg, int64_t now_ns);
bool leg_has_room(const struct leg *leg); /* for one more that waits or runs */
/* What was too long for one provider is asked only of a larger one, or one that nobody knows. */
bool leg_has_window(const struct request *request, const struct leg *leg);
/* Is the key of this provider paused for longer than the request has time? */
bool leg_is_paused_past_deadline(const struct request *request, const struct leg *leg);
/* May another attempt be paid after this delay? To take up a response where it broke off is free.
 */
bool leg_has_budget(const struct request *request, const struct leg *leg, int64_t delay_ns);
const struct retry_policy *leg_retry_policy(const struct leg *leg);
const struct timeouts *leg_timeouts(const struct leg *leg);
/* The request goes elsewhere, or ends: tells the breaker and the statistics. failure NULL: it was
 * answered here. is_neutral: it was stopped, which says nothing about the provider. */
void leg_leave(struct request *request, struct leg *leg, const struct failure *failure,
               bool is_neutral);
void leg_note_failure(struct request *request, struct leg *leg, const struct failure *failure);

/* method.c: ways of going on from what was delivered */
/* RECOVERY_NONE: there is none. */
enum recovery_method method_at(const struct request *request, const struct leg *leg);
/* Delivered text is gone on from; text that nobody saw, or none, is asked for again. */
bool method_can_go_on(const struct request *request, const struct leg *leg);
/* What the provider does not take is left out from now on; that is no retry. */
bool method_learns(struct request *request, struct leg *leg, const struct failure *failure);
/* Not the request is at fault, nor the provider: it does not take this way of going on. */
bool method_is_refused(const struct request *request, const struct failure *failure);

/* admission.c: from the prompt, or from a wait, to the next attempt */
void admission_begin(struct request *request);
void admission_go_on(struct request *request); /* its turn in the queue has come */
/* It waits in a queue whose key is paused for longer now: another may be better, or none. */
void admission_wait_is_longer(struct request *request);
/* Who of a route is asked next; see route_choose. */
struct route_choice admission_choose(const struct request *request, const struct failure *failed,
                                     const struct retry_decision *same);
void admission_end_for_budget(struct request *request); /* its leg's budget is spent */

/* course.c: what becomes of a request after an attempt */
void course_retry_is_due(struct request *request);
void course_attempt_failed(struct request *request, const struct failure *failure);
void course_complete(struct request *request); /* the decoder has it all */
void course_finish(struct request *request, const struct failure *failure); /* it has failed */
void course_note_cause(struct request *request, const struct failure *failure);
/* What the next attempt is, and what may be forgotten for it; broke: a stream did. */
void course_set_method(struct request *request, bool broke);

/* request.c */
int64_t request_now_ns(const struct request *request); /* by the engine's clock */
struct request *request_create(struct provider *provider);
void request_changed(struct request *request); /* watchers will hear of it */
void request_tell_watchers(struct request *request);
void request_begin(struct request *request);
/* The end, exactly once. failure NULL: done. Copies it. */
void request_end(struct request *request, enum request_state state, const struct failure *failure);
struct usage request_usage(const struct request *request); /* of all attempts, as far as told */
bool request_is_of_route(const struct request *request);
bool request_is_delivered(const struct request *request); /* a reader was given a byte of it */
void request_fail_with_us(struct request *request, enum failure_class class, const char *message);

/* attempt.c */
void attempt_start(struct request *request);
/* Ends the transfer under way, if any, upstream too. */
void attempt_abandon(struct request *request);
struct attempt *attempt_newest(const struct request *request); /* NULL: none */
/* Closes the attempt under way, if any, and ends its transfer; decides nothing. failure NULL: it
 * brought the answer, and the transfer is left to drain. */
void attempt_close(struct request *request, const struct failure *failure);
/* The JSON that an attempt sends. */
bool attempt_write_body(const struct request *request, struct bytes *out);
void attempt_forget_transfer(struct request *request); /* it is over, or was cancelled */

/* attempt_phase.c: how long each phase of an attempt may take */
/* limit_ns 0: as long as it likes. */
void attempt_phase_begin(struct request *request, enum phase phase, int64_t from_ns,
                         int64_t limit_ns);
/* The same for the phases of a stream, whose limits move with what comes. */
void attempt_phase_begin_stream(struct request *request, enum phase phase);
void attempt_phase_stop(struct request *request); /* nothing is waited for */
void attempt_phase_timer(void *owner);

/* attempt_reply.c: what comes back in an attempt */
extern const struct transfer_events attempt_reply_events; /* the owner is the request */
void attempt_reply_begin(struct request *request); /* what came in an earlier one is forgotten */
void attempt_reply_judge(struct request *request); /* it is no answer: which failure is it? */

/* spending.c: the user's own budget of a provider */
/* An attempt that may cost was sent; each attempt has ended, and its usage is known. */
void spending_note_sent(struct attempt *attempt);
void spending_note_ended(struct attempt *attempt, enum billed billed);
/* May an attempt that costs be sent after this delay? */
bool spending_allows(const struct provider *provider, int64_t delay_ns);
/* What a request fails with when its leg's budget is spent. */
void spending_failure(const struct leg *leg, struct failure *failure_out);

/* answer.c: what an attempt brings, on its way to the readers */
bool answer_begin(
    struct request *request); /* before an attempt: a seam, or none; false: no memory */
void answer_forget(struct request *request); /* nobody saw it: the text is thrown away */
bool answer_open(struct request *request, struct slice content_type); /* false: no memory */
void answer_feed(struct request *request, struct slice bytes);
void answer_end(struct request *request); /* the body ended properly */
/* Is the whole answer of the form that its request asked for? */
bool answer_fits_schema(const struct request *request, struct failure *failure_out);
void answer_note_text_ended(struct request *request);

/* tell.c: to the files events and alerts */
void tell_attempt_started(const struct request *request);
void tell_attempt_ended(const struct request *request, const struct failure *failure);
/* After the next attempt was planned; broke: it goes on from a broken stream. */
void tell_going_on(const struct request *request, const struct failure *failure, bool broke);
void tell_seam_refused(const struct request *request, const char *problem);
void tell_budget_denied(const struct request *request);   /* of retries */
void tell_spending_denied(const struct request *request); /* its leg's budget is spent */
void tell_spending(struct provider *provider);            /* it, or its limits, changed */
void tell_pause(const struct request *request);
void tell_request_ended(const struct request *request);
/* said: what health_note_breaker was told; NULL: time alone. */
void tell_breaker(struct provider *provider, const struct model_state *model,
                  enum breaker_state from, const char *said);
void tell_alert_timer(void *owner);

/* upstream_cancel.c */
/* Stops the response that goes on at the provider without a connection, if there is one. */
void upstream_cancel_send(struct request *request);
void upstream_cancels_end(struct engine *engine);

/* listing.c */
void listing_ended(struct request *request); /* its reply is whole: read it */
/* Asks for the models whatever is known, only to see whether there is an answer. New reference;
 * NULL: no memory. */
struct request *listing_probe(struct provider *provider);

#endif
