#include "core/base/time.h"

#include <math.h>
#include <time.h>

int64_t time_after(int64_t base_ns, int64_t delay_ns) {
    int64_t sum;
    if (__builtin_add_overflow(base_ns, delay_ns, &sum)) return TIME_NEVER - 1;
    return sum;
}

int64_t time_from_seconds(double seconds) {
    if (!(seconds > 0)) return 0;
    double ns = ceil(seconds * 1e9);
    return ns >= 9.0e18 ? INT64_C(9000000000000000000) : (int64_t)ns;
}

double time_to_seconds(int64_t duration_ns) {
    return (double)duration_ns / 1e9;
}

static char *put_number(char *at, int number, int digits, char after) {
    for (int i = digits; i-- > 0; number /= 10)
        at[i] = (char)('0' + number % 10);
    at[digits] = after;
    return at + digits + 1;
}

// Not by strftime and printf: every event tells its time, and prompts wait for some of them.
void time_text(int64_t wall_ns, char text[TIME_TEXT_SIZE]) {
    time_t seconds = (time_t)(wall_ns / TIME_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char *at = put_number(text, tm.tm_year + 1900, 4, '-');
    at = put_number(at, tm.tm_mon + 1, 2, '-');
    at = put_number(at, tm.tm_mday, 2, 'T');
    at = put_number(at, tm.tm_hour, 2, ':');
    at = put_number(at, tm.tm_min, 2, ':');
    at = put_number(at, tm.tm_sec, 2, '.');
    at = put_number(at, (int)(wall_ns % TIME_S / TIME_MS), 3, 'Z');
    *at = '\0';
}
