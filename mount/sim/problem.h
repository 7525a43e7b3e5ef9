/*
 * problem: why a request gets no answer. Each wire has its own words for it.
 */
#ifndef ASKFS_MOUNT_SIM_PROBLEM_H
#define ASKFS_MOUNT_SIM_PROBLEM_H

#include "core/base/bytes.h"

struct out;

enum { PROBLEM_TEXT_SIZE = 640 };

struct problem {
    int status;
    const char *code; /* of OpenAI's shape; NULL: none */
    char text[PROBLEM_TEXT_SIZE];
};

/* Always false, so that it can be returned. */
bool problem_set(struct problem *problem, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The whole body of an error reply, in OpenAI's shape and in Anthropic's. */
void problem_write_openai(const struct problem *problem, struct out *out);
void problem_write_anthropic(const struct problem *problem, const char *request_id,
                             struct out *out);

/* The word that a status has in the member "type" of OpenAI's. */
const char *problem_type_openai(int status);

#endif
