/*
 * time: units, and the two readings of a clock that the program passes down.
 *
 * Everything that decides takes now_ns, nanoseconds of the monotonic clock. Wall time is for people
 * only: it is shown, never compared, but by core/policy/quota.h, whose periods are the calendar's.
 */
#ifndef ASKFS_CORE_BASE_TIME_H
#define ASKFS_CORE_BASE_TIME_H

#include <stdint.h>

#define TIME_MS INT64_C(1000000)
#define TIME_S INT64_C(1000000000)
#define TIME_NEVER INT64_MAX

/* The clock of a loop turn: read once a turn by whoever drives the loop, shared by pointer. */
struct clock {
    int64_t now_ns;  /* monotonic */
    int64_t wall_ns; /* since 1970 UTC */
};

/* base + delay that stays below TIME_NEVER. */
int64_t time_after(int64_t base_ns, int64_t delay_ns);
int64_t time_from_seconds(double seconds); /* rounds up; huge, NaN and negative are clamped */
double time_to_seconds(int64_t duration_ns);

/* RFC 3339 in UTC with milliseconds, "2026-11-24T14:10:03.120Z". */
#define TIME_TEXT_SIZE 32
void time_text(int64_t wall_ns, char text[TIME_TEXT_SIZE]);

#endif
