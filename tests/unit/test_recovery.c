#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/policy/recovery.h"

#define AUTO RECOVERY_POLICY_AUTO
#define EXACT RECOVERY_POLICY_EXACT
#define OFF RECOVERY_POLICY_OFF
#define UNKNOWN RECOVERY_UNKNOWN
#define YES RECOVERY_SUPPORTED
#define NO RECOVERY_UNSUPPORTED

#define BIT(method) (1u << RECOVERY_##method)

static const struct {
    const char *name;
    struct recovery_facts facts; // policy, delivered, cursor, prefill, tools, structured, refused
    enum recovery_method method;
} rows[] = {
    { "nothing delivered", { AUTO, 0, false, YES, false, false, 0 }, RECOVERY_RESTART },
    { "nothing delivered, cursor", { AUTO, 0, true, YES, false, false, 0 }, RECOVERY_RESTART },
    { "nothing delivered, tools", { AUTO, 0, false, YES, true, false, 0 }, RECOVERY_RESTART },
    { "nothing delivered, exact", { EXACT, 0, false, YES, false, true, 0 }, RECOVERY_RESTART },
    { "nothing delivered, all refused",
      { AUTO, 0, true, YES, false, false,
        BIT(CURSOR) | BIT(PREFILL) | BIT(CONTINUE) | BIT(REPLAY) },
      RECOVERY_RESTART },
    { "nothing delivered, off", { OFF, 0, true, YES, false, false, 0 }, RECOVERY_NONE },

    { "cursor first", { AUTO, 100, true, YES, false, false, 0 }, RECOVERY_CURSOR },
    { "then prefill", { AUTO, 100, true, YES, false, false, BIT(CURSOR) }, RECOVERY_PREFILL },
    { "then continue",
      { AUTO, 100, true, YES, false, false, BIT(CURSOR) | BIT(PREFILL) },
      RECOVERY_CONTINUE },
    { "then replay",
      { AUTO, 100, true, YES, false, false, BIT(CURSOR) | BIT(PREFILL) | BIT(CONTINUE) },
      RECOVERY_REPLAY },
    { "then nothing",
      { AUTO, 100, true, YES, false, false,
        BIT(CURSOR) | BIT(PREFILL) | BIT(CONTINUE) | BIT(REPLAY) },
      RECOVERY_NONE },

    { "no cursor", { AUTO, 100, false, YES, false, false, 0 }, RECOVERY_PREFILL },
    { "prefill unknown", { AUTO, 100, false, UNKNOWN, false, false, 0 }, RECOVERY_PREFILL },
    { "prefill unsupported", { AUTO, 100, false, NO, false, false, 0 }, RECOVERY_CONTINUE },
    { "prefill unsupported, continue refused",
      { AUTO, 100, false, NO, false, false, BIT(CONTINUE) },
      RECOVERY_REPLAY },

    { "exact, cursor", { EXACT, 100, true, YES, false, false, 0 }, RECOVERY_CURSOR },
    { "exact", { EXACT, 100, false, YES, false, false, 0 }, RECOVERY_REPLAY },
    { "exact, cursor refused",
      { EXACT, 100, true, YES, false, false, BIT(CURSOR) },
      RECOVERY_REPLAY },
    { "exact, replay refused",
      { EXACT, 100, false, YES, false, false, BIT(REPLAY) },
      RECOVERY_NONE },
    { "off", { OFF, 100, true, YES, false, false, 0 }, RECOVERY_NONE },

    { "tools, cursor", { AUTO, 100, true, YES, true, false, 0 }, RECOVERY_CURSOR },
    { "tools", { AUTO, 100, false, YES, true, false, 0 }, RECOVERY_REPLAY },
    { "tools, replay refused", { AUTO, 100, false, YES, true, false, BIT(REPLAY) }, RECOVERY_NONE },
    { "structured, cursor", { AUTO, 100, true, YES, false, true, 0 }, RECOVERY_CURSOR },
    { "structured", { AUTO, 100, false, YES, false, true, 0 }, RECOVERY_REPLAY },
    { "structured, replay refused",
      { AUTO, 100, false, YES, false, true, BIT(REPLAY) },
      RECOVERY_NONE },

    { "7 bytes, prefill", { AUTO, 7, false, YES, false, false, 0 }, RECOVERY_PREFILL },
    { "7 bytes", { AUTO, 7, false, NO, false, false, 0 }, RECOVERY_REPLAY },
    { "7 bytes, replay refused",
      { AUTO, 7, false, NO, false, false, BIT(REPLAY) },
      RECOVERY_CONTINUE },
    { "8 bytes", { AUTO, 8, false, NO, false, false, 0 }, RECOVERY_CONTINUE },
};

static void test_each_row_gets_its_method(void **state) {
    int wrong = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        enum recovery_method method = recovery_choose(&rows[i].facts);
        if (method == rows[i].method) continue;
        print_error("%s: %s\n", rows[i].name, recovery_method_name(method));
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* Whatever the facts, what was chosen keeps these. */
static void check_facts(const struct recovery_facts *facts) {
    enum recovery_method method = recovery_choose(facts);
    bool is_exact = recovery_is_exact(method) || method == RECOVERY_NONE;
    if (facts->policy == RECOVERY_POLICY_OFF) assert_int_equal(method, RECOVERY_NONE);
    if (facts->policy == RECOVERY_POLICY_EXACT) assert_true(is_exact);
    if (facts->delivered_bytes) assert_int_not_equal(method, RECOVERY_RESTART);
    if (facts->has_tools || facts->is_structured) assert_true(is_exact);
    if (!facts->has_cursor) assert_int_not_equal(method, RECOVERY_CURSOR);
    if (facts->prefill == RECOVERY_UNSUPPORTED) assert_int_not_equal(method, RECOVERY_PREFILL);
    if (method > RECOVERY_RESTART) assert_false(facts->refused & recovery_bit(method));
}

static void test_no_facts_lead_to_a_method_that_they_forbid(void **state) {
    static const uint64_t sizes[] = { 0, 1, 7, 8, UINT64_MAX };
    for (unsigned bits = 0; bits < 1u << 15; bits++) {
        struct recovery_facts facts = {
            .policy = (enum recovery_policy)(bits % 3),
            .delivered_bytes = sizes[(bits >> 2) % 5],
            .has_cursor = bits >> 5 & 1,
            .prefill = (enum recovery_support)((bits >> 6 & 3) % 3),
            .has_tools = bits >> 8 & 1,
            .is_structured = bits >> 9 & 1,
            .refused = bits >> 10 << RECOVERY_RESTART,
        };
        check_facts(&facts);
    }
}

static void test_methods_have_the_names_of_the_contract(void **state) {
    static const char *const names[] = { "none",    "restart",  "cursor",
                                         "prefill", "continue", "replay" };
    for (int i = 0; i < RECOVERY_METHOD_COUNT; i++)
        assert_string_equal(recovery_method_name((enum recovery_method)i), names[i]);
    assert_string_equal(recovery_policy_names[RECOVERY_POLICY_EXACT], "exact");
    assert_null(recovery_policy_names[RECOVERY_POLICY_OFF + 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_gets_its_method),
        cmocka_unit_test(test_no_facts_lead_to_a_method_that_they_forbid),
        cmocka_unit_test(test_methods_have_the_names_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
