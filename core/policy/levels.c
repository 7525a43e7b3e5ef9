#include "core/policy/levels.h"

#include <math.h>

#include "core/base/time.h"

static const double safely = 0.97;         // of what is told, for others may use the same key
static const double low = 0.1;             // of the limit
static const double timely = 4;            // times the latency
static const double learns = 0.25;         // of each news, for the cost of a request
static const double believed_s = 70;       // a longer wait is not taken from headers alone
static const int64_t doubtful_ns = TIME_S; // between those who ask in spite of them, for an answer

static bool is_known(const struct level *level) {
    return level->limit > 0 && level->fills_ns > 0;
}

static double fill_per_s(const struct level *level) {
    return is_known(level) ? safely * level->limit / time_to_seconds(level->fills_ns) : 0;
}

static double filled(const struct level *level, double from, int64_t from_ns, int64_t now_ns) {
    double seconds = now_ns > from_ns ? time_to_seconds(now_ns - from_ns) : 0;
    return fmin(from + fill_per_s(level) * seconds, level->limit);
}

static double left_at(const struct level *level, int64_t now_ns) {
    return filled(level, level->left, level->at_ns, now_ns);
}

// What is gone between two headers, for each request that was accepted between them.
static void learn_cost(struct level *level, double remaining, int64_t accepted, int64_t now_ns) {
    double count = (double)(accepted - level->accepted);
    double gone = filled(level, level->told, level->told_ns, now_ns) - remaining;
    if (count <= 0 || gone <= 0) return;
    double cost = gone / count;
    level->cost += (level->cost > 0 ? learns : 1) * (cost - level->cost);
}

static void note(struct level *level, enum limit_kind kind, const struct limit *limit,
                 int64_t unanswered, int64_t accepted, int64_t now_ns) {
    if (limit->limit <= 0 || limit->remaining < 0 || limit->remaining > limit->limit) return;
    if (level->limit != limit->limit)
        *level = (struct level){ .limit = limit->limit,
                                 .left = limit->limit,
                                 .cost = kind == LIMIT_REQUESTS ? 1 : 0 };
    else if (kind != LIMIT_REQUESTS)
        learn_cost(level, limit->remaining, accepted, now_ns);
    if (limit->reset_ns > level->fills_ns) level->fills_ns = limit->reset_ns;
    level->was_low |= limit->remaining <= low * limit->limit && limit->reset_ns > 0;
    double left = limit->remaining - (double)unanswered * level->cost;
    level->left = fmin(left_at(level, now_ns), left);
    level->at_ns = now_ns;
    level->told = limit->remaining;
    level->told_ns = now_ns;
    level->accepted = accepted;
}

void levels_note(struct levels *levels, const struct limit limits[LIMIT_KINDS], int64_t unanswered,
                 int64_t accepted, int64_t now_ns) {
    for (int kind = 0; kind < LIMIT_KINDS; kind++)
        note(&levels->levels[kind], kind, &limits[kind], unanswered, accepted, now_ns);
}

void levels_spend(struct levels *levels, int64_t now_ns) {
    for (int kind = 0; kind < LIMIT_KINDS; kind++) {
        struct level *level = &levels->levels[kind];
        level->left = left_at(level, now_ns) - level->cost;
        level->at_ns = now_ns;
    }
}

int64_t levels_next_ns(const struct levels *levels, double latency_ns, bool is_busy,
                       int64_t now_ns) {
    int64_t latest_ns = 0;
    for (int kind = 0; kind < LIMIT_KINDS; kind++) {
        const struct level *level = &levels->levels[kind];
        if (!is_known(level) || (double)level->fills_ns < timely * latency_ns) continue;
        double missing = fmin(level->cost, level->limit) - left_at(level, now_ns);
        if (missing <= 0) continue;
        double wait_s = missing / fill_per_s(level);
        int64_t at_ns = time_after(now_ns, time_from_seconds(wait_s));
        if (wait_s > believed_s) at_ns = is_busy ? time_after(level->at_ns, doubtful_ns) : 0;
        if (at_ns <= now_ns) continue;
        if (at_ns > latest_ns) latest_ns = at_ns;
    }
    return latest_ns;
}

double levels_pace(const struct levels *levels) {
    const struct level *level = &levels->levels[LIMIT_REQUESTS];
    double per_s = level->was_low ? fill_per_s(level) : 0;
    return per_s * believed_s < 1 ? 0 : per_s;
}
