/* Stands for memory.c where nothing fails. */
#include "tests/sim/memory.h"

void memory_own_begin(void) {
}

void memory_own_end(void) {
}
