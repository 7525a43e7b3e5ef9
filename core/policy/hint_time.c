#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/base/time.h"
#include "core/policy/hint.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// No sign, no exponent, no "inf", no "0x".
bool hint_take_number(struct slice *text, double *number_out) {
    char digits[64];
    size_t length = 0;
    bool has_point = false;
    while (length < text->length && length < sizeof(digits) - 1) {
        char c = text->data[length];
        bool point = c == '.' && !has_point && length > 0;
        if (!point && !isdigit((unsigned char)c)) break;
        has_point |= point;
        digits[length++] = c;
    }
    if (length == 0) return false;
    digits[length] = '\0';
    *number_out = strtod(digits, NULL);
    text->data += length;
    text->length -= length;
    return true;
}

static bool take_unit(struct slice *text, int *rank_out, double *seconds_out) {
    // "ms" stands before "m", which begins like it.
    static const struct {
        const char *unit;
        int rank; // h m s ms: each at most once, in this order
        double seconds;
    } units[] = { { "ms", 3, 0.001 }, { "h", 0, 3600 }, { "m", 1, 60 }, { "s", 2, 1 } };
    for (size_t i = 0; i < LENGTH(units); i++) {
        if (!slice_starts_with(*text, units[i].unit)) continue;
        *rank_out = units[i].rank;
        *seconds_out = units[i].seconds;
        text->data += strlen(units[i].unit);
        text->length -= strlen(units[i].unit);
        return true;
    }
    return false;
}

bool hint_take_duration(struct slice *text, double *seconds_out) {
    double seconds = 0;
    int rank_before = -1;
    for (;;) {
        struct slice left = *text;
        double number;
        double unit_seconds;
        int rank;
        if (!hint_take_number(&left, &number) || !take_unit(&left, &rank, &unit_seconds) ||
            rank <= rank_before)
            break;
        seconds += number * unit_seconds;
        rank_before = rank;
        *text = left;
    }
    *seconds_out = seconds;
    return rank_before >= 0;
}

int64_t hint_parse_duration(struct slice text) {
    double seconds;
    text = slice_trim(text);
    if (!hint_take_duration(&text, &seconds) || text.length) return -1;
    return time_from_seconds(seconds);
}

// ---- dates ----

enum { DATE_SIZE = 64 };

static bool copy_date(struct slice text, char date[DATE_SIZE]) {
    text = slice_trim(text);
    if (text.length == 0 || text.length >= DATE_SIZE) return false;
    memcpy(date, text.data, text.length);
    date[text.length] = '\0';
    return true;
}

static int month_of(const char *name) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncasecmp(months + 3 * i, name, 3) == 0) return i;
    return -1;
}

// tm_year as people write it, tm_mon from 0. -1: there is no such moment, or it is before 1970.
static int64_t to_unix(struct tm tm) {
    const struct {
        int value, min, max;
    } parts[] = { { tm.tm_year, 1970, 9999 }, { tm.tm_mon, 0, 11 }, { tm.tm_mday, 1, 31 },
                  { tm.tm_hour, 0, 23 },      { tm.tm_min, 0, 59 }, { tm.tm_sec, 0, 60 } };
    for (size_t i = 0; i < LENGTH(parts); i++)
        if (parts[i].value < parts[i].min || parts[i].value > parts[i].max) return -1;
    tm.tm_year -= 1900;
    return (int64_t)timegm(&tm);
}

static int short_year(int year) {
    if (year >= 100) return year;
    return year < 70 ? year + 2000 : year + 1900;
}

// https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
int64_t hint_parse_http_date(struct slice text) {
    char date[DATE_SIZE];
    char month[4] = "";
    char zone[4] = "";
    struct tm tm = { 0 };
    if (!copy_date(text, date)) return -1;
    if (sscanf(date, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s", &tm.tm_mday, month,
               &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone) == 7) {
        // Sun, 06 Nov 1994 08:49:37 GMT
    } else if (sscanf(date, "%*[A-Za-z], %2d-%3[A-Za-z]-%4d %2d:%2d:%2d %3s", &tm.tm_mday, month,
                      &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone) == 7) {
        // Sunday, 06-Nov-94 08:49:37 GMT
        tm.tm_year = short_year(tm.tm_year);
    } else if (sscanf(date, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d", month, &tm.tm_mday,
                      &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &tm.tm_year) == 6) {
        // Sun Nov  6 08:49:37 1994
        memcpy(zone, "GMT", sizeof(zone));
    }
    tm.tm_mon = month_of(month);
    return strcmp(zone, "GMT") == 0 ? to_unix(tm) : -1;
}

double hint_parse_rfc3339(struct slice text) {
    char date[DATE_SIZE];
    struct tm tm = { 0 };
    int used = 0;
    if (!copy_date(text, date)) return -1;
    if (sscanf(date, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6)
        return -1;
    tm.tm_mon -= 1;
    double seconds = (double)to_unix(tm);
    if (seconds < 0) return -1;
    struct slice rest = slice_of(date + used);
    double fraction;
    struct slice digits = { rest.data + 1, rest.length ? rest.length - 1 : 0 };
    if (slice_starts_with(rest, ".") && hint_take_number(&digits, &fraction)) {
        char *end;
        seconds += strtod(rest.data, &end);
        rest = slice_of(end);
    }
    int hours;
    int minutes;
    char sign[2];
    if (sscanf(rest.data, "%1[+-]%2d:%2d", sign, &hours, &minutes) == 3)
        seconds -= (sign[0] == '-' ? -1 : 1) * (hours * 3600.0 + minutes * 60.0);
    return seconds;
}
