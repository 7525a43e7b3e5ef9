#include "mount/sim/models.h"

static const char *const names[] = {
    "sim",       // a few sentences
    "sim-echo",  // the prompt
    "sim-large", // a long answer
    "sim-think", // with reasoning before it
};
enum { NAMES = sizeof(names) / sizeof(*names) };

void models_write_openai(struct out *out) {
    out_text(out, "{\"object\":\"list\",\"data\":[");
    for (int i = 0; i < NAMES; i++)
        out_printf(out,
                   "%s{\"id\":\"%s\",\"object\":\"model\",\"created\":1700000000,"
                   "\"owned_by\":\"askfs-sim\"}",
                   i ? "," : "", names[i]);
    out_text(out, "]}\n");
}

void models_write_anthropic(struct out *out) {
    out_text(out, "{\"data\":[");
    for (int i = 0; i < NAMES; i++)
        out_printf(out,
                   "%s{\"type\":\"model\",\"id\":\"%s\",\"display_name\":\"%s\","
                   "\"created_at\":\"2026-01-01T00:00:00Z\"}",
                   i ? "," : "", names[i], names[i]);
    out_printf(out, "],\"has_more\":false,\"first_id\":\"%s\",\"last_id\":\"%s\"}\n", names[0],
               names[NAMES - 1]);
}
