#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mount/complaint.h"

static void test_what_they_say_becomes_one_line_with_advice(void **state) {
    static const struct {
        const char *said;
        const char *problem;
    } rows[] = {
        { "fusermount3: option allow_other only allowed if 'user_allow_other' is set in "
          "/etc/fuse.conf\n",
          "/m: cannot be mounted: option allow_other only allowed if 'user_allow_other' is set in "
          "/etc/fuse.conf: leave allow_other or allow_root out, or write user_allow_other into "
          "/etc/fuse.conf" },
        { "fusermount3: mountpoint /tmp not owned by user\n",
          "/m: cannot be mounted: mountpoint /tmp not owned by user: name a directory of your "
          "own" },
        { "fusermount3: mounting over filesystem type 0x62656572 is forbidden\n",
          "/m: cannot be mounted: mounting over filesystem type 0x62656572 is forbidden: name a "
          "directory on a disk" },
        { "fuse: failed to exec fusermount3: No such file or directory\n",
          "/m: cannot be mounted: failed to exec fusermount3: No such file or directory: install "
          "the package fuse3" },
        { "fusermount3: mount failed: Operation not permitted\nfuse: more\n",
          "/m: cannot be mounted: mount failed: Operation not permitted: mount as root, or install "
          "fusermount3 with its setuid bit" },
        { "something \033[31melse\n", "/m: cannot be mounted: something ?[31melse: check that "
                                      "/dev/fuse and fusermount3 can be used" },
        { "", "/m: cannot be mounted: check that /dev/fuse and fusermount3 can be used" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char problem[512];
        complaint_explain(rows[i].said, "/m", problem, sizeof(problem));
        assert_string_equal(problem, rows[i].problem);
    }
}

/* Says it with standard error at a pipe. What reached it is in passed_on. */
static void complain(const char *said, bool all_went_well, char problem[512], char passed_on[512]) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int before = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    struct complaint complaint;
    complaint_begin(&complaint);
    fprintf(stderr, "%s", said);
    complaint_end(&complaint, all_went_well, "/m", problem, 512);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    close(ends[1]);
    ssize_t length = read(ends[0], passed_on, 511);
    passed_on[length > 0 ? length : 0] = '\0';
    close(ends[0]);
}

static void test_a_failure_shows_nothing_of_theirs(void **state) {
    char problem[512] = "";
    char passed_on[512];
    complain("fuse: no\n", false, problem, passed_on);
    assert_string_equal(passed_on, "");
    assert_non_null(strstr(problem, "/m: cannot be mounted: no: "));
}

static void test_what_was_said_although_all_went_well_is_passed_on(void **state) {
    char problem[512] = "";
    char passed_on[512];
    complain("fuse: by the way\n", true, problem, passed_on);
    assert_string_equal(passed_on, "fuse: by the way\n");
    assert_string_equal(problem, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_they_say_becomes_one_line_with_advice),
        cmocka_unit_test(test_a_failure_shows_nothing_of_theirs),
        cmocka_unit_test(test_what_was_said_although_all_went_well_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
