#include "core/policy/pace.h"

#include <math.h>

#include "core/base/time.h"

// Found by trying them on the limiters of tests/unit/limiters.h.
static const double growth = 0.0001;       // of the ceiling, for each cubic second from it
static const double below = 0.94;          // of the ceiling: where the pace starts after a 429
static const double lowest = 0.85;         // of the pace that met the limit: the ceiling after it
static const double highest = 0.98;        // the same
static const double accepted_weight = 0.4; // of what was accepted, against the pace that was not
static const double far = 0.4;             // of the pace: less was accepted
static const double lowest_when_far = 0.25;
static const double search_doubles_s = 3;
static const double burst_lasts_s = 1;       // at least: limits are for a second or more
static const int64_t burst_ns = 60 * TIME_S; // at most: what was before is another story
static const int64_t moment_ns = 50 * TIME_MS;

static const double lone_among = 16;   // accepted requests for one turned away
static const double stray_below = 0.7; // of the pace that was kept
static const int strays_needed = 3;
static const int64_t strays_wrong = 4; // turned away, and more than a tenth of all

static const int trial_after_first = 1; // lone 429s
static const int trial_after_max = 6;
static const double trial_speed = 2;         // times the pace
static const double trial_speed_least = 1.5; // less would prove nothing
static const double trial_in_vain = 2;       // requests on their way when it fails, at most
static const double trial_least = 24;        // requests

void pace_init(struct pace *pace) {
    *pace = (struct pace){ .marked_ns = -1, .trial_after = trial_after_first };
}

static double seconds_between(int64_t from_ns, int64_t to_ns) {
    return to_ns > from_ns ? time_to_seconds(to_ns - from_ns) : 0;
}

// ---- what was accepted ----

static void count_accepted(struct pace *pace, int64_t now_ns) {
    const struct pace_moment *newest = &pace->moments[pace->moment_newest];
    if (pace->moment_count == 0 || now_ns - newest->at_ns >= moment_ns) {
        pace->moment_newest = (pace->moment_newest + 1) % PACE_MOMENTS;
        pace->moments[pace->moment_newest] = (struct pace_moment){ now_ns, pace->accepted };
        if (pace->moment_count < PACE_MOMENTS) pace->moment_count++;
    }
    pace->accepted++;
}

bool pace_can_be_found(const struct pace *pace, int64_t met_ns) {
    if (pace->cap > 0) return true;
    if (pace->moment_count == 0) return false;
    return pace->moments[pace->moment_newest].at_ns >= met_ns - burst_ns;
}

// Of a burst its requests over the time from it until now, when the next one passed.
static double burst_pace(const struct pace *pace, int64_t met_ns, int64_t now_ns) {
    double per_s = 0;
    for (int i = 0; i < pace->moment_count; i++) {
        int place = (pace->moment_newest + PACE_MOMENTS - i) % PACE_MOMENTS;
        const struct pace_moment *moment = &pace->moments[place];
        if (moment->at_ns > met_ns || moment->at_ns < met_ns - burst_ns) continue;
        double seconds = fmax(seconds_between(moment->at_ns, now_ns), burst_lasts_s);
        per_s = fmax(per_s, (double)(pace->accepted - moment->before) / seconds);
    }
    return per_s;
}

// ---- the pace ----

static double curve_at(const struct pace *pace, double seconds) {
    if (pace->ceiling <= 0) {
        double doubles_s = search_doubles_s + 2 * pace->latency_ns / 1e9;
        return pace->per_s * exp2(fmin(seconds / doubles_s, 20));
    }
    double at = seconds - cbrt((1 - pace->per_s / pace->ceiling) / growth);
    return pace->ceiling * (1 + growth * at * at * at);
}

double pace_at(const struct pace *pace, int64_t now_ns) {
    if (pace->per_s <= 0) return 0;
    double per_s = curve_at(pace, seconds_between(pace->grown_ns, now_ns));
    return pace->cap > 0 ? fmin(per_s, pace->cap) : per_s;
}

void pace_find(struct pace *pace, int64_t met_ns, int64_t now_ns) {
    pace->per_s = pace->cap > 0 ? pace->cap : below * burst_pace(pace, met_ns, now_ns);
    pace->ceiling = 0;
    pace->grown_ns = now_ns;
}

// A limit was met by a request that was sent at this pace. Since it was met before, no more than it
// was accepted in all of that time; that is the limit itself where it saves up what was not used,
// and less where it does not. A search says nothing but that the pace is too high. Far less than
// the pace, and again, is meant.
static double find_ceiling(struct pace *pace, double per_s, int64_t now_ns) {
    double seconds = fmax(seconds_between(pace->marked_ns, now_ns), 1e-9);
    double accepted = (double)(pace->accepted - pace->marked) / seconds;
    pace->far_in_row = accepted < far * per_s ? pace->far_in_row + 1 : 0;
    if (pace->far_in_row > 1) return fmax(accepted, lowest_when_far * per_s);
    if (pace->ceiling <= 0) return lowest * per_s;
    double mean = accepted_weight * accepted + (1 - accepted_weight) * per_s;
    return fmin(fmax(mean, lowest * per_s), highest * per_s);
}

// ---- trials ----

static void mark(struct pace *pace, int64_t now_ns) {
    pace->marked_ns = now_ns;
    pace->marked = pace->accepted;
    pace->turned_away = 0;
}

static bool is_lone(const struct pace *pace) {
    double accepted = (double)(pace->accepted - pace->marked);
    return accepted >= lone_among * (double)pace->turned_away;
}

// After a 429 and its pause a limit has hardly anything saved up: at twice its pace it is met again
// soon. Strays come no sooner than before.
static bool begin_trial(struct pace *pace, double per_s, int64_t now_ns, int64_t paused_until_ns) {
    pace->lone_in_row = is_lone(pace) ? pace->lone_in_row + 1 : 0;
    if (pace->lone_in_row < pace->trial_after || pace->cap > 0) return false;
    double vain = trial_in_vain / fmax(per_s * pace->latency_ns / 1e9, 1e-9);
    double speed = fmin(trial_speed, 1 + vain);
    if (speed < trial_speed_least) return false;
    double saved = per_s * (seconds_between(now_ns, paused_until_ns) + 0.5);
    double needed = fmax(trial_least, speed / (speed - 1) * saved + 4);
    pace->lone_in_row = 0;
    pace->tried_from = per_s;
    pace->trial_passes = pace->accepted + (int64_t)needed;
    pace->per_s = pace->ceiling = speed * per_s;
    pace->grown_ns = paused_until_ns;
    return true;
}

static void end_trial_badly(struct pace *pace) {
    pace->tried_from = 0;
    pace->lone_in_row = 0;
    pace->trial_after++;
    if (pace->trial_after > trial_after_max) pace->trial_after = trial_after_max;
}

static void end_trial_well(struct pace *pace, int64_t now_ns) {
    pace->tried_from = 0;
    pace->has_strays = true;
    pace->per_s = pace->ceiling = 0;
    mark(pace, now_ns);
}

void pace_note_accepted(struct pace *pace, int64_t sent_ns, int64_t now_ns) {
    pace->latency_ns += ((double)(now_ns - sent_ns) - pace->latency_ns) / 8;
    count_accepted(pace, now_ns);
    if (pace->tried_from > 0 && pace->accepted >= pace->trial_passes) end_trial_well(pace, now_ns);
}

// ---- strays ----

// Some servers turn a part of the requests away whatever the pace. A limit is met above a pace that
// was kept before; so when a lone 429 comes far below such a pace, and again, pace is not the
// cause.
static bool is_stray(struct pace *pace, double per_s) {
    if (!is_lone(pace)) return false;
    if (per_s < stray_below * pace->kept) return ++pace->strays_in_row >= strays_needed;
    pace->strays_in_row = 0;
    pace->kept = fmax(pace->kept, per_s);
    return false;
}

static void trust_pace_again(struct pace *pace) {
    pace->has_strays = false;
    pace->strays_in_row = 0;
    pace->kept = 0;
    end_trial_badly(pace); // it must have passed by chance
}

void pace_note_turned_away(struct pace *pace) {
    pace->turned_away++;
    bool many =
        pace->turned_away >= strays_wrong && 10 * pace->turned_away > pace->accepted - pace->marked;
    if (pace->has_strays && many) trust_pace_again(pace);
}

// ---- limits ----

static void lower(struct pace *pace, double per_s, int64_t now_ns, int64_t paused_until_ns) {
    pace->ceiling = find_ceiling(pace, per_s, now_ns);
    pace->per_s = below * pace->ceiling;
    pace->grown_ns = paused_until_ns;
}

void pace_note_limit(struct pace *pace, int64_t sent_ns, int64_t now_ns, int64_t paused_until_ns) {
    double per_s = pace_at(pace, sent_ns);
    int64_t drained_ns = pace->marked_ns + (int64_t)fmax(pace->latency_ns, 0.5e9);
    if (pace->has_strays) {
        if (pace->turned_away >= strays_wrong * strays_wrong) mark(pace, now_ns);
        return;
    }
    if (per_s > 0 && pace->marked_ns >= 0 && sent_ns <= drained_ns)
        return; // what is sent just after one 429 meets what was sent before it
    if (pace->tried_from > 0) {
        per_s = pace->tried_from;
        end_trial_badly(pace);
        lower(pace, per_s, now_ns, paused_until_ns);
    } else if (per_s > 0 && is_stray(pace, per_s)) {
        pace->has_strays = true;
        pace->per_s = pace->ceiling = 0;
    } else if (per_s > 0 && !begin_trial(pace, per_s, now_ns, paused_until_ns)) {
        lower(pace, per_s, now_ns, paused_until_ns);
    }
    mark(pace, now_ns);
}

void pace_forget(struct pace *pace) {
    trust_pace_again(pace);
    pace->trial_after = trial_after_first;
    pace->per_s = pace->ceiling = 0;
    pace->far_in_row = 0;
    pace->marked_ns = -1;
    pace->turned_away = 0;
}
