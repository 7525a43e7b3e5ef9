/*
 * memory: allocations that fail when a test says so. Linked with --wrap for malloc, calloc, realloc
 * and strdup; without that nothing ever fails.
 */
#ifndef ASKFS_TESTS_SIM_MEMORY_H
#define ASKFS_TESTS_SIM_MEMORY_H

#include <stdint.h>

/* The nth allocation from now on fails, and only that one; 0: none does. Counts from 0 again. */
void memory_fail_nth(uint64_t nth);
uint64_t memory_count(void); /* allocations since then */

/* Allocations in between are the test's own: they are not counted and do not fail. Nests. */
void memory_own_begin(void);
void memory_own_end(void);

#endif
