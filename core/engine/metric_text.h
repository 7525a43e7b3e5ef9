/*
 * metric_text: the text format of Prometheus, one family of samples after the other.
 */
#ifndef ASKFS_CORE_ENGINE_METRIC_TEXT_H
#define ASKFS_CORE_ENGINE_METRIC_TEXT_H

#include "core/base/bytes.h"

struct metric_family {
    struct bytes *out; /* borrowed */
    const char *name;
    bool ok; /* false once memory was short; nothing more is appended then */
};

/* Appends its HELP and TYPE. type: "counter", "gauge", "histogram". */
struct metric_family metric_family(struct bytes *out, const char *name, const char *type,
                                   const char *help);
/* Appends one line. suffix: behind the family's name, mostly "". Labels are pairs of name and
 * value, NULL-ended; values may hold any text. */
void metric_sample(struct metric_family *family, const char *suffix, double value, ...)
    __attribute__((sentinel));

#endif
