/*
 * pacer: how many requests of one provider key may go out, and how soon. Pure.
 *
 * Four things must allow a request:
 *  - the pause. A 429 sets it until the time that was told, else for a moment of our own that
 *    doubles while nothing is accepted. News never shortens it.
 *  - the window: requests whose fate is unknown, because no reply came yet. It starts small and
 *    grows fourfold when most of a full one was accepted, so that a limit nobody told of turns away
 *    a handful, and a server without one is slowed for a few round trips. It also doubles while
 *    nothing is heard for some time, for servers that think long before they say a word.
 *  - the pace, once a 429 showed that there is a limit (core/policy/pace.h): released evenly.
 *  - the levels of the buckets that headers tell of (core/policy/levels.h).
 * A limit is forgotten when it was not felt for a while.
 */
#ifndef ASKFS_CORE_POLICY_PACER_H
#define ASKFS_CORE_POLICY_PACER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/policy/levels.h"
#include "core/policy/pace.h"

struct pacer_policy {
    int window_first;       /* requests without a reply, to begin with */
    int window_patient_max; /* up to this it doubles when patience ends */
    int64_t patience_ns;
    int64_t pause_min_ns; /* a told pause lasts at least this long: the next place is for others */
    int64_t pause_first_ns; /* our own pause after a 429 that told nothing: half to the whole */
    int64_t pause_max_ns;   /* what it doubles up to */
    int64_t forget_ns;      /* a limit that was not felt for this long is forgotten */
};
extern const struct pacer_policy pacer_default; /* 32, 1024, 2 s, 0.1 s, 1 s, 30 s, 60 s */

struct pacer {
    const struct pacer_policy *policy; /* borrowed */
    int64_t pause_until_ns;
    int64_t limited_ns; /* the newest 429 of a new burst; -1: none to remember */
    int limited_in_row; /* of these, since a request that was sent later was accepted */
    bool is_blind;   /* nothing was told, or it was wrong, or says no pace: one request finds out */
    int64_t felt_ns; /* when a limit made somebody wait last */

    int64_t unanswered;
    int64_t window;
    int64_t in_window;         /* sent and, while the window is not reached, unanswered */
    int64_t proven;            /* accepted since the window was reached */
    int64_t tight_ns;          /* the window has been reached since; -1: it is not */
    int64_t window_unanswered; /* of those sent since it started */
    uint32_t window_number;    /* rises with each that starts empty */

    struct pace pace;
    int64_t due_ns;  /* the next request, by the pace alone */
    int64_t next_ns; /* the same with its jitter */
    struct levels levels;
};

/* One sent request. Kept by whoever sent it until its attempt is over. */
struct pacer_ticket {
    int64_t sent_ns;
    uint32_t window_number;
    bool out; /* no news yet */
};

void pacer_init(struct pacer *pacer, const struct pacer_policy *policy);

/* When the next request may go: 0 now, TIME_NEVER when only news can free it. Ask again at that
 * time and after each piece of news. */
int64_t pacer_next_ns(struct pacer *pacer, int64_t now_ns);
/* The same question without changing anything, for whoever does not send yet. */
bool pacer_would_allow(const struct pacer *pacer, int64_t now_ns);
int64_t pacer_pause_left_ns(const struct pacer *pacer, int64_t now_ns); /* 0: none */
/* The same, or how long the levels hold requests back where that is a second and longer. */
int64_t pacer_hold_left_ns(const struct pacer *pacer, int64_t now_ns);
/* Requests a second that are released now; 0: no limit is known. */
double pacer_pace(const struct pacer *pacer, int64_t now_ns);

/* A request goes out now, whether or not it was asked for. Draws one number. */
void pacer_note_sent(struct pacer *pacer, struct pacer_ticket *ticket, int64_t now_ns,
                     struct random *random);

/* The news of a ticket: a successful status came; a 429, even in the middle of a stream; its
 * attempt is over. The first of them frees its place, later ones are allowed, so the last may
 * always be said. A zeroed ticket was never sent. told_ns: when to come back, from now; -1: not
 * told. */
void pacer_note_accepted(struct pacer *pacer, struct pacer_ticket *ticket, int64_t now_ns);
void pacer_note_limited(struct pacer *pacer, struct pacer_ticket *ticket, int64_t now_ns,
                        int64_t told_ns, struct random *random); /* draws at most one number */
void pacer_note_ended(struct pacer *pacer, struct pacer_ticket *ticket);

/* The headers of any reply: of an accepted one after the news of its ticket, of a 429 before.
 * wall_ns: the local wall clock. */
void pacer_note_headers(struct pacer *pacer, const struct header *headers, size_t header_count,
                        int64_t now_ns, int64_t wall_ns);

#endif
