/*
 * Runs schedules again and again, each time with another allocation of the engine failing: it may
 * end requests with "internal", but not crash, leak, hang or say anything wrong.
 *
 *   torture [--from SEED] [--count N] [--every K]    every Kth allocation
 */
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/sim/memory.h"
#include "tests/sim/schedule.h"

static bool run_all(uint64_t seed, uint64_t every, uint64_t *runs_out) {
    memory_fail_nth(0);
    struct schedule_result whole = schedule_run(seed, NULL);
    uint64_t count = memory_count();
    if (whole.wrong) return true; // the plain simulation tells
    for (uint64_t nth = 1 + seed % every; nth <= count; nth += every) {
        memory_fail_nth(nth);
        struct schedule_result result = schedule_run(seed, NULL);
        ++*runs_out;
        if (!result.wrong) continue;
        printf("seed %llu, allocation %llu of %llu fails: %s\n", (unsigned long long)seed,
               (unsigned long long)nth, (unsigned long long)count, result.wrong);
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    static const struct option options[] = { { "from", required_argument, NULL, 'f' },
                                             { "count", required_argument, NULL, 'c' },
                                             { "every", required_argument, NULL, 'e' },
                                             { 0 } };
    uint64_t from = 1;
    uint64_t count = 5;
    uint64_t every = 1;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'f') from = strtoull(optarg, NULL, 10);
        if (option == 'c') count = strtoull(optarg, NULL, 10);
        if (option == 'e') every = strtoull(optarg, NULL, 10);
        if (option == '?' || every == 0) return 2;
    }
    void *__wrap_malloc(size_t size);
    json_set_alloc_funcs(__wrap_malloc, free); // jansson's allocations fail, too
    uint64_t runs = 0;
    bool good = true;
    for (uint64_t seed = from; seed < from + count; seed++)
        good &= run_all(seed, every, &runs);
    printf("%llu runs with a failing allocation\n", (unsigned long long)runs);
    return good ? 0 : 1;
}
