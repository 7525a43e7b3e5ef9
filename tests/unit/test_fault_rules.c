#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/policy/fault_rules.h"

static struct fault_rules parsed(const char *text) {
    struct fault_rules rules = { 0 };
    char problem[FAULT_PROBLEM_SIZE] = "";
    if (!fault_rules_parse(&rules, slice_of(text), problem)) fail_msg("%s: %s", text, problem);
    return rules;
}

static struct fault drawn_for(struct fault_rules *rules, const char *model, const char *path) {
    struct random random = { 7 };
    struct fault_subject subject = { model, path, false };
    return fault_rules_draw(rules, &subject, &random);
}

static struct fault drawn(struct fault_rules *rules) {
    return drawn_for(rules, "sim", "/v1/chat/completions");
}

static void assert_prints(const struct fault_rules *rules, const char *text) {
    struct bytes out;
    bytes_init(&out, 1 << 16);
    assert_true(fault_rules_print(rules, &out));
    assert_string_equal(out.data ? out.data : "", text);
    bytes_finish(&out);
}

// ---- reading ----

static void test_every_rule_of_the_manual_is_read_and_printed_again(void **state) {
    static const char *const rows[] = {
        "rate_limit retry_after=2 times=3",
        "rate_limit status=420 retry_after=0.25",
        "server status=503 times=2",
        "overloaded retry_after=1",
        "refuse p=0.5",
        "reset skip=2",
        "timeout after=30 p=0.1",
        "disconnect after_chunks=5",
        "truncate after_chunks=9",
        "stall after_chunks=3 for=1.5",
        "error after_chunks=3 class=rate_limit",
        "malformed at_chunk=4",
        "no_terminal model=sim-echo path=/messages",
        "slow ms_per_chunk=200",
        "split bytes=1",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char line[256];
        struct fault_rules rules = parsed(rows[i]);
        assert_int_equal(rules.count, 1);
        snprintf(line, sizeof(line), "%s fired=0\n", rows[i]);
        assert_prints(&rules, line);
        struct fault_rules again = parsed(line);
        assert_prints(&again, line);
    }
}

static void test_what_is_wrong_is_said_exactly(void **state) {
    static const char *const rows[][2] = {
        { "sever", "unknown fault \"sever\"; did you mean \"server\"?" },
        { "clea", "unknown fault \"clea\"; did you mean \"clear\"?" },
        { "disc after_chunks=1", "unknown fault \"disc\"; did you mean \"disconnect\"?" },
        { "hurricane", "unknown fault \"hurricane\"" },
        { "none", "unknown fault \"none\"" },
        { "rate_limit retry=2",
          "rate_limit: unknown key \"retry\"; did you mean \"retry_after\"?" },
        { "server stauts=503", "server: unknown key \"stauts\"; did you mean \"status\"?" },
        { "server after_chunks=2", "server: unknown key \"after_chunks\"" },
        { "reset =1", "reset: unknown key \"\"" },
        { "reset times", "reset: \"times\" is not key=value" },
        { "reset times=", "reset: times must be a number, not \"\"" },
        { "reset times=-1", "reset: times must be a number, not \"-1\"" },
        { "reset times=2x", "reset: times must be a number, not \"2x\"" },
        { "reset times=99999999999999999999",
          "reset: times must be a number, not \"99999999999999999999\"" },
        { "reset times=1 times=2", "reset: times is given twice" },
        { "reset p=1.1", "reset: p must be a probability from 0 to 1, not \"1.1\"" },
        { "reset p=.", "reset: p must be a probability from 0 to 1, not \".\"" },
        { "reset p=1e-3", "reset: p must be a probability from 0 to 1, not \"1e-3\"" },
        { "server status=200",
          "server: status must be an HTTP status from 400 to 599, not \"200\"" },
        { "server status=600",
          "server: status must be an HTTP status from 400 to 599, not \"600\"" },
        { "error class=odd", "error: class must be overloaded, server or rate_limit, not \"odd\"" },
        { "malformed at_chunk=0", "malformed: at_chunk must be a number from 1, not \"0\"" },
        { "reset model=", "reset: model must be a name, not \"\"" },
        { "slow", "slow: needs ms_per_chunk, milliseconds" },
        { "split times=1", "split: needs bytes, a number from 1" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct fault_rules rules = { 0 };
        char problem[FAULT_PROBLEM_SIZE] = "";
        assert_false(fault_rules_parse(&rules, slice_of(rows[i][0]), problem));
        assert_string_equal(problem, rows[i][1]);
    }
}

static void test_long_words_fit_into_the_problem(void **state) {
    char line[1000];
    struct fault_rules rules = { 0 };
    char problem[FAULT_PROBLEM_SIZE];
    memset(line, 'x', sizeof(line));
    static const char *const beginnings[] = { "", "reset ",
                                              "reset times=", "reset model=", "reset x=" };
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++) {
        memcpy(line, beginnings[i], strlen(beginnings[i]));
        assert_false(fault_rules_parse(&rules, (struct slice){ line, sizeof(line) }, problem));
        assert_true(strlen(problem) < FAULT_PROBLEM_SIZE);
    }
}

static void test_lines_blanks_and_comments(void **state) {
    struct fault_rules rules = parsed("# all of these\r\n\n  reset\ttimes=1  \r\n#reset\nserver");
    assert_prints(&rules, "reset times=1 fired=0\nserver fired=0\n");
    assert_int_equal(parsed("").count, 0);
    assert_int_equal(parsed("\n").count, 0);
}

static void test_rules_are_added_behind_and_clear_removes_those_before_it(void **state) {
    struct fault_rules rules = parsed("reset\nserver");
    char problem[FAULT_PROBLEM_SIZE];
    assert_true(fault_rules_parse(&rules, slice_of("overloaded\n"), problem));
    assert_prints(&rules, "reset fired=0\nserver fired=0\noverloaded fired=0\n");
    assert_true(fault_rules_parse(&rules, slice_of("timeout\nclear\nrefuse\n"), problem));
    assert_prints(&rules, "refuse fired=0\n");
    assert_true(fault_rules_parse(&rules, slice_of("clear"), problem));
    assert_prints(&rules, "");
}

static void test_one_wrong_line_changes_nothing(void **state) {
    struct fault_rules rules = parsed("reset");
    char problem[FAULT_PROBLEM_SIZE];
    assert_false(fault_rules_parse(&rules, slice_of("clear\nserver\nwhat\n"), problem));
    assert_prints(&rules, "reset fired=0\n");
}

static void test_there_is_a_maximum_of_rules(void **state) {
    struct fault_rules rules = { 0 };
    char problem[FAULT_PROBLEM_SIZE];
    for (int i = 0; i < FAULT_RULES_MAX; i++)
        assert_true(fault_rules_parse(&rules, slice_of("reset"), problem));
    assert_false(fault_rules_parse(&rules, slice_of("reset"), problem));
    assert_string_equal(problem, "more than 64 rules");
}

// ---- drawing ----

static void test_without_rules_nothing_happens(void **state) {
    struct fault_rules rules = { 0 };
    struct fault fault = drawn(&rules);
    assert_int_equal(fault.kind, FAULT_NONE);
    assert_int_equal(fault.pace_ns, -1);
    assert_int_equal(fault.segment_bytes, 0);
}

static void test_a_fault_has_what_its_rule_says_or_the_default(void **state) {
    struct fault_rules rules = parsed("rate_limit retry_after=1.5");
    struct fault fault = drawn(&rules);
    assert_int_equal(fault.status, 429);
    assert_int_equal(fault.retry_after_ns, 1500 * TIME_MS);
    rules = parsed("server");
    assert_int_equal(drawn(&rules).status, 500);
    assert_int_equal(drawn(&rules).retry_after_ns, -1);
    rules = parsed("overloaded");
    assert_int_equal(drawn(&rules).status, 0);
    rules = parsed("timeout");
    assert_true(drawn(&rules).wait_ns == TIME_NEVER);
    rules = parsed("timeout after=.25");
    assert_int_equal(drawn(&rules).wait_ns, 250 * TIME_MS);
    rules = parsed("stall after_chunks=3 for=2");
    assert_int_equal(drawn(&rules).chunks, 3);
    assert_int_equal(drawn(&rules).wait_ns, 2 * TIME_S);
    rules = parsed("malformed");
    assert_int_equal(drawn(&rules).chunks, 1);
    rules = parsed("error class=server");
    assert_int_equal(drawn(&rules).error, FAULT_ERROR_SERVER);
}

static void test_the_first_that_fires_wins_and_only_it_counts(void **state) {
    struct fault_rules rules = parsed("server times=1\nreset times=1\noverloaded");
    assert_int_equal(drawn(&rules).kind, FAULT_SERVER);
    assert_int_equal(drawn(&rules).kind, FAULT_RESET);
    assert_int_equal(drawn(&rules).kind, FAULT_OVERLOADED);
    assert_int_equal(drawn(&rules).kind, FAULT_OVERLOADED);
    assert_prints(&rules, "server times=1 fired=1\nreset times=1 fired=1\noverloaded fired=2\n");
}

static void test_slow_and_split_go_with_others(void **state) {
    struct fault_rules rules = parsed(
        "split bytes=3\ndisconnect after_chunks=2\nslow ms_per_chunk=5\nslow ms_per_chunk=6");
    struct fault fault = drawn(&rules);
    assert_int_equal(fault.kind, FAULT_DISCONNECT);
    assert_int_equal(fault.chunks, 2);
    assert_int_equal(fault.segment_bytes, 3);
    assert_int_equal(fault.pace_ns, 5 * TIME_MS);
    assert_prints(&rules, "split bytes=3 fired=1\ndisconnect after_chunks=2 fired=1\n"
                          "slow ms_per_chunk=5 fired=1\nslow ms_per_chunk=6 fired=0\n");
}

static void test_times_0_never_fires_and_skip_lets_the_first_pass(void **state) {
    struct fault_rules rules = parsed("reset times=0\nserver skip=2 times=1");
    static const enum fault_kind kinds[] = { FAULT_NONE, FAULT_NONE, FAULT_SERVER, FAULT_NONE };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(drawn(&rules).kind, kinds[i]);
}

static void test_what_has_fired_already_counts(void **state) {
    struct fault_rules rules = parsed("server times=3 fired=2");
    assert_int_equal(drawn(&rules).kind, FAULT_SERVER);
    assert_int_equal(drawn(&rules).kind, FAULT_NONE);
}

static void test_a_rule_may_be_meant_for_a_model_or_a_path(void **state) {
    struct fault_rules rules = parsed("server model=big\nreset path=/messages");
    assert_int_equal(drawn_for(&rules, "big", "/v1/responses").kind, FAULT_SERVER);
    assert_int_equal(drawn_for(&rules, "bigger", "/v1/responses").kind, FAULT_NONE);
    assert_int_equal(drawn_for(&rules, "", "/v1/messages").kind, FAULT_RESET);
    assert_prints(&rules, "server model=big fired=1\nreset path=/messages fired=1\n");
}

static void test_some_requests_are_only_hit_by_rules_with_a_path(void **state) {
    struct fault_rules rules = parsed("server\nreset path=/models");
    struct fault_subject subject = { "", "/v1/models", .by_path_only = true };
    struct random random = { 1 };
    assert_int_equal(fault_rules_draw(&rules, &subject, &random).kind, FAULT_RESET);
    assert_prints(&rules, "server fired=0\nreset path=/models fired=1\n");
}

static void test_requests_for_others_do_not_count_for_skip(void **state) {
    struct fault_rules rules = parsed("server model=a skip=1");
    assert_int_equal(drawn_for(&rules, "b", "/").kind, FAULT_NONE);
    assert_int_equal(drawn_for(&rules, "a", "/").kind, FAULT_NONE);
    assert_int_equal(drawn_for(&rules, "a", "/").kind, FAULT_SERVER);
}

static int fired_of_1000(const char *rule) {
    struct fault_rules rules = parsed(rule);
    struct fault_subject subject = { "", "", false };
    struct random random = { 42 };
    int fired = 0;
    for (int i = 0; i < 1000; i++)
        fired += fault_rules_draw(&rules, &subject, &random).kind != FAULT_NONE;
    return fired;
}

static void test_p_is_a_probability(void **state) {
    assert_int_equal(fired_of_1000("reset p=0"), 0);
    assert_int_equal(fired_of_1000("reset p=1"), 1000);
    assert_int_equal(fired_of_1000("reset p=1.0"), 1000);
    assert_in_range(fired_of_1000("reset p=0.1"), 70, 130);
    assert_int_equal(fired_of_1000("reset p=0.5 times=3"), 3);
}

static void test_only_rules_with_p_take_a_number(void **state) {
    struct fault_rules rules = parsed("server times=0\nreset skip=9\nslow ms_per_chunk=1");
    struct fault_subject subject = { "", "", false };
    struct random random = { 42 };
    fault_rules_draw(&rules, &subject, &random);
    assert_int_equal(random.state, 42);
}

static void test_printing_needs_room(void **state) {
    struct fault_rules rules = parsed("reset");
    struct bytes out;
    bytes_init(&out, 10);
    assert_false(fault_rules_print(&rules, &out));
    bytes_finish(&out);
}

static void test_no_bytes_break_the_parser(void **state) {
    static const char *const bits[] = { "server", " ",     "=",    "times",     "p", "0",
                                        ".5",     "\n",    "\t",   "clear",     "#", "\r",
                                        "\"",     "model", "slow", "9999999999" };
    struct random random = { 3 };
    for (int i = 0; i < 20000; i++) {
        char text[200] = "";
        size_t length = 0;
        struct fault_rules rules = { 0 };
        char problem[FAULT_PROBLEM_SIZE] = "";
        for (int64_t n = random_between(&random, 0, 14); n > 0; n--)
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s",
                                       bits[random_between(&random, 0, 15)]);
        bool good = fault_rules_parse(&rules, (struct slice){ text, length }, problem);
        assert_int_equal(good, problem[0] == '\0');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule_of_the_manual_is_read_and_printed_again),
        cmocka_unit_test(test_what_is_wrong_is_said_exactly),
        cmocka_unit_test(test_long_words_fit_into_the_problem),
        cmocka_unit_test(test_lines_blanks_and_comments),
        cmocka_unit_test(test_rules_are_added_behind_and_clear_removes_those_before_it),
        cmocka_unit_test(test_one_wrong_line_changes_nothing),
        cmocka_unit_test(test_there_is_a_maximum_of_rules),
        cmocka_unit_test(test_without_rules_nothing_happens),
        cmocka_unit_test(test_a_fault_has_what_its_rule_says_or_the_default),
        cmocka_unit_test(test_the_first_that_fires_wins_and_only_it_counts),
        cmocka_unit_test(test_slow_and_split_go_with_others),
        cmocka_unit_test(test_times_0_never_fires_and_skip_lets_the_first_pass),
        cmocka_unit_test(test_what_has_fired_already_counts),
        cmocka_unit_test(test_a_rule_may_be_meant_for_a_model_or_a_path),
        cmocka_unit_test(test_some_requests_are_only_hit_by_rules_with_a_path),
        cmocka_unit_test(test_requests_for_others_do_not_count_for_skip),
        cmocka_unit_test(test_p_is_a_probability),
        cmocka_unit_test(test_only_rules_with_p_take_a_number),
        cmocka_unit_test(test_printing_needs_room),
        cmocka_unit_test(test_no_bytes_break_the_parser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
