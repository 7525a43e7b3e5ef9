#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mount/mountpoint.h"

static char *in_folder(void **state, const char *name) {
    char *path;
    assert_true(asprintf(&path, "%s/%s", (char *)*state, name) > 0);
    return path;
}

/* "" when it is ready. The path in options is replaced; to be finished. */
static void prepare(struct options *options, const char *path, char problem[512]) {
    problem[0] = '\0';
    *options = (struct options){ .mountpoint = strdup(path) };
    bool ready = mountpoint_prepare(options, problem, 512);
    assert_int_equal(ready, problem[0] == '\0');
}

static bool has_device(void) {
    return access("/dev/fuse", R_OK | W_OK) == 0;
}

static void test_a_directory_is_ready_under_its_absolute_name(void **state) {
    struct options options;
    char problem[512];
    if (!has_device()) skip();
    char *here = getcwd(NULL, 0);
    char *expected = in_folder(state, "dir");
    char *link = in_folder(state, "link");
    const char *const names[] = { "dir", "./dir/", "dir/../dir", link };
    assert_int_equal(chdir(*state), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        prepare(&options, names[i], problem);
        assert_string_equal(problem, "");
        assert_string_equal(options.mountpoint, expected);
        free(options.mountpoint);
    }
    assert_int_equal(chdir(here), 0);
    free(here);
    free(link);
    free(expected);
}

static void test_what_is_no_directory_is_refused_with_advice(void **state) {
    static const struct {
        const char *name;
        const char *advice;
    } rows[] = {
        { "absent", "does not exist: mkdir -p " },
        { "file", "is not a directory: name one" },
        { "file/below", "Not a directory" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct options options;
        char problem[512];
        char *path = in_folder(state, rows[i].name);
        prepare(&options, path, problem);
        assert_int_equal(strncmp(problem, path, strlen(path)), 0);
        assert_non_null(strstr(problem, rows[i].advice));
        free(options.mountpoint);
        free(path);
    }
}

static void test_a_descriptor_of_the_device_is_left_to_libfuse(void **state) {
    struct options options;
    char problem[512];
    prepare(&options, "/dev/fd/7", problem);
    assert_string_equal(problem, "");
    assert_string_equal(options.mountpoint, "/dev/fd/7");
    free(options.mountpoint);
}

/* Mounts, and dies before it answers anything, as a crash does. */
static bool leave_dead_mount(const char *path) {
    char options[128];
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) return false;
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    bool mounted = mount("askfs", path, "fuse.askfs", MS_NOSUID | MS_NODEV, options) == 0;
    close(device);
    return mounted;
}

static void test_a_dead_mount_is_taken_away(void **state) {
    struct options options;
    char problem[512];
    char *path = in_folder(state, "dir");
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    if (!leave_dead_mount(path) || !leave_dead_mount(path)) skip(); // not root, or no device
    assert_true(mountpoint_is_dead(path));
    prepare(&options, path, problem);
    assert_string_equal(problem, "");
    assert_false(mountpoint_is_dead(path));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_dev, after.st_dev);
    free(options.mountpoint);
    free(path);
}

static int make_folder(void **state) {
    static char folder[] = "/tmp/askfs-test-XXXXXX";
    *state = mkdtemp(folder);
    if (!*state) return -1;
    char *directory = in_folder(state, "dir");
    char *file = in_folder(state, "file");
    char *link = in_folder(state, "link");
    int fd = open(file, O_WRONLY | O_CREAT, 0600);
    bool made = mkdir(directory, 0700) == 0 && fd >= 0 && symlink("dir", link) == 0;
    close(fd);
    free(directory);
    free(file);
    free(link);
    return made ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[256];
    char *path = in_folder(state, "dir");
    while (mountpoint_is_dead(path) && mountpoint_detach(path))
        ;
    free(path);
    snprintf(command, sizeof(command), "rm -r --one-file-system %s", (char *)*state);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_directory_is_ready_under_its_absolute_name),
        cmocka_unit_test(test_what_is_no_directory_is_refused_with_advice),
        cmocka_unit_test(test_a_descriptor_of_the_device_is_left_to_libfuse),
        cmocka_unit_test(test_a_dead_mount_is_taken_away),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
