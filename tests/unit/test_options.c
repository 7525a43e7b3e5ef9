#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mount/options.h"
#include "mount/version.h"

enum { WORDS_MAX = 16 };

/* The real one asks libraries that are not linked here. */
void version_text(char *text, size_t size) {
    snprintf(text, size, "askfs of the test\n");
}

struct row {
    const char *words[WORDS_MAX]; /* without "askfs"; NULL-ended */
    const char *config_file;
    const char *source;
    const char *mountpoint;
    const char *fuse_options;
    const char *flags; /* f foreground, d debug, c check, x faults */
};

#define ALWAYS "nosuid,nodev,default_permissions"
#define PLAIN "fsname=askfs,subtype=askfs," ALWAYS

static enum options_verdict parse(struct options *options, const char *const *words,
                                  char problem[256]) {
    char *arguments[WORDS_MAX + 1] = { "askfs" };
    int count = 1;
    while (words[count - 1]) {
        arguments[count] = (char *)words[count - 1];
        count++;
    }
    problem[0] = '\0';
    return options_parse(options, count, arguments, problem, 256);
}

static void expect_text(const char *found, const char *expected) {
    if (!expected) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found, expected);
}

static void test_a_command_line_is_understood_in_any_order(void **state) {
    static const struct row rows[] = {
        { { "/m" }, NULL, NULL, "/m", PLAIN, "" },
        { { "src", "/m" }, NULL, "src", "/m", "fsname=src,subtype=askfs," ALWAYS, "" },
        { { "-f", "/m" }, NULL, NULL, "/m", PLAIN, "f" },
        { { "/m", "-f" }, NULL, NULL, "/m", PLAIN, "f" },
        { { "-d", "/m" }, NULL, NULL, "/m", "fsname=askfs,subtype=askfs,debug," ALWAYS, "fd" },
        { { "-fc", "a b", "/m" }, "a b", NULL, "/m", PLAIN, "f" },
        { { "-ca", "/m" }, "a", NULL, "/m", PLAIN, "" },
        { { "-c", "-", "/m" }, "-", NULL, "/m", PLAIN, "" },
        { { "-c", "a", "-c", "b", "/m" }, "b", NULL, "/m", PLAIN, "" },
        { { "--check" }, NULL, NULL, NULL, PLAIN, "c" },
        { { "--check", "-c", "a", "/m" }, "a", NULL, "/m", PLAIN, "c" },
        { { "--", "-m" }, NULL, NULL, "-m", PLAIN, "" },
        { { "-o", "config=/a\\,b,faults", "/m" }, "/a,b", NULL, "/m", PLAIN, "x" },
        { { "-o", "config=a=b", "/m" }, "a=b", NULL, "/m", PLAIN, "" },
        { { "-ofaults", "-o", "foreground", "/m" }, NULL, NULL, "/m", PLAIN, "fx" },
        { { "-o", "fsname=a\\,b\\\\c", "s", "/m" },
          NULL,
          "s",
          "/m",
          "fsname=a\\,b\\\\c,subtype=askfs," ALWAYS,
          "" },
        { { "a,b", "/m" }, NULL, "a,b", "/m", "fsname=a\\,b,subtype=askfs," ALWAYS, "" },
        { { "-o", "subtype=x,max_read=4096,auto_unmount,noexec", "/m" },
          NULL,
          NULL,
          "/m",
          "subtype=x,max_read=4096,auto_unmount,noexec,fsname=askfs," ALWAYS,
          "" },
        { { "-o", "", "/m" }, NULL, NULL, "/m", PLAIN, "" },
        { { "-o", ",,", "/m" }, NULL, NULL, "/m", PLAIN, "" },
        { { "", "/m" }, NULL, "", "/m", PLAIN, "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct options options;
        char problem[256];
        enum options_verdict verdict = parse(&options, rows[i].words, problem);
        if (verdict != OPTIONS_RUN) fail_msg("row %zu: %s", i, problem);
        expect_text(options.config_file, rows[i].config_file);
        expect_text(options.source, rows[i].source);
        expect_text(options.mountpoint, rows[i].mountpoint);
        expect_text(options.fuse_options, rows[i].fuse_options);
        assert_int_equal(options.foreground, strchr(rows[i].flags, 'f') != NULL);
        assert_int_equal(options.debug, strchr(rows[i].flags, 'd') != NULL);
        assert_int_equal(options.check, strchr(rows[i].flags, 'c') != NULL);
        assert_int_equal(options.faults, strchr(rows[i].flags, 'x') != NULL);
        options_finish(&options);
    }
}

static void test_what_mount_and_fstab_say_changes_nothing(void **state) {
    static const char *const lists[] = {
        "rw,dev,suid",
        "rw,nosuid,nodev,exec,relatime",
        "defaults,noauto,nofail,_netdev,user=joe,users,x-systemd.automount,X-mount.mkdir",
        "x-gvfs-name=Ask\\, me,comment=mine,noatime,nodiratime,sync,dirsync,default_permissions",
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        const char *const words[] = { "askfs", "/mnt/ask", "-o", lists[i], NULL };
        struct options options;
        char problem[256];
        if (parse(&options, words, problem) != OPTIONS_RUN) fail_msg("%s", problem);
        assert_string_equal(options.fuse_options, PLAIN);
        assert_string_equal(options.mountpoint, "/mnt/ask");
        options_finish(&options);
    }
}

static void test_a_mount_is_never_without_nosuid_nodev_and_permissions(void **state) {
    static const char *const words[] = { "/m", "-o", "suid,dev,allow_other,exec", NULL };
    struct options options;
    char problem[256];
    assert_int_equal(parse(&options, words, problem), OPTIONS_RUN);
    assert_string_equal(options.fuse_options, "allow_other," PLAIN);
    options_finish(&options);
}

static void test_a_mistake_is_named_with_what_to_do(void **state) {
    static const struct {
        const char *words[WORDS_MAX];
        const char *problem; /* how it begins */
    } rows[] = {
        { { NULL }, "no MOUNTPOINT: name a directory" },
        { { "" }, "no MOUNTPOINT" },
        { { "-f" }, "no MOUNTPOINT" },
        { { "a", "b", "c" }, "c: too many arguments" },
        { { "-x", "/m" }, "-x: unknown option; askfs --help" },
        { { "-fx", "/m" }, "-x: unknown option" },
        { { "--chek" }, "--chek: unknown option; did you mean \"--check\"?" },
        { { "--zebra" }, "--zebra: unknown option; askfs --help" },
        { { "/m", "-c" }, "-c needs FILE" },
        { { "/m", "-o" }, "-o needs OPT" },
        { { "/m", "-c", "" }, "-c needs the name of a file" },
        { { "/m", "-o", "config=" }, "-o config= needs the name of a file" },
        { { "/m", "-o", "config" }, "-o config: expected config=FILE" },
        { { "/m", "-o", "fault" }, "-o fault: unknown option; did you mean \"faults\"?" },
        { { "/m", "-o", "alow_other" },
          "-o alow_other: unknown option; did you mean \"allow_other\"?" },
        { { "/m", "-o", "faults=1" }, "-o faults: takes no value" },
        { { "/m", "-o", "allow_other=1" }, "-o allow_other: takes no value" },
        { { "/m", "-o", "max_read=big" }, "-o max_read= needs a number" },
        { { "/m", "-o", "max_read=" }, "-o max_read= needs a number" },
        { { "/m", "-o", "fsname=" }, "-o fsname= needs a name" },
        { { "/m", "-o", "ro" }, "-o ro: a mount that cannot be written takes no prompt" },
        { { "/m", "-o", "rw,remount" }, "-o remount: unmount" },
        { { "/m", "-o", "uid=1000" }, "-o uid: files belong to whoever mounts" },
        { { "/m", "-o", "=x" }, "-o : unknown option" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct options options;
        char problem[256];
        if (parse(&options, rows[i].words, problem) != OPTIONS_BAD)
            fail_msg("'%s' was expected", rows[i].problem);
        if (strncmp(problem, rows[i].problem, strlen(rows[i].problem)) != 0)
            fail_msg("expected '%s', got '%s'", rows[i].problem, problem);
        options_finish(&options);
    }
}

static void test_help_tells_every_option_in_eighty_columns(void **state) {
    static const char *const told[] = {
        "[SOURCE] MOUNTPOINT", "-c FILE", "--check",    "--version", "--help",
        "config=FILE",         "faults",  "allow_other"
    };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    options_help(out);
    fclose(out);
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
        assert_non_null(strstr(text, told[i]));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) > 80) fail_msg("too wide: %s", line);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_line_is_understood_in_any_order),
        cmocka_unit_test(test_what_mount_and_fstab_say_changes_nothing),
        cmocka_unit_test(test_a_mount_is_never_without_nosuid_nodev_and_permissions),
        cmocka_unit_test(test_a_mistake_is_named_with_what_to_do),
        cmocka_unit_test(test_help_tells_every_option_in_eighty_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
