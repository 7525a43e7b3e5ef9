#include "tests/sim/memory.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

// The one state of a process that a linker's wrapper can reach.
static struct {
    uint64_t count;
    uint64_t fails_at;
    int own;
} state;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);

static bool fails(void) {
    if (state.own) return false;
    return ++state.count == state.fails_at;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
    return fails() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text) {
    return fails() ? NULL : __real_strdup(text);
}

void memory_fail_nth(uint64_t nth) {
    state.count = 0;
    state.fails_at = nth;
}

uint64_t memory_count(void) {
    return state.count;
}

void memory_own_begin(void) {
    state.own++;
}

void memory_own_end(void) {
    state.own--;
}
