/*
 * pacer_steps: a pacer and its tickets, for the tests of it.
 */
#ifndef ASKFS_TESTS_UNIT_PACER_STEPS_H
#define ASKFS_TESTS_UNIT_PACER_STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/policy/pacer.h"

enum { TICKETS = 20000 };

static struct pacer pacer;
static struct pacer_ticket tickets[TICKETS];
static int sent;
static struct random seed = { 1 };

static inline void begin(void) {
    pacer_init(&pacer, &pacer_default);
    sent = 0;
}

static inline void send_one(int64_t now_ns) {
    pacer_note_sent(&pacer, &tickets[sent++], now_ns, &seed);
}

/* As many as are let out now, at most max. */
static inline int send_all(int max, int64_t now_ns) {
    int before = sent;
    while (sent - before < max && pacer_next_ns(&pacer, now_ns) <= now_ns)
        send_one(now_ns);
    return sent - before;
}

static inline void accept_from(int first, int count, int64_t now_ns) {
    for (int i = first; i < first + count; i++)
        pacer_note_accepted(&pacer, &tickets[i], now_ns);
}

static inline void limit(int ticket, int64_t told_ns, int64_t now_ns) {
    pacer_note_limited(&pacer, &tickets[ticket], now_ns, told_ns, &seed);
}

#endif
