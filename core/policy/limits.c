#include "core/policy/limits.h"

#include <ctype.h>
#include <string.h>

#include "core/policy/hint.h"

enum { NAME_SIZE = 64 }; // longer names are no limits

enum field { FIELD_LIMIT, FIELD_REMAINING, FIELD_RESET, FIELD_NONE };

static bool lower(struct slice name, char lowered[NAME_SIZE]) {
    if (name.length >= NAME_SIZE) return false;
    for (size_t i = 0; i < name.length; i++)
        lowered[i] = (char)tolower((unsigned char)name.data[i]);
    lowered[name.length] = '\0';
    return true;
}

// Subscriptions of people ("unified") count hours and shares, not requests.
static bool is_limit(const char *name) {
    return strstr(name, "ratelimit") && !strstr(name, "unified");
}

// "x-ratelimit-limit-requests" has the word limit twice, so it is looked for with what is before
// it.
static enum field field_of(const char *name) {
    if (strstr(name, "remaining")) return FIELD_REMAINING;
    if (strstr(name, "reset")) return FIELD_RESET;
    return strstr(name, "-limit") ? FIELD_LIMIT : FIELD_NONE;
}

static enum limit_kind kind_of(const char *name) {
    if (!strstr(name, "token")) return LIMIT_REQUESTS;
    if (strstr(name, "input")) return LIMIT_INPUT_TOKENS;
    return strstr(name, "output") ? LIMIT_OUTPUT_TOKENS : LIMIT_TOKENS;
}

static double number_of(struct slice value, double absent) {
    double number;
    value = slice_trim(value);
    return hint_take_number(&value, &number) && value.length == 0 ? number : absent;
}

// Most are durations, so the reply's date is read only for those that are not.
static int64_t reset_of(struct slice value, const struct header *headers, size_t header_count,
                        int64_t wall_ns) {
    int64_t reset_ns = hint_reset_ns(value, 0);
    if (reset_ns > 0) return reset_ns;
    return hint_reset_ns(value, hint_reply_wall_ns(headers, header_count, wall_ns));
}

void limits_read(const struct header *headers, size_t header_count, int64_t wall_ns,
                 struct limit limits_out[LIMIT_KINDS]) {
    for (int i = 0; i < LIMIT_KINDS; i++)
        limits_out[i] = (struct limit){ 0, -1, -1 };
    for (size_t i = 0; i < header_count; i++) {
        char name[NAME_SIZE];
        struct slice value = headers[i].value;
        if (!lower(headers[i].name, name) || !is_limit(name)) continue;
        struct limit *limit = &limits_out[kind_of(name)];
        enum field field = field_of(name);
        if (field == FIELD_LIMIT) limit->limit = number_of(value, 0);
        if (field == FIELD_REMAINING) limit->remaining = number_of(value, -1);
        if (field == FIELD_RESET) limit->reset_ns = reset_of(value, headers, header_count, wall_ns);
    }
}
