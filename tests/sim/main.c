/*
 * Runs the engine through many seeded schedules.
 *
 *   sim [--from SEED] [--count N] [--trace]
 *
 * A schedule in which something did not hold is told with its seed, which replays it exactly:
 * sim --from SEED --count 1 --trace
 */
#include <getopt.h>
#include <stdlib.h>
#include <time.h>

#include "tests/sim/schedule.h"

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    static const struct option options[] = { { "from", required_argument, NULL, 'f' },
                                             { "count", required_argument, NULL, 'c' },
                                             { "trace", no_argument, NULL, 't' },
                                             { 0 } };
    uint64_t from = 1;
    uint64_t count = 1000;
    FILE *trace = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'f') from = strtoull(optarg, NULL, 10);
        if (option == 'c') count = strtoull(optarg, NULL, 10);
        if (option == 't') trace = stdout;
        if (option == '?') return 2;
    }
    struct schedule_result sum = { 0 };
    double began = seconds();
    uint64_t bad = 0;
    for (uint64_t seed = from; seed < from + count; seed++) {
        struct schedule_result result = schedule_run(seed, trace);
        sum.requests += result.requests;
        sum.done += result.done;
        sum.failed += result.failed;
        sum.cancelled += result.cancelled;
        sum.attempts += result.attempts;
        sum.steps += result.steps;
        sum.trace ^= result.trace;
        if (!result.wrong) continue;
        bad++;
        printf("seed %llu: %s\n  again: sim --from %llu --count 1 --trace\n",
               (unsigned long long)seed, result.wrong, (unsigned long long)seed);
        if (bad == 10) break;
    }
    double took = seconds() - began;
    printf("%llu schedules in %.1f s (%.0f a second), %llu steps, trace %016llx\n"
           "%llu requests: %llu done, %llu failed, %llu cancelled; %llu attempts\n",
           (unsigned long long)count, took, (double)count / took, (unsigned long long)sum.steps,
           (unsigned long long)sum.trace, (unsigned long long)sum.requests,
           (unsigned long long)sum.done, (unsigned long long)sum.failed,
           (unsigned long long)sum.cancelled, (unsigned long long)sum.attempts);
    return bad ? 1 : 0;
}
