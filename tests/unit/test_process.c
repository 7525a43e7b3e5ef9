#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fs/process.h"

enum { EXITING = 0x4, SIGNALED = 0x400, SUPERUSER = 0x100 };

static bool is_killed(const char *name, unsigned flags) {
    char text[128];
    snprintf(text, sizeof(text), "4711 (%s) R 1 4711 4711 34816 4711 %u 120 0 0", name, flags);
    return process_stat_is_killed(slice_of(text));
}

static void test_a_process_that_a_signal_ends_shows_both_flags(void **state) {
    assert_true(is_killed("cat", EXITING | SIGNALED));
    assert_true(is_killed("cat", EXITING | SIGNALED | SUPERUSER));
    assert_false(is_killed("cat", EXITING));
    assert_false(is_killed("cat", SIGNALED));
    assert_false(is_killed("cat", SUPERUSER));
}

static void test_a_name_with_brackets_and_blanks_misleads_nobody(void **state) {
    assert_true(is_killed("a) R 1 2 3 4 5 0 (b", EXITING | SIGNALED));
    assert_false(is_killed("a) R 1 2 3 4 5 1028 (b", 0));
}

static void test_a_process_that_cannot_be_looked_at_was_not_killed(void **state) {
    assert_false(process_stat_is_killed((struct slice){ 0 }));
    assert_false(process_stat_is_killed(slice_of("4711 (cat")));
    assert_false(process_stat_is_killed(slice_of("4711 (cat) R 1")));
    assert_false(process_is_killed(0));
}

static void test_a_file_held_for_writing_is_known_by_its_number(void **state) {
    static const char wronly[] = "pos:\t0\nflags:\t0100001\nmnt_id:\t30\nino:\t281474976710664\n";
    static const char rdonly[] = "pos:\t0\nflags:\t0100000\nmnt_id:\t30\nino:\t281474976710664\n";
    static const char rdwr[] = "pos:\t0\nflags:\t0100002\nmnt_id:\t30\nino:\t281474976710664\n";
    const uint64_t inode = 281474976710664;
    assert_true(process_fdinfo_writes(slice_of(wronly), inode));
    assert_true(process_fdinfo_writes(slice_of(rdwr), inode));
    assert_false(process_fdinfo_writes(slice_of(rdonly), inode));
    assert_false(process_fdinfo_writes(slice_of(wronly), inode + 1));
    assert_false(process_fdinfo_writes(slice_of("pos:\t0\nflags:\t0100001\n"), inode));
    assert_false(process_fdinfo_writes((struct slice){ 0 }, inode));
}

static void test_only_a_thread_without_others_is_alone(void **state) {
    assert_true(process_status_is_alone(slice_of("Name:\tcat\nThreads:\t1\nSigQ:\t0/1\n")));
    assert_false(process_status_is_alone(slice_of("Name:\tcat\nThreads:\t12\n")));
    assert_false(process_status_is_alone(slice_of("Name:\tcat\n")));
    assert_false(process_status_is_alone((struct slice){ 0 }));
    assert_false(process_holds_alone(0, 1));
}

static enum process_signals signals(unsigned long own, unsigned long shared,
                                    unsigned long blocked) {
    char text[256];
    snprintf(text, sizeof(text),
             "Name:\tcat\nSigQ:\t0/1\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", own,
             shared, blocked);
    return process_status_signals(slice_of(text));
}

static void test_signals_that_stop_and_continue_are_told_from_the_others(void **state) {
    static const struct {
        unsigned long own, shared, blocked;
        enum process_signals expected;
    } rows[] = {
        { 0, 0, 0, PROCESS_NO_SIGNAL },
        { 0, 1ul << 19, 0, PROCESS_STOP_SIGNAL },             // SIGTSTP
        { 0, 1ul << 18, 0, PROCESS_STOP_SIGNAL },             // SIGSTOP
        { 0, 1ul << 17 | 1ul << 20, 0, PROCESS_STOP_SIGNAL }, // SIGCONT, SIGTTIN
        { 0, 1ul << 1, 0, PROCESS_SIGNAL },                   // SIGINT with a handler
        { 1ul << 8, 0, 0, PROCESS_SIGNAL },                   // SIGKILL
        { 1ul << 8, 1ul << 19, 0, PROCESS_SIGNAL },           // killed while stopping
        { 0, 1ul << 1, 1ul << 1, PROCESS_NO_SIGNAL },         // blocked
        { 0, 1ul << 63, 0, PROCESS_SIGNAL },                  // the last real-time one
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(signals(rows[i].own, rows[i].shared, rows[i].blocked), rows[i].expected);
}

static void test_a_thread_that_is_gone_is_not_waited_for(void **state) {
    assert_int_equal(process_status_signals((struct slice){ 0 }), PROCESS_SIGNAL);
    assert_int_equal(process_status_signals(slice_of("Name:\tcat\n")), PROCESS_SIGNAL);
    assert_int_equal(process_signals(0), PROCESS_SIGNAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_process_that_a_signal_ends_shows_both_flags),
        cmocka_unit_test(test_a_name_with_brackets_and_blanks_misleads_nobody),
        cmocka_unit_test(test_a_file_held_for_writing_is_known_by_its_number),
        cmocka_unit_test(test_only_a_thread_without_others_is_alone),
        cmocka_unit_test(test_a_process_that_cannot_be_looked_at_was_not_killed),
        cmocka_unit_test(test_signals_that_stop_and_continue_are_told_from_the_others),
        cmocka_unit_test(test_a_thread_that_is_gone_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
