#include "core/policy/hint.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/base/time.h"

struct slice header_find(const struct header *headers, size_t header_count, const char *name) {
    for (size_t i = 0; i < header_count; i++)
        if (slice_equals_nocase(headers[i].name, name)) return headers[i].value;
    return (struct slice){ 0 };
}

int hint_should_retry(const struct header *headers, size_t header_count) {
    struct slice value = header_find(headers, header_count, "x-should-retry");
    if (slice_equals_nocase(value, "true")) return 1;
    if (slice_equals_nocase(value, "false")) return 0;
    return -1;
}

// ---- numbers, durations, dates ----

// The number at the front of text; false: none. Digits and one point only, so no "inf", no "0x".
static bool take_number(struct slice *text, double *number_out) {
    char digits[64];
    size_t length = 0;
    while (length < text->length && length < sizeof(digits) - 1 &&
           (isdigit((unsigned char)text->data[length]) || text->data[length] == '.')) {
        digits[length] = text->data[length];
        length++;
    }
    if (length == 0 || digits[0] == '.') return false;
    digits[length] = '\0';
    char *end;
    *number_out = strtod(digits, &end);
    if (*end) return false;
    text->data += length;
    text->length -= length;
    return true;
}

static int64_t positive_ns(double seconds) {
    return seconds > 0 && isfinite(seconds) ? time_from_seconds(seconds) : -1;
}

static bool take_unit(struct slice *text, int *rank_out, double *seconds_out) {
    static const struct {
        const char *unit;
        double seconds;
    } units[] = { { "ms", 0.001 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } };
    static const int ranks[] = { 3, 0, 1, 2 }; // descending: h m s ms
    for (int i = 0; i < 4; i++) {
        if (!slice_starts_with(*text, units[i].unit)) continue;
        *rank_out = ranks[i];
        *seconds_out = units[i].seconds;
        text->data += strlen(units[i].unit);
        text->length -= strlen(units[i].unit);
        return true;
    }
    return false;
}

// As many of the units as follow each other; false: none.
static bool take_duration(struct slice *text, double *seconds_out) {
    double seconds = 0;
    int rank_before = -1;
    bool any = false;
    for (;;) {
        struct slice left = *text;
        double number;
        double unit_seconds;
        int rank;
        if (!take_number(&left, &number) || !take_unit(&left, &rank, &unit_seconds) ||
            rank <= rank_before)
            break;
        seconds += number * unit_seconds;
        rank_before = rank;
        any = true;
        *text = left;
    }
    *seconds_out = seconds;
    return any;
}

int64_t hint_parse_duration(struct slice text) {
    double seconds;
    text = slice_trim(text);
    if (!take_duration(&text, &seconds) || text.length) return -1;
    return time_from_seconds(seconds);
}

static int64_t to_unix(struct tm *tm) {
    return (int64_t)timegm(tm);
}

static int month_of(const char *name) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncasecmp(months + 3 * i, name, 3) == 0) return i;
    return -1;
}

static bool is_clock(const struct tm *tm) {
    return tm->tm_mon >= 0 && tm->tm_mday >= 1 && tm->tm_mday <= 31 && tm->tm_hour >= 0 &&
           tm->tm_hour <= 23 && tm->tm_min >= 0 && tm->tm_min <= 59 && tm->tm_sec >= 0 &&
           tm->tm_sec <= 60;
}

// https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
int64_t hint_parse_http_date(struct slice text) {
    char date[64];
    char month[4] = "";
    struct tm tm = { 0 };
    text = slice_trim(text);
    if (text.length >= sizeof(date)) return -1;
    if (text.length) memcpy(date, text.data, text.length);
    date[text.length] = '\0';
    if (sscanf(date, "%*3[A-Za-z], %d %3[A-Za-z] %d %d:%d:%d GMT", &tm.tm_mday, month,
               &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) == 6) {
        tm.tm_year -= 1900;
    } else if (sscanf(date, "%*[A-Za-z], %d-%3[A-Za-z]-%d %d:%d:%d GMT", &tm.tm_mday, month,
                      &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) == 6) {
        if (tm.tm_year < 70) tm.tm_year += 100;
    } else if (sscanf(date, "%*3[A-Za-z] %3[A-Za-z] %d %d:%d:%d %d", month, &tm.tm_mday,
                      &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &tm.tm_year) == 6) {
        tm.tm_year -= 1900;
    } else {
        return -1;
    }
    tm.tm_mon = month_of(month);
    if (!is_clock(&tm) || tm.tm_year < 70 || tm.tm_year > 8099) return -1;
    return to_unix(&tm);
}

// RFC 3339 with or without a fraction, "Z" or an offset. Seconds since 1970; negative: not one.
static double parse_rfc3339(struct slice text) {
    char date[64];
    struct tm tm = { 0 };
    int used = 0;
    if (text.length >= sizeof(date)) return -1;
    if (text.length) memcpy(date, text.data, text.length);
    date[text.length] = '\0';
    if (sscanf(date, "%d-%d-%d%*1[Tt ]%d:%d:%d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!is_clock(&tm) || tm.tm_mon > 11) return -1;
    double seconds = (double)to_unix(&tm);
    const char *rest = date + used;
    if (*rest == '.') {
        char *end;
        seconds += strtod(rest, &end);
        rest = end;
    }
    int hours, minutes;
    if ((*rest == '+' || *rest == '-') && sscanf(rest + 1, "%2d:%2d", &hours, &minutes) == 2)
        seconds -= (*rest == '-' ? -1 : 1) * (hours * 3600.0 + minutes * 60.0);
    return seconds;
}

static double reply_date(const struct failed_reply *reply) {
    return (double)hint_parse_http_date(header_find(reply->headers, reply->header_count, "date"));
}

// ---- the sources, best first ----

static int64_t from_number_header(const struct failed_reply *reply, const char *name,
                                  double unit_seconds) {
    struct slice value = header_find(reply->headers, reply->header_count, name);
    double number;
    if (!take_number(&value, &number) || value.length) return -1;
    return positive_ns(number * unit_seconds);
}

static int64_t from_retry_after(const struct failed_reply *reply) {
    int64_t told_ns = from_number_header(reply, "retry-after", 1);
    if (told_ns >= 0) return told_ns;
    struct slice value = header_find(reply->headers, reply->header_count, "retry-after");
    int64_t date = hint_parse_http_date(value);
    double now = reply_date(reply);
    return date >= 0 && now >= 0 ? positive_ns((double)date - now) : -1;
}

static int64_t from_body_number(const json_t *body) {
    const json_t *value = json_object_get(body, "retry_after");
    if (!value) value = json_object_get(json_object_get(body, "error"), "retry_after");
    return json_is_number(value) ? positive_ns(json_number_value(value)) : -1;
}

static int64_t from_google(const json_t *body) {
    const json_t *details = json_object_get(json_object_get(body, "error"), "details");
    size_t i;
    const json_t *detail;
    json_array_foreach(details, i, detail) {
        const char *delay = json_string_value(json_object_get(detail, "retryDelay"));
        if (!delay) continue;
        int64_t told_ns = hint_parse_duration(slice_of(delay));
        if (told_ns > 0) return told_ns;
    }
    return -1;
}

// "5 seconds", "1 minute": words where others write units.
static bool take_words(struct slice *text, double *seconds_out) {
    struct slice left = *text;
    double number;
    if (!take_number(&left, &number)) return false;
    while (left.length && left.data[0] == ' ') {
        left.data++;
        left.length--;
    }
    double unit = 0;
    if (left.length >= 6 && strncasecmp(left.data, "second", 6) == 0) unit = 1;
    if (left.length >= 6 && strncasecmp(left.data, "minute", 6) == 0) unit = 60;
    if (left.length >= 4 && strncasecmp(left.data, "hour", 4) == 0) unit = 3600;
    if (left.length >= 11 && strncasecmp(left.data, "millisecond", 11) == 0) unit = 0.001;
    *seconds_out = number * unit;
    return unit > 0;
}

static int64_t from_message(const char *message) {
    static const char *const leads[] = { "try again in ", "retry after ", "retry in " };
    for (size_t i = 0; i < sizeof(leads) / sizeof(*leads); i++) {
        const char *at = strcasestr(message, leads[i]);
        if (!at) continue;
        struct slice text = slice_of(at + strlen(leads[i]));
        double seconds;
        if (take_duration(&text, &seconds) || take_words(&text, &seconds))
            return positive_ns(seconds);
    }
    return -1;
}

// A reset is a duration, an instant, or epoch milliseconds.
static int64_t reset_ns(const struct failed_reply *reply, struct slice value) {
    int64_t duration_ns = hint_parse_duration(value);
    if (duration_ns > 0) return duration_ns;
    double now = reply_date(reply);
    double at = parse_rfc3339(value);
    return at >= 0 && now >= 0 ? positive_ns(at - now) : -1;
}

// The names of one bucket differ in their middle: x-ratelimit-reset-tokens,
// anthropic-ratelimit-tokens-reset.
static bool remaining_name(struct slice reset_name, char *out, size_t size) {
    char name[96];
    if (reset_name.length >= sizeof(name)) return false;
    memcpy(name, reset_name.data, reset_name.length);
    name[reset_name.length] = '\0';
    char *reset = strcasestr(name, "reset");
    if (!reset) return false;
    *reset = '\0';
    return snprintf(out, size, "%sremaining%s", name, reset + 5) < (int)size;
}

static bool is_rate_header(struct slice name) {
    return slice_contains_nocase(name, "ratelimit") && slice_contains_nocase(name, "reset");
}

static int64_t from_resets(const struct failed_reply *reply) {
    int64_t longest_ns = -1;
    for (size_t i = 0; i < reply->header_count; i++) {
        const struct header *header = &reply->headers[i];
        char name[128];
        double remaining;
        if (!is_rate_header(header->name) || !remaining_name(header->name, name, sizeof(name)))
            continue;
        struct slice left = header_find(reply->headers, reply->header_count, name);
        if (!take_number(&left, &remaining) || remaining > 0) continue;
        int64_t told_ns = reset_ns(reply, header->value);
        if (told_ns > longest_ns) longest_ns = told_ns;
    }
    return longest_ns;
}

int64_t hint_retry_after_ns(const struct failed_reply *reply, const json_t *body,
                            const char *message, enum failure_class class) {
    if (json_is_array(body)) body = json_array_get(body, 0);
    bool may_pass = class == FAILURE_RATE_LIMIT || class == FAILURE_OVERLOADED;
    int64_t told_ns = from_number_header(reply, "retry-after-ms", 0.001);
    if (told_ns < 0) told_ns = from_number_header(reply, "x-ms-retry-after-ms", 0.001);
    if (told_ns < 0) told_ns = from_retry_after(reply);
    if (told_ns < 0) told_ns = from_body_number(body);
    if (told_ns < 0) told_ns = from_google(body);
    if (told_ns < 0 && may_pass) told_ns = from_message(message);
    if (told_ns < 0 && reply->status == 429) told_ns = from_resets(reply);
    return told_ns;
}
