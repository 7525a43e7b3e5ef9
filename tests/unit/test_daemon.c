/* What the shell sees of askfs: when it gets its prompt back, with which status and which words. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mount/daemon.h"

struct outcome {
    int status;      /* of the process that was started */
    char error[512]; /* its standard error */
    char report[64]; /* what the one that ran the mount wrote to the report */
};

static void read_to_end(int fd, char *text, size_t size) {
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(fd);
}

/* live is what the process that runs the mount does; its report is a pipe to the test. */
static struct outcome run(bool foreground, void (*live)(struct daemon *daemon, int report)) {
    struct outcome outcome;
    int error[2], report[2];
    assert_int_equal(pipe(error), 0);
    assert_int_equal(pipe(report), 0);
    pid_t child = fork();
    if (child == 0) {
        close(error[0]);
        close(report[0]);
        dup2(error[1], STDERR_FILENO);
        dup2(error[1], STDOUT_FILENO);
        close(error[1]);
        struct daemon *daemon = daemon_start(foreground);
        live(daemon, report[1]);
        daemon_destroy(daemon);
        _exit(7);
    }
    close(error[1]);
    close(report[1]);
    assert_int_equal(waitpid(child, &outcome.status, 0), child);
    read_to_end(error[0], outcome.error, sizeof(outcome.error));
    read_to_end(report[0], outcome.report, sizeof(outcome.report));
    return outcome;
}

static void say(int report, const char *text) {
    if (write(report, text, strlen(text)) < 0) _exit(8);
}

static void become_ready(struct daemon *daemon, int report) {
    char folder[256];
    fprintf(stderr, "before\n");
    daemon_ready(daemon);
    fprintf(stderr, "after\n");
    say(report, getsid(0) == getpid() ? "leads, " : "follows, ");
    say(report, getcwd(folder, sizeof(folder)) ? folder : "nowhere");
}

static void fail_to_mount(struct daemon *daemon, int report) {
    daemon_failed(daemon, "/mnt: cannot be mounted: do this");
}

static void end_silently(struct daemon *daemon, int report) {
}

static void crash(struct daemon *daemon, int report) {
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
}

static void be_ready_and_fail(struct daemon *daemon, int report) {
    daemon_ready(daemon);
    daemon_failed(daemon, "too late");
    say(report, "survived");
}

static void test_the_shell_gets_its_prompt_back_when_the_mount_is_ready(void **state) {
    struct outcome outcome = run(false, become_ready);
    assert_true(WIFEXITED(outcome.status));
    assert_int_equal(WEXITSTATUS(outcome.status), 0);
    assert_string_equal(outcome.error, "before\n"); // and the daemon let go of the pipe
    assert_string_equal(outcome.report, "leads, /");
}

static void test_a_mount_that_failed_is_told_in_one_line(void **state) {
    struct outcome outcome = run(false, fail_to_mount);
    assert_int_equal(WEXITSTATUS(outcome.status), 1);
    assert_string_equal(outcome.error, "askfs: /mnt: cannot be mounted: do this\n");
}

static void test_a_death_before_the_mount_is_told(void **state) {
    struct outcome outcome = run(false, end_silently);
    assert_int_equal(WEXITSTATUS(outcome.status), 1);
    assert_string_equal(outcome.error, "askfs: ended before the mount was ready: try askfs -d\n");
    outcome = run(false, crash);
    assert_int_equal(WEXITSTATUS(outcome.status), 1);
    assert_string_equal(outcome.error,
                        "askfs: ended by signal 15 before the mount was ready: try askfs -d\n");
}

static void test_a_failure_after_ready_has_nobody_to_tell(void **state) {
    struct outcome outcome = run(false, be_ready_and_fail);
    assert_int_equal(WEXITSTATUS(outcome.status), 0);
    assert_string_equal(outcome.error, "");
    assert_string_equal(outcome.report, "survived");
}

static void test_in_the_foreground_nothing_is_forked_and_nothing_let_go(void **state) {
    struct outcome outcome = run(true, become_ready);
    assert_int_equal(WEXITSTATUS(outcome.status), 7);
    assert_string_equal(outcome.error, "before\nafter\n");
    assert_non_null(strstr(outcome.report, "follows, /"));
    outcome = run(true, fail_to_mount);
    assert_int_equal(WEXITSTATUS(outcome.status), 7);
    assert_string_equal(outcome.error, "askfs: /mnt: cannot be mounted: do this\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_shell_gets_its_prompt_back_when_the_mount_is_ready),
        cmocka_unit_test(test_a_mount_that_failed_is_told_in_one_line),
        cmocka_unit_test(test_a_death_before_the_mount_is_told),
        cmocka_unit_test(test_a_failure_after_ready_has_nobody_to_tell),
        cmocka_unit_test(test_in_the_foreground_nothing_is_forked_and_nothing_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
