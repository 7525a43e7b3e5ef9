/*
 * event: one line for the journal, a JSON object, put together key by key:
 *
 *     struct event event;
 *     event_begin(&event, events, wall_ns, "retry");
 *     event_text(&event, "provider", name);
 *     event_ms(&event, "delay_ms", delay_ns);
 *     event_end(&event);
 *
 *     {"at":"2026-11-24T14:10:03.120Z","event":"retry","provider":"openai","delay_ms":512.0}
 *
 * Never fails its caller and needs no memory of the heap until its end. Every line is whole JSON:
 * long texts are cut, and a pair that does not fit any more is left out and "cut":true added.
 * Nothing that a terminal or a reader of lines might obey is in it raw.
 */
#ifndef ASKFS_CORE_EVENTS_EVENT_H
#define ASKFS_CORE_EVENTS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"

struct events;

enum { EVENT_LINE_MAX = 4096, EVENT_TEXT_MAX = 512 }; /* bytes; of a text as it is written */

struct event {
    struct events *events; /* borrowed; NULL: the line goes nowhere */
    int64_t wall_ns;
    size_t length;
    bool is_cut;
    char line[EVENT_LINE_MAX];
};

/* The first keys are "at" and "event". Names and keys are our own plain words. */
void event_begin(struct event *event, struct events *events, int64_t wall_ns, const char *name);
/* The same with another second key, for journals of other things. */
void event_begin_as(struct event *event, struct events *events, int64_t wall_ns, const char *key,
                    const char *name);

void event_text(struct event *event, const char *key, const char *value); /* NULL: null */
void event_slice(struct event *event, const char *key, struct slice value);
void event_count(struct event *event, const char *key, int64_t value);    /* negative: null */
void event_number(struct event *event, const char *key, double value);    /* not finite: null */
void event_ms(struct event *event, const char *key, int64_t duration_ns); /* negative: null */
void event_time(struct event *event, const char *key, int64_t wall_ns);   /* negative: null */

/* The line is done: it goes to the journal. */
void event_end(struct event *event);
/* The line is done and goes nowhere: with its newline, borrowed from event. */
struct slice event_close(struct event *event);

#endif
