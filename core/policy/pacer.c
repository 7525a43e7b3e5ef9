#include "core/policy/pacer.h"

#include "core/base/time.h"

const struct pacer_policy pacer_default = { .window_first = 32,
                                            .window_patient_max = 1024,
                                            .patience_ns = 2 * TIME_S,
                                            .pause_min_ns = 100 * TIME_MS,
                                            .pause_first_ns = TIME_S,
                                            .pause_max_ns = 30 * TIME_S,
                                            .forget_ns = 60 * TIME_S };

static const int64_t window_growth = 4;
static const int64_t window_max = 1 << 20;
static const int64_t shown_ns = TIME_S; // shorter holds are the ordinary pace

void pacer_init(struct pacer *pacer, const struct pacer_policy *policy) {
    *pacer = (struct pacer){
        .policy = policy, .limited_ns = -1, .tight_ns = -1, .window = policy->window_first
    };
    pace_init(&pacer->pace);
}

int64_t pacer_pause_left_ns(const struct pacer *pacer, int64_t now_ns) {
    return pacer->pause_until_ns > now_ns ? pacer->pause_until_ns - now_ns : 0;
}

int64_t pacer_hold_left_ns(const struct pacer *pacer, int64_t now_ns) {
    int64_t at_ns = levels_next_ns(&pacer->levels, pacer->pace.latency_ns, false, now_ns);
    int64_t level_ns = at_ns - now_ns < shown_ns ? 0 : at_ns - now_ns;
    int64_t pause_ns = pacer_pause_left_ns(pacer, now_ns);
    return pause_ns > level_ns ? pause_ns : level_ns;
}

double pacer_pace(const struct pacer *pacer, int64_t now_ns) {
    return pace_at(&pacer->pace, now_ns);
}

static bool is_paced(const struct pacer *pacer) {
    return pacer->pace.per_s > 0;
}

// ---- the window ----

static void set_window(struct pacer *pacer, int64_t window, int64_t in_window) {
    pacer->window = window < window_max ? window : window_max;
    pacer->in_window = in_window;
    pacer->proven = 0;
    pacer->tight_ns = -1;
}

// What was sent before is of no account.
static void start_window(struct pacer *pacer, int64_t window) {
    set_window(pacer, window, 0);
    pacer->window_unanswered = 0;
    pacer->window_number++;
}

// Twice what is on its way at the pace, so that the window does not hold the pace back; but no more
// than was proven.
static int64_t window_of_pace(const struct pacer *pacer, int64_t now_ns) {
    double requests = 2 * pacer_pace(pacer, now_ns) * pacer->pace.latency_ns / 1e9;
    int64_t window = requests < (double)pacer->window ? (int64_t)requests : pacer->window;
    return window > pacer->policy->window_first ? window : pacer->policy->window_first;
}

static void enter_window(struct pacer *pacer, struct pacer_ticket *ticket, int64_t now_ns) {
    *ticket = (struct pacer_ticket){ now_ns, pacer->window_number, true };
    pacer->unanswered++;
    pacer->in_window++;
    pacer->window_unanswered++;
    if (pacer->in_window >= pacer->window && pacer->tight_ns < 0) pacer->tight_ns = now_ns;
}

// A full window is proven as a whole: the places of those accepted first stay taken until most of
// it was accepted, for those turned away may come last.
static void leave_window(struct pacer *pacer, bool accepted) {
    pacer->window_unanswered--;
    if (pacer->tight_ns < 0 || !accepted) pacer->in_window--;
    if (pacer->tight_ns < 0) return;
    pacer->proven += accepted;
    if (4 * pacer->proven >= 3 * pacer->window)
        set_window(pacer, window_growth * pacer->window, pacer->window_unanswered);
    else if (pacer->window_unanswered == 0)
        set_window(pacer, pacer->window, 0);
}

static bool is_first_news(struct pacer *pacer, struct pacer_ticket *ticket, bool accepted) {
    if (!ticket->out) return false;
    ticket->out = false;
    pacer->unanswered--;
    if (ticket->window_number == pacer->window_number) leave_window(pacer, accepted);
    return true;
}

static int64_t window_next_ns(const struct pacer *pacer) {
    if (pacer->in_window < pacer->window) return 0;
    if (pacer->window >= pacer->policy->window_patient_max) return TIME_NEVER;
    return time_after(pacer->tight_ns, pacer->policy->patience_ns);
}

// ---- what time alone changes ----

static void find_pace(struct pacer *pacer, int64_t now_ns) {
    pace_find(&pacer->pace, pacer->limited_ns, now_ns);
    pacer->due_ns = pacer->next_ns = now_ns;
}

static void settle(struct pacer *pacer, int64_t now_ns) {
    const struct pacer_policy *policy = pacer->policy;
    bool is_paused = now_ns < pacer->pause_until_ns;
    if (pacer->limited_ns >= 0 && !is_paused && now_ns - pacer->felt_ns > policy->forget_ns) {
        pace_forget(&pacer->pace);
        pacer->limited_ns = -1;
        pacer->limited_in_row = 0;
        start_window(pacer, policy->window_first);
    }
    bool may_go_on = pacer->limited_ns >= 0 && !is_paused && !pacer->is_blind;
    if (may_go_on && !is_paced(pacer) && !pacer->pace.has_strays) find_pace(pacer, now_ns);
    if (pacer->tight_ns >= 0 && pacer->window < policy->window_patient_max &&
        now_ns - pacer->tight_ns >= policy->patience_ns) {
        pacer->window *= 2;
        pacer->tight_ns = now_ns;
    }
}

// ---- asking ----

static int64_t later_ns(int64_t left_ns, int64_t right_ns) {
    return left_ns > right_ns ? left_ns : right_ns;
}

int64_t pacer_next_ns(struct pacer *pacer, int64_t now_ns) {
    settle(pacer, now_ns);
    int64_t at_ns = pacer->pause_until_ns;
    if (is_paced(pacer)) at_ns = later_ns(at_ns, pacer->next_ns);
    at_ns = later_ns(at_ns, levels_next_ns(&pacer->levels, pacer->pace.latency_ns,
                                           pacer->unanswered > 0, now_ns));
    if (at_ns > now_ns) pacer->felt_ns = now_ns;
    at_ns = later_ns(at_ns, window_next_ns(pacer));
    return at_ns > now_ns ? at_ns : 0;
}

bool pacer_would_allow(const struct pacer *pacer, int64_t now_ns) {
    struct pacer copy = *pacer;
    return pacer_next_ns(&copy, now_ns) == 0;
}

// ---- news ----

// Evenly: jitter moves a request, but not those after it. Whoever asks us is late by a little; that
// is made good, but not more, and not across a pause.
static void keep_pace(struct pacer *pacer, int64_t now_ns, struct random *random) {
    double per_s = pacer_pace(pacer, now_ns);
    double jitter = 0.2 * random_unit(random) - 0.1;
    if (per_s <= 0) return;
    int64_t gap_ns = time_from_seconds(1 / per_s);
    int64_t from_ns = later_ns(later_ns(pacer->due_ns, now_ns - gap_ns), pacer->pause_until_ns);
    pacer->due_ns = time_after(from_ns, gap_ns);
    pacer->next_ns = time_after(pacer->due_ns, (int64_t)(jitter * (double)gap_ns));
}

void pacer_note_sent(struct pacer *pacer, struct pacer_ticket *ticket, int64_t now_ns,
                     struct random *random) {
    enter_window(pacer, ticket, now_ns);
    levels_spend(&pacer->levels, now_ns);
    keep_pace(pacer, now_ns, random);
}

void pacer_note_ended(struct pacer *pacer, struct pacer_ticket *ticket) {
    is_first_news(pacer, ticket, false);
}

void pacer_note_accepted(struct pacer *pacer, struct pacer_ticket *ticket, int64_t now_ns) {
    if (!is_first_news(pacer, ticket, true)) return;
    pace_note_accepted(&pacer->pace, ticket->sent_ns, now_ns);
    if (pacer->limited_ns < 0 || ticket->window_number != pacer->window_number) return;
    pacer->limited_in_row = 0;
    int64_t first = pacer->policy->window_first;
    if (pacer->window < first) set_window(pacer, first, pacer->in_window);
    if (!is_paced(pacer) && !pacer->pace.has_strays) find_pace(pacer, now_ns);
}

static void pause_until(struct pacer *pacer, int64_t until_ns) {
    pacer->pause_until_ns = later_ns(pacer->pause_until_ns, until_ns);
}

static int64_t own_pause_ns(const struct pacer *pacer, struct random *random) {
    int64_t pause_ns = pacer->policy->pause_first_ns;
    int64_t max_ns = pacer->policy->pause_max_ns;
    for (int i = 1; i < pacer->limited_in_row && pause_ns < max_ns; i++)
        pause_ns *= 2;
    if (pause_ns > max_ns) pause_ns = max_ns;
    return random_between(random, pause_ns / 2, pause_ns);
}

static void note_limit(struct pacer *pacer, int64_t sent_ns, int64_t now_ns) {
    pacer->limited_ns = now_ns;
    pace_note_limit(&pacer->pace, sent_ns, now_ns, pacer->pause_until_ns);
    bool unknown = !is_paced(pacer) && !pacer->pace.has_strays;
    bool probes = pacer->limited_in_row > 1 || (pacer->is_blind && unknown);
    start_window(pacer, probes ? 1 : window_of_pace(pacer, now_ns));
}

void pacer_note_limited(struct pacer *pacer, struct pacer_ticket *ticket, int64_t now_ns,
                        int64_t told_ns, struct random *random) {
    bool told = told_ns > 0;
    is_first_news(pacer, ticket, false);
    pacer->felt_ns = now_ns;
    if (told)
        pause_until(pacer, time_after(now_ns, later_ns(told_ns, pacer->policy->pause_min_ns)));
    pace_note_turned_away(&pacer->pace);
    bool same_burst = pacer->limited_ns >= 0 && ticket->window_number != pacer->window_number;
    if (same_burst) return;
    pacer->limited_in_row++;
    pacer->is_blind =
        !told || pacer->limited_in_row > 1 || !pace_can_be_found(&pacer->pace, now_ns);
    if (!told) pause_until(pacer, time_after(now_ns, own_pause_ns(pacer, random)));
    note_limit(pacer, ticket->sent_ns, now_ns);
}

void pacer_note_headers(struct pacer *pacer, const struct header *headers, size_t header_count,
                        int64_t now_ns, int64_t wall_ns) {
    struct limit limits[LIMIT_KINDS];
    limits_read(headers, header_count, wall_ns, limits);
    levels_note(&pacer->levels, limits, pacer->unanswered, pacer->pace.accepted, now_ns);
    pacer->pace.cap = levels_pace(&pacer->levels);
}
