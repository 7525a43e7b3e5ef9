/*
 * json_scan: one pass over a JSON object for the few values that a hot event is made of.
 *
 * A table of rules names what is looked for; what no rule names is skipped by its structure. The
 * answer is "ordinary", with the raw insides of the strings asked for, or "rare": something in the
 * event needs the full parser. Nothing is allocated or copied. Pure.
 */
#ifndef ASKFS_CORE_STREAM_JSON_SCAN_H
#define ASKFS_CORE_STREAM_JSON_SCAN_H

#include <stdint.h>

#include "core/base/bytes.h"

enum json_want {
    JSON_WANT_STRING,  /* kept in strings[slot]; null is as if absent; else rare */
    JSON_WANT_NUMBER,  /* a plain integer kept in numbers[slot]; else rare */
    JSON_WANT_ZERO,    /* 0, null, or rare */
    JSON_WANT_NOTHING, /* null or "", or rare */
    JSON_WANT_OBJECT,  /* looked into with rules; null is as if absent; else rare */
    JSON_WANT_FIRST    /* an array of at most one object, looked into with rules; else rare */
};

struct json_rule {
    const char *key;
    size_t key_length;
    enum json_want want;
    int slot;
    const struct json_rules *inside; /* of objects and arrays */
};

struct json_rules {
    const struct json_rule *rules;
    size_t count;
};

#define JSON_RULE(key, want, slot, inside)                                                         \
    { key, sizeof(key) - 1, want, slot, inside }
#define JSON_RULES(rules)                                                                          \
    { rules, sizeof(rules) / sizeof(*(rules)) }

enum { JSON_SLOTS = 6 };

struct json_found {
    struct slice strings[JSON_SLOTS]; /* inside of the quotes, still escaped; data NULL: absent */
    int64_t numbers[JSON_SLOTS];      /* -1: absent */
};

/* True: ordinary, *found_out holds what there was. False: rare, or not one JSON object. */
bool json_scan(struct slice text, const struct json_rules *rules, struct json_found *found_out);

#endif
