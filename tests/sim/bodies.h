/*
 * bodies: answers in the form of each wire, and requests read back. For simulations.
 */
#ifndef ASKFS_TESTS_SIM_BODIES_H
#define ASKFS_TESTS_SIM_BODIES_H

#include "tests/sim/upstream.h"

/* What a request asks. */
struct asked {
    bool good;
    size_t prompt;  /* its number */
    bool prefills;  /* the last turn is the assistant's */
    bool continues; /* an assistant's turn, then the request to go on */
    char partial[8192];
};

struct asked bodies_read(struct slice body);

/* Appends a whole reply body. from_sequence: of a resumed response, the first event to send; 0:
 * all. */
void bodies_write(struct bytes *out, enum wire_kind wire, const char *response_id,
                  struct slice text, size_t from_sequence, struct random *random);

#endif
