#include "core/base/time.h"

#include <math.h>
#include <stdio.h>
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

void time_text(int64_t wall_ns, char text[TIME_TEXT_SIZE]) {
    time_t seconds = (time_t)(wall_ns / TIME_S);
    int ms = (int)(wall_ns % TIME_S / TIME_MS);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t length = strftime(text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + length, TIME_TEXT_SIZE - length, ".%03dZ", ms);
}
