#include "core/policy/pause.h"

#include "core/base/time.h"

void pause_note(struct pause *pause, int64_t now_ns, int64_t delay_ns) {
    int64_t until_ns = time_after(now_ns, delay_ns);
    if (until_ns > pause->until_ns) pause->until_ns = until_ns;
}

int64_t pause_left_ns(const struct pause *pause, int64_t now_ns) {
    return pause->until_ns > now_ns ? pause->until_ns - now_ns : 0;
}
