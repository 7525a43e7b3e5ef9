#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mount/kernel.h"

static void set(const char *folder, const char *name, const char *value) {
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
    if (!value) return;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(value, file);
    fclose(file);
}

static void test_a_timeout_of_the_kernel_is_warned_of(void **state) {
    static const struct {
        const char *default_timeout;
        const char *max_timeout;
        const char *named; /* in the warning; NULL: none */
    } rows[] = {
        { NULL, NULL, NULL }, // before 6.14
        { "0\n", "0\n", NULL },
        { "30\n", "0\n", "waits for 30 s: sysctl fs.fuse.default_request_timeout=0" },
        { "0\n", "60\n", "waits for 60 s: sysctl fs.fuse.max_request_timeout=0" },
        { "no number\n", "", NULL },
    };
    char folder[] = "/tmp/askfs-test.XXXXXX";
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char warning[256] = "";
        set(folder, "default_request_timeout", rows[i].default_timeout);
        set(folder, "max_request_timeout", rows[i].max_timeout);
        bool ends = kernel_ends_waiting(folder, warning, sizeof(warning));
        assert_int_equal(ends, rows[i].named != NULL);
        if (rows[i].named) assert_non_null(strstr(warning, rows[i].named));
    }
    set(folder, "default_request_timeout", NULL);
    set(folder, "max_request_timeout", NULL);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_timeout_of_the_kernel_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
