#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/providers/capability.h"

#define UNKNOWN RECOVERY_UNKNOWN
#define YES RECOVERY_SUPPORTED
#define NO RECOVERY_UNSUPPORTED

static void test_each_model_is_judged_by_its_server_and_its_generation(void **state) {
    static const struct {
        enum prefill_kind kind;
        const char *model;
        enum recovery_support support;
    } rows[] = {
        { PREFILL_NONE, "gpt-5.2", NO },
        { PREFILL_NONE, "claude-3-7-sonnet-20250219", NO },
        { PREFILL_PLAIN, "gpt-5.2", UNKNOWN },
        { PREFILL_PLAIN, "", UNKNOWN },
        { PREFILL_PREFIX, "mistral-large-latest", YES },
        { PREFILL_CONTINUE_FINAL, "meta-llama/Llama-3.1-8B-Instruct", YES },
        { PREFILL_PLAIN, "claude-2.1", UNKNOWN },
        { PREFILL_PLAIN, "claude-instant-1.2", UNKNOWN },
        { PREFILL_PLAIN, "claude-3-5-haiku-latest", UNKNOWN },
        { PREFILL_PLAIN, "claude-3-7-sonnet-20250219", UNKNOWN },
        { PREFILL_PLAIN, "claude-sonnet-4-20250514", UNKNOWN },
        { PREFILL_PLAIN, "claude-opus-4-1", UNKNOWN },
        { PREFILL_PLAIN, "claude-opus-4-5-20251101", UNKNOWN },
        { PREFILL_PLAIN, "claude-sonnet-4-5@20250929", UNKNOWN },
        { PREFILL_PLAIN, "claude-opus-4-6", NO },
        { PREFILL_PLAIN, "claude-opus-4-10", NO },
        { PREFILL_PLAIN, "claude-sonnet-5", NO },
        { PREFILL_PLAIN, "claude-opus-5-20270101", NO },
        { PREFILL_PLAIN, "anthropic/claude-opus-4.5", UNKNOWN },
        { PREFILL_PLAIN, "anthropic/claude-opus-4.6", NO },
        { PREFILL_PLAIN, "us.anthropic.claude-opus-4-6-v1:0", NO },
        { PREFILL_PLAIN, "us.anthropic.claude-3-5-sonnet-20241022-v2:0", UNKNOWN },
        { PREFILL_PREFIX, "anthropic/claude-sonnet-5", NO },
        { PREFILL_PLAIN, "claude", UNKNOWN },
        { PREFILL_PLAIN, "claude-20270101", UNKNOWN },
        { PREFILL_PLAIN, "vicuna-5", UNKNOWN },
    };
    int wrong = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct dialect dialect = { .prefill = rows[i].kind };
        enum recovery_support support = capability_prefill(&dialect, rows[i].model);
        if (support == rows[i].support) continue;
        print_error("%s: %d\n", rows[i].model, (int)support);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* As it is judged on its way to capability. */
static struct failure reply(int status, const char *message) {
    char body[600];
    struct failure failure;
    snprintf(body, sizeof(body), "{\"error\":{\"message\":\"%s\"}}", message);
    struct failed_reply said = { .status = status, .body = slice_of(body) };
    failure_from_reply(&said, &failure);
    return failure;
}

static void test_the_words_of_servers_that_refuse_a_prefill_are_known(void **state) {
    static const struct {
        int status;
        const char *message;
    } rows[] = {
        { 400, "This model does not support assistant message prefill. The conversation must end "
               "with a user message." },
        { 400, "Prefilling assistant messages is not supported for this model." },
        { 400, "messages: final assistant content cannot end with trailing whitespace" },
        { 400, "Expected last role User or Tool (or Assistant with prefix True) for serving but "
               "got assistant" },
        { 400, "Last message must have role user" },
        { 400, "Conversation roles must alternate user/assistant/user/assistant/..." },
        { 400, "Cannot set `add_generation_prompt` to True when the last message is from the "
               "assistant." },
        { 422, "continue_final_message is not permitted" },
        { 500, "After the optional system message, conversation roles must alternate" },
        { 400, "Cannot have 2 or more assistant messages at the end of the list." },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct failure failure = reply(rows[i].status, rows[i].message);
        if (!capability_refuses_prefill(&failure)) print_error("%s\n", rows[i].message);
        assert_true(capability_refuses_prefill(&failure));
    }
}

static void test_what_says_nothing_of_the_request_refuses_nothing(void **state) {
    static const int statuses[] = { 401, 402, 403, 408, 429, 502, 503, 529 };
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
        struct failure failure = reply(statuses[i], "prefill in the background: not now");
        assert_false(capability_refuses_prefill(&failure));
        assert_false(capability_refuses_background(&failure));
    }
    struct failure failure = reply(500, "The server had an error");
    assert_false(capability_refuses_prefill(&failure));
    assert_false(capability_refuses_background(&failure));
}

static void test_an_end_without_a_reply_refuses_nothing(void **state) {
    struct failure failure;
    failure_from_transport(TRANSPORT_RECEIVE, false, "prefill background", &failure);
    assert_false(capability_refuses_prefill(&failure));
    assert_false(capability_refuses_background(&failure));
    failure_from_stream(STREAM_TRUNCATED, slice_of("prefill background"), &failure);
    assert_false(capability_refuses_prefill(&failure));
    assert_false(capability_refuses_background(&failure));
    failure_from_timer(TIMER_FIRST_TOKEN, TIME_S, &failure);
    assert_false(capability_refuses_prefill(&failure));
    assert_false(capability_refuses_background(&failure));
}

static void test_the_words_of_servers_that_refuse_the_background_are_known(void **state) {
    static const char *const words[] = {
        "Background mode is not supported with zero data retention.",
        "Unsupported parameter: 'background'",
        "Background responses require 'store' to be true.",
        "This organization has Zero Data Retention",
        "Unknown field `store`",
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        struct failure failure = reply(400, words[i]);
        assert_true(capability_refuses_background(&failure));
    }
    struct failure failure = reply(400, "The model is in the store no more");
    assert_false(capability_refuses_background(&failure));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_model_is_judged_by_its_server_and_its_generation),
        cmocka_unit_test(test_the_words_of_servers_that_refuse_a_prefill_are_known),
        cmocka_unit_test(test_what_says_nothing_of_the_request_refuses_nothing),
        cmocka_unit_test(test_an_end_without_a_reply_refuses_nothing),
        cmocka_unit_test(test_the_words_of_servers_that_refuse_the_background_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
