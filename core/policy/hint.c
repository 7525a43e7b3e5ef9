#include "core/policy/hint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/time.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// ---- headers ----

struct slice header_find(const struct header *headers, size_t header_count, const char *name) {
    for (size_t i = 0; i < header_count; i++)
        if (slice_equals_nocase(headers[i].name, name)) return slice_trim(headers[i].value);
    return (struct slice){ 0 };
}

int hint_should_retry(const struct header *headers, size_t header_count) {
    struct slice value = header_find(headers, header_count, "x-should-retry");
    if (slice_equals_nocase(value, "true")) return 1;
    if (slice_equals_nocase(value, "false")) return 0;
    return -1;
}

// Rounded up; what is not above zero was not told.
static int64_t positive_ns(double seconds) {
    return seconds > 0 ? time_from_seconds(seconds) : -1;
}

static bool is_number(struct slice text, double *number_out) {
    text = slice_trim(text);
    return hint_take_number(&text, number_out) && text.length == 0;
}

int64_t hint_reply_wall_ns(const struct header *headers, size_t header_count, int64_t wall_ns) {
    int64_t date = hint_parse_http_date(header_find(headers, header_count, "date"));
    return date < 0 ? wall_ns : date * TIME_S;
}

static int64_t reply_wall_ns(const struct failed_reply *reply) {
    return hint_reply_wall_ns(reply->headers, reply->header_count, reply->wall_ns);
}

static int64_t until(double at_seconds, int64_t wall_ns) {
    if (at_seconds < 0 || wall_ns <= 0) return -1;
    return positive_ns(at_seconds - time_to_seconds(wall_ns));
}

// ---- retry-after and its kin ----

static int64_t from_milliseconds(const struct failed_reply *reply, const char *name) {
    double number;
    if (!is_number(header_find(reply->headers, reply->header_count, name), &number)) return -1;
    return positive_ns(number / 1000);
}

static double instant_of(struct slice value) {
    int64_t date = hint_parse_http_date(value);
    return date >= 0 ? (double)date : hint_parse_rfc3339(value);
}

static int64_t wait_of(struct slice value, int64_t wall_ns) {
    double number;
    if (is_number(value, &number)) return positive_ns(number);
    int64_t duration_ns = hint_parse_duration(value);
    return duration_ns > 0 ? duration_ns : until(instant_of(value), wall_ns);
}

// A gateway may add its own to the provider's: the longest keeps to both.
static int64_t from_retry_after(const struct failed_reply *reply) {
    int64_t longest_ns = -1;
    for (size_t i = 0; i < reply->header_count; i++) {
        if (!slice_equals_nocase(reply->headers[i].name, "retry-after")) continue;
        struct slice value = slice_trim(reply->headers[i].value);
        int64_t told_ns = wait_of(value, reply_wall_ns(reply));
        if (told_ns > longest_ns) longest_ns = told_ns;
    }
    return longest_ns;
}

// ---- the body ----

static int64_t number_ns(const json_t *value) {
    double number;
    if (json_is_number(value)) return positive_ns(json_number_value(value));
    struct slice text = { json_string_value(value), json_string_length(value) };
    return is_number(text, &number) ? positive_ns(number) : -1;
}

// Cloudflare says beside it whether another try makes sense.
static int64_t from_body_number(const json_t *object) {
    if (json_is_false(json_object_get(object, "retryable"))) return -1;
    return number_ns(json_object_get(object, "retry_after"));
}

static int64_t from_google(const struct failure_body *body) {
    const json_t *details = json_object_get(body->error, "details");
    int64_t told_ns = -1;
    for (size_t i = 0; i < json_array_size(details) && told_ns <= 0; i++) {
        const json_t *delay = json_object_get(json_array_get(details, i), "retryDelay");
        struct slice text = { json_string_value(delay), json_string_length(delay) };
        told_ns = hint_parse_duration(text);
    }
    return told_ns > 0 ? told_ns : -1;
}

// ---- the message ----

static void skip_any(struct slice *text, const char *characters) {
    while (text->length && strchr(characters, text->data[0])) {
        text->data++;
        text->length--;
    }
}

static void skip_words(struct slice *text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(words[i]);
        if (text->length < length || strncasecmp(text->data, words[i], length) != 0) continue;
        text->data += length;
        text->length -= length;
        skip_any(text, " ");
    }
}

// 0: not a unit of time.
static double unit_of(struct slice word) {
    static const struct {
        const char *start;
        bool whole;
        double seconds;
    } units[] = {
        { "ms", true, 0.001 },     { "s", true, 1 },      { "m", true, 60 },
        { "h", true, 3600 },       { "sec", false, 1 },   { "min", false, 60 },
        { "hour", false, 3600 },   { "hr", false, 3600 }, { "day", false, 86400 },
        { "milli", false, 0.001 },
    };
    for (size_t i = 0; i < LENGTH(units); i++) {
        struct slice start = { word.data, strlen(units[i].start) };
        if (start.length > word.length || (units[i].whole && start.length < word.length)) continue;
        if (slice_equals_nocase(start, units[i].start)) return units[i].seconds;
    }
    return 0;
}

static struct slice take_letters(struct slice *text) {
    struct slice word = { text->data, 0 };
    while (text->length && isalpha((unsigned char)text->data[0])) {
        text->data++;
        text->length--;
        word.length++;
    }
    return word;
}

// "11.054s", "6m0s", "45 seconds", "1 minute and 30 seconds", "20": a bare number is one of
// seconds.
static int64_t told_at(struct slice text) {
    static const char *const fillers[] = { "about", "approximately", "at least", "another" };
    static const char *const joints[] = { "and" };
    double seconds = 0;
    double number;
    bool first = true;
    skip_any(&text, " :=");
    skip_words(&text, fillers, LENGTH(fillers));
    while (hint_take_number(&text, &number)) {
        skip_any(&text, " ");
        struct slice word = take_letters(&text);
        double unit = first && word.length == 0 ? 1 : unit_of(word);
        if (unit == 0) break;
        seconds += number * unit;
        first = false;
        skip_any(&text, " ,");
        skip_words(&text, joints, LENGTH(joints));
    }
    return positive_ns(seconds);
}

static int64_t from_message(const char *message) {
    static const char *const leads[] = { "try again in", "try again after", "retry after",
                                         "retry in", "please wait" };
    int64_t told_ns = -1;
    for (size_t i = 0; i < LENGTH(leads) && told_ns < 0; i++) {
        const char *at = strcasestr(message, leads[i]);
        if (at) told_ns = told_at(slice_of(at + strlen(leads[i])));
    }
    return told_ns;
}

// ---- reset headers ----

int64_t hint_reset_ns(struct slice value, int64_t wall_ns) {
    static const double seconds_max = 1e9;        // more is an instant: the year 2001
    static const double epoch_seconds_max = 1e11; // more is in milliseconds
    double number;
    if (!is_number(value, &number)) {
        int64_t duration_ns = hint_parse_duration(value);
        return duration_ns > 0 ? duration_ns : until(instant_of(value), wall_ns);
    }
    if (number < seconds_max) return positive_ns(number);
    return until(number < epoch_seconds_max ? number : number / 1000, wall_ns);
}

// The names of one bucket differ in one word: x-ratelimit-reset-tokens,
// anthropic-ratelimit-tokens-reset.
static bool remaining_name(struct slice reset_name, char *out, size_t size) {
    char name[96];
    if (reset_name.length >= sizeof(name)) return false;
    memcpy(name, reset_name.data, reset_name.length);
    name[reset_name.length] = '\0';
    char *reset = strcasestr(name, "reset");
    if (!reset || !strcasestr(name, "ratelimit")) return false;
    *reset = '\0';
    return snprintf(out, size, "%sremaining%s", name, reset + strlen("reset")) < (int)size;
}

static int64_t from_resets(const struct failed_reply *reply) {
    int64_t longest_ns = -1;
    for (size_t i = 0; i < reply->header_count; i++) {
        const struct header *header = &reply->headers[i];
        char name[112];
        double remaining;
        if (!remaining_name(header->name, name, sizeof(name))) continue;
        struct slice left = header_find(reply->headers, reply->header_count, name);
        if (!is_number(left, &remaining) || remaining > 0) continue;
        int64_t told_ns = hint_reset_ns(header->value, reply_wall_ns(reply));
        if (told_ns > longest_ns) longest_ns = told_ns;
    }
    return longest_ns;
}

// ---- all sources, best first ----

int64_t hint_retry_after_ns(const struct failed_reply *reply, const struct failure_body *body,
                            enum failure_class class) {
    bool may_pass = class == FAILURE_RATE_LIMIT || class == FAILURE_OVERLOADED;
    const json_t *root = body->root;
    if (json_is_array(root)) root = json_array_get(root, 0);
    int64_t told_ns = from_milliseconds(reply, "retry-after-ms");
    if (told_ns < 0) told_ns = from_milliseconds(reply, "x-ms-retry-after-ms");
    if (told_ns < 0) told_ns = from_retry_after(reply);
    if (told_ns < 0) told_ns = from_body_number(body->error);
    if (told_ns < 0) told_ns = from_body_number(root);
    if (told_ns < 0) told_ns = from_google(body);
    if (told_ns < 0 && may_pass) told_ns = from_message(body->message);
    if (told_ns < 0 && reply->status == 429) told_ns = from_resets(reply);
    return told_ns;
}
