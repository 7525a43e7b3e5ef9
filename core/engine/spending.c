/* What is sent to a provider, and what of it the user's own budget still allows. */
#include "core/engine/state.h"

static int64_t wall_of(const struct provider *provider) {
    return engine_wall_ns(provider->engine);
}

// ---- what was spent ----

void spending_note_sent(struct attempt *attempt) {
    attempt->holds_budget = true;
    quota_note_sent(&attempt->target->quota);
}

void spending_note_ended(struct attempt *attempt, enum billed billed) {
    struct provider *target = attempt->target;
    struct quota *quota = &target->quota;
    const struct usage *usage = &attempt->usage;
    if (usage->input_tokens > 0) target->stats.input_tokens += (uint64_t)usage->input_tokens;
    if (usage->output_tokens > 0) target->stats.output_tokens += (uint64_t)usage->output_tokens;
    quota_note_usage(quota, usage->input_tokens, usage->output_tokens, wall_of(target));
    if (attempt->holds_budget) quota_note_ended(quota, billed != BILLED_NO, wall_of(target));
    attempt->holds_budget = false;
}

// ---- what may be spent ----

bool spending_allows(const struct provider *provider, int64_t delay_ns) {
    return quota_allows(&provider->quota, time_after(wall_of(provider), delay_ns), NULL);
}

// TIME_NEVER: there is no limit.
static int64_t resets_in_ns(const struct provider *provider) {
    int64_t wall_ns = wall_of(provider);
    int64_t resets_at_ns = quota_resets_at_ns(&provider->quota, wall_ns);
    return resets_at_ns == TIME_NEVER ? TIME_NEVER : resets_at_ns - wall_ns;
}

void spending_failure(const struct leg *leg, struct failure *failure_out) {
    const struct provider *target = leg->target;
    enum quota_kind lacking = QUOTA_REQUESTS;
    char message[256];
    quota_allows(&target->quota, wall_of(target), &lacking);
    snprintf(message, sizeof(message), "the budget of %s (budget.%s: %.12g) is spent; %s%s",
             provider_name(target), quota_kind_name(lacking), quota_limit(&target->quota, lacking),
             leg->failure ? "not asked again after " : "nothing was sent",
             leg->failure ? failure_class_name(leg->failure->class) : "");
    failure_from_us(FAILURE_BUDGET, message, failure_out);
    int64_t wait_ns = resets_in_ns(target);
    failure_out->retry_after_ns = wait_ns == TIME_NEVER ? -1 : wait_ns;
}
