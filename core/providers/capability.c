#include "core/providers/capability.h"

#include <ctype.h>
#include <string.h>

const char *const prefill_kind_names[] = { [PREFILL_NONE] = "none",
                                           [PREFILL_PLAIN] = "plain",
                                           [PREFILL_PREFIX] = "prefix",
                                           [PREFILL_CONTINUE_FINAL] = "continue_final_message",
                                           NULL };

// The next number of one or two digits: longer ones are dates. -1: there is none.
static int next_version_part(const char **at) {
    while (**at) {
        if (!isdigit((unsigned char)**at)) {
            ++*at;
            continue;
        }
        int number = 0;
        int digits = 0;
        for (; isdigit((unsigned char)**at); ++*at, digits++)
            number = digits < 4 ? number * 10 + (**at - '0') : number;
        if (digits <= 2) return number;
    }
    return -1;
}

// Claude takes a prefill up to the generation 4.5: claude-3-7-sonnet-…, claude-opus-4-5-20251101.
static bool is_claude_without_prefill(const char *model) {
    const char *at = strstr(model, "claude");
    if (!at) return false;
    int major = next_version_part(&at);
    int minor = next_version_part(&at);
    return major > 4 || (major == 4 && minor >= 6);
}

enum recovery_support capability_prefill(const struct dialect *dialect, const char *model) {
    if (dialect->prefill == PREFILL_NONE || is_claude_without_prefill(model))
        return RECOVERY_UNSUPPORTED;
    return dialect->prefill == PREFILL_PLAIN ? RECOVERY_UNKNOWN : RECOVERY_SUPPORTED;
}

static bool is_refusal(const struct failure *failure) {
    return failure->http_status == 400 || failure->http_status == 422 ||
           failure->http_status == 500 || failure->http_status == 501;
}

static bool says_one_of(const struct failure *failure, const char *const *words) {
    for (; *words; words++)
        if (slice_contains_nocase(slice_of(failure->message), *words)) return true;
    return false;
}

bool capability_refuses_prefill(const struct failure *failure) {
    static const char *const words[] = {
        "prefill",
        "must end with a user message",
        "final assistant content cannot end with trailing whitespace",
        "last message must",
        "last role must be",
        "expected last role",
        "roles must alternate",
        "more assistant messages at the end",
        "add_generation_prompt",
        "continue_final_message",
        NULL,
    };
    return is_refusal(failure) && says_one_of(failure, words);
}

bool capability_refuses_background(const struct failure *failure) {
    static const char *const words[] = { "background",          "'store'", "`store`", "\"store\"",
                                         "zero data retention", NULL };
    return is_refusal(failure) && says_one_of(failure, words);
}
