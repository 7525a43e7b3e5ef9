#include "core/policy/route.h"

// Would every other provider say the same?
static bool is_final(const struct failure *failure) {
    switch (failure->class) {
    case FAILURE_VALIDATION:
    case FAILURE_CONTENT_FILTER:
    case FAILURE_SCHEMA:
    case FAILURE_CANCELLED:
    case FAILURE_INTERNAL:
        return true;
    case FAILURE_NONE:
    case FAILURE_AUTH:
    case FAILURE_PERMISSION:
    case FAILURE_BILLING:
    case FAILURE_NOT_FOUND:
    case FAILURE_CONTEXT_LENGTH:
    case FAILURE_REQUEST_TOO_LARGE:
    case FAILURE_RATE_LIMIT:
    case FAILURE_CONFLICT:
    case FAILURE_OVERLOADED:
    case FAILURE_SERVER:
    case FAILURE_NETWORK:
    case FAILURE_TIMEOUT:
    case FAILURE_STREAM_TRUNCATED:
    case FAILURE_STREAM_STALLED:
    case FAILURE_PROTOCOL:
    case FAILURE_BREAKER_OPEN:
    case FAILURE_BUDGET:
    case FAILURE_PENDING:
    case FAILURE_CLASS_COUNT:
        break;
    }
    return false;
}

bool route_is_silence(const struct failure *failure) {
    if (failure->class == FAILURE_STREAM_STALLED) return true;
    return failure->class == FAILURE_TIMEOUT && failure->http_status == 0; // a 504 is an answer
}

enum rank { RANK_NEW, RANK_TRIED, RANK_SILENT, RANK_RESTING, RANK_NEVER };

static enum rank rank_of(const struct route_member *member, int64_t patience_ns,
                         int64_t wait_max_ns) {
    if (!member->usable || !member->admits || member->wait_ns > wait_max_ns) return RANK_NEVER;
    if (member->wait_ns > patience_ns) return RANK_RESTING;
    if (!member->tried) return RANK_NEW;
    return member->silent ? RANK_SILENT : RANK_TRIED;
}

enum { NOBODY = -1 };

static struct route_choice best_of(const struct route_member *members, size_t count, size_t except,
                                   int64_t patience_ns, int64_t wait_max_ns) {
    struct route_choice choice = { false, 0, false };
    enum rank best = RANK_NEVER;
    for (size_t i = 0; i < count; i++) {
        if (i == except) continue;
        enum rank rank = rank_of(&members[i], patience_ns, wait_max_ns);
        choice.all_refused |= members[i].usable && !members[i].admits;
        bool is_sooner = rank == RANK_RESTING && best == RANK_RESTING &&
                         members[i].wait_ns < members[choice.member].wait_ns;
        if (rank >= best && !is_sooner) continue;
        best = rank;
        choice.found = true;
        choice.member = i;
    }
    choice.all_refused &= !choice.found;
    return choice;
}

struct route_choice route_choose(const struct route_member *members, size_t count,
                                 size_t asked_last, const struct failure *failed,
                                 const struct retry_decision *same, int64_t patience_ns,
                                 int64_t wait_max_ns) {
    if (!failed) return best_of(members, count, (size_t)NOBODY, patience_ns, wait_max_ns);
    if (is_final(failed)) return (struct route_choice){ false, 0, false };
    const struct route_member *last = &members[asked_last];
    bool may_ask_again = last->usable && last->admits && same->verdict == RETRY_AGAIN;
    if (may_ask_again && !last->silent && same->delay_ns <= patience_ns)
        return (struct route_choice){ true, asked_last, false };
    size_t except = may_ask_again ? (size_t)NOBODY : asked_last;
    return best_of(members, count, except, patience_ns, wait_max_ns);
}
