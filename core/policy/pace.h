/*
 * pace: how many requests a second a provider takes, learnt from its 429s. Pure.
 *
 *     none ── a limit is met ──> search ── it is met again ──> kept around a ceiling
 *      ^                                                              |
 *      └── lone 429s far below what was kept, or a trial that passes ─┘
 *
 * The first pace is that of the burst that met the limit. A search doubles it every few seconds.
 * From then on each 429 sets a ceiling, and the pace grows towards it fast, around it slowly and
 * beyond it fast again: the cubic curve of TCP (https://www.rfc-editor.org/rfc/rfc9438).
 *
 * Some servers turn a part of the requests away whatever the pace, and slowing down for these would
 * never end. So after some 429s that came alone a trial is made at twice the pace, long enough that
 * any limit would be met; each trial that fails makes the next one rarer.
 */
#ifndef ASKFS_CORE_POLICY_PACE_H
#define ASKFS_CORE_POLICY_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_MOMENTS = 32 };

/* Requests that were accepted at about the same time. */
struct pace_moment {
    int64_t at_ns;
    int64_t before; /* accepted before them, since the beginning */
};

struct pace {
    double per_s;   /* at grown_ns; 0: there is none */
    double ceiling; /* 0: it is still searched for */
    double cap;     /* told by headers; 0: none */
    int64_t grown_ns;
    double latency_ns; /* from sent to accepted, smoothed */

    int64_t accepted;    /* since the beginning */
    int64_t marked;      /* of these, when the limit was met last */
    int64_t marked_ns;   /* -1: never */
    int64_t turned_away; /* since then */
    int far_in_row;      /* how often little was accepted, one after the other */

    double kept;       /* the highest pace with hardly a 429 */
    int strays_in_row; /* lone 429s far below it */
    bool has_strays;   /* 429s come whatever the pace, so there is none */

    int lone_in_row;      /* lone 429s, one after the other, since the newest trial */
    int trial_after;      /* of these make a trial */
    double tried_from;    /* the pace before the trial under way; 0: none is */
    int64_t trial_passes; /* when so many were accepted since the beginning */

    struct pace_moment moments[PACE_MOMENTS]; /* ring */
    int moment_count;
    int moment_newest;
};

void pace_init(struct pace *pace);

/* Requests a second that may go out now; 0: as many as one likes. */
double pace_at(const struct pace *pace, int64_t now_ns);

void pace_note_accepted(struct pace *pace, int64_t sent_ns, int64_t now_ns);
/* Any 429. */
void pace_note_turned_away(struct pace *pace);
/* A 429 that is not of the same burst as the one before. paused_until_ns: nothing is sent before.
 */
void pace_note_limit(struct pace *pace, int64_t sent_ns, int64_t now_ns, int64_t paused_until_ns);
/* Did headers tell one, or was anything accepted in the minute before? */
bool pace_can_be_found(const struct pace *pace, int64_t met_ns);
/* The first pace, after a limit was met at met_ns; none where nothing was accepted in the minute
 * before. */
void pace_find(struct pace *pace, int64_t met_ns, int64_t now_ns);
/* The limit, not what was accepted. */
void pace_forget(struct pace *pace);

#endif
