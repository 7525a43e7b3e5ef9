/*
 * wire: how one API writes an answer. One file each behind this; routes.c lists them.
 */
#ifndef ASKFS_MOUNT_SIM_WIRE_H
#define ASKFS_MOUNT_SIM_WIRE_H

#include "mount/sim/answer.h"

struct wire {
    const char *name;
    const char *path;       /* without /v1 */
    const char *turns_key;  /* member of the body that holds the conversation */
    const char *system_key; /* NULL: the system prompt is a turn */
    const char *id_prefix;
    const char *request_id_header;
    bool needs_max_tokens;
    bool refuses_trailing_blanks; /* in a prefill */
    int overloaded_status;

    /* How many events a phase has that holds no deltas. */
    size_t (*events)(const struct answer *answer, enum phase phase);
    /* What surrounds the text of a delta; see frame.h. */
    void (*write_frame)(const struct answer *answer, enum phase phase, enum frame_part part,
                        struct out *out);
    /* The event at place, which is no delta, as it goes over the wire. */
    void (*write_event)(const struct answer *answer, const struct place *place, struct out *out,
                        struct bytes *scratch);
    /* The events that tell of an error within the stream. */
    void (*write_failure)(const struct answer *answer, const struct place *place,
                          const struct problem *problem, struct out *out);
    /* The whole answer as the body of a reply. */
    void (*write_whole)(const struct answer *answer, struct out *out, struct bytes *scratch);
    void (*write_problem)(const struct problem *problem, const char *request_id, struct out *out);
};

extern const struct wire wire_chat;
extern const struct wire wire_responses;
extern const struct wire wire_messages;

/* The response object of the Responses API. status: "completed" and so on; output: with what was
 * said. */
void wire_responses_write_object(const struct answer *answer, const char *status, bool output,
                                 struct out *out, struct bytes *scratch);
const char *wire_responses_final_status(const struct answer *answer);

#endif
