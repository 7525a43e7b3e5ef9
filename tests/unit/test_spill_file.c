#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/random.h"
#include "core/io/spill_file.h"

enum { BLOCK = SPILL_BLOCK_BYTES };

// Linked with --wrap=openat64, which is what openat becomes: a file system may not know files that
// never had a name.
static bool knows_no_unnamed_files;
int __real_openat64(int folder, const char *name, int flags, ...);
int __wrap_openat64(int folder, const char *name, int flags, ...);
int __wrap_openat64(int folder, const char *name, int flags, ...) {
    if (knows_no_unnamed_files && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_openat64(folder, name, flags, 0600); // all that is made here has this mode
}

struct world {
    char folder[64];
    struct clock clock;
    struct timers timers;
    struct spill_file *file;
    struct spill *spill;
};

static void open_in(struct world *world, const char *folder, uint64_t blocks_max) {
    struct spill_file_parts parts = { .clock = &world->clock,
                                      .timers = &world->timers,
                                      .folder = folder,
                                      .bytes_max = blocks_max * BLOCK };
    timers_init(&world->timers);
    world->file = spill_file_create(&parts);
    assert_non_null(world->file);
    world->spill = spill_file_spill(world->file);
}

static struct world *world_of(uint64_t blocks_max) {
    struct world *world = calloc(1, sizeof(*world));
    const char *temporary = getenv("TMPDIR");
    snprintf(world->folder, sizeof(world->folder), "%s/spill-XXXXXX",
             temporary && strlen(temporary) < 40 ? temporary : "/tmp");
    assert_non_null(mkdtemp(world->folder));
    open_in(world, world->folder, blocks_max);
    return world;
}

static void world_end(struct world *world) {
    spill_file_destroy(world->file);
    assert_int_equal(world->timers.reserved, 0);
    timers_finish(&world->timers);
    if (world->folder[0]) assert_int_equal(rmdir(world->folder), 0); // it has no name in it
    free(world);
}

static uint32_t allocate(struct world *world) {
    uint32_t block = 0;
    assert_int_equal(world->spill->allocate(world->spill, &block), 0);
    return block;
}

// The descriptor of ours that is open on a file without a name in that folder; -1: none.
static int find_descriptor(const char *folder) {
    int found = -1;
    DIR *all = opendir("/proc/self/fd");
    for (struct dirent *each; (each = readdir(all));) {
        char target[512];
        ssize_t length = readlinkat(dirfd(all), each->d_name, target, sizeof(target) - 1);
        if (length < 0) continue;
        target[length] = '\0';
        bool is_here = strncmp(target, folder, strlen(folder)) == 0 && strstr(target, "(deleted)");
        if (is_here) found = (int)strtol(each->d_name, NULL, 10);
    }
    closedir(all);
    return found;
}

static size_t bytes_on_disk(const char *folder) {
    struct stat facts;
    assert_int_equal(fstat(find_descriptor(folder), &facts), 0);
    return (size_t)facts.st_blocks * 512;
}

static void write_block(struct world *world, uint32_t block, char byte) {
    static char text[BLOCK];
    memset(text, byte, BLOCK);
    assert_int_equal(world->spill->write(world->spill, block, 0, (struct slice){ text, BLOCK }), 0);
}

static void expect_block(struct world *world, uint32_t block, char byte) {
    static char text[BLOCK];
    assert_int_equal(world->spill->read(world->spill, block, 0, text, BLOCK), 0);
    for (size_t i = 0; i < BLOCK; i++)
        if (text[i] != byte) fail_msg("block %u: '%c' at %zu", block, text[i], i);
}

static void test_a_file_is_made_when_it_is_needed_and_has_no_name(void **state) {
    struct world *world = world_of(10);
    assert_int_equal(find_descriptor(world->folder), -1);
    write_block(world, allocate(world), 'a');
    struct stat facts;
    assert_int_equal(fstat(find_descriptor(world->folder), &facts), 0);
    assert_int_equal(facts.st_nlink, 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_true(fcntl(find_descriptor(world->folder), F_GETFD) & FD_CLOEXEC);
    world_end(world);
}

static void test_where_files_must_have_a_name_it_is_taken_away_at_once(void **state) {
    struct world *world = world_of(10);
    char taken[128];
    snprintf(taken, sizeof(taken), "%s/askfs-%d-0", world->folder, (int)getpid());
    close(open(taken, O_CREAT | O_WRONLY, 0600)); // somebody's
    knows_no_unnamed_files = true;
    uint32_t block = allocate(world);
    knows_no_unnamed_files = false;
    write_block(world, block, 'a');
    expect_block(world, block, 'a');
    struct stat facts;
    assert_int_equal(fstat(find_descriptor(world->folder), &facts), 0);
    assert_int_equal(facts.st_nlink, 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_int_equal(unlink(taken), 0); // still there, and the only one: see world_end
    world_end(world);
}

static void test_each_part_of_each_block_is_read_back(void **state) {
    struct world *world = world_of(64);
    struct random random = { 3 };
    static char model[64][BLOCK];
    static char text[BLOCK];
    for (uint32_t i = 0; i < 64; i++) {
        assert_int_equal(allocate(world), i);
        write_block(world, i, (char)i);
        memset(model[i], (int)i, BLOCK);
    }
    for (int turn = 0; turn < 2000; turn++) {
        uint32_t block = (uint32_t)random_between(&random, 0, 63);
        size_t offset = (size_t)random_between(&random, 0, BLOCK);
        size_t length = (size_t)random_between(&random, 0, (int64_t)(BLOCK - offset));
        if (turn % 2) {
            memset(text, turn, length);
            memset(model[block] + offset, turn, length);
            struct slice slice = { text, length };
            assert_int_equal(world->spill->write(world->spill, block, offset, slice), 0);
        } else {
            assert_int_equal(world->spill->read(world->spill, block, offset, text, length), 0);
            assert_memory_equal(text, model[block] + offset, length);
        }
    }
    world_end(world);
}

static void test_blocks_that_were_given_back_are_used_again_the_lowest_first(void **state) {
    struct world *world = world_of(3000);
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(allocate(world), i);
    static const uint32_t blocks[] = { 1500, 7, 64, 63, 1999, 8, 0 };
    world->spill->release(world->spill, blocks, 7);
    static const uint32_t again[] = { 0, 7, 8, 63, 64, 1500, 1999, 2000 };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(allocate(world), again[i]);
    world->spill->release(world->spill, again + 1, 1); // below where the search was
    assert_int_equal(allocate(world), 7);
    for (size_t i = 4; i < 8; i++)
        assert_int_equal(allocate(world), again[i]);
    world_end(world);
}

static void test_the_limit_is_a_full_disk(void **state) {
    struct world *world = world_of(3);
    uint32_t block = 77;
    for (int i = 0; i < 3; i++)
        allocate(world);
    assert_int_equal(world->spill->allocate(world->spill, &block), ENOSPC);
    assert_int_equal(block, 77);
    block = 1;
    world->spill->release(world->spill, &block, 1);
    assert_int_equal(allocate(world), 1);
    world_end(world);
}

static void test_space_goes_back_to_the_disk_in_small_steps(void **state) {
    struct world *world = world_of(100);
    uint32_t blocks[100];
    for (uint32_t i = 0; i < 100; i++) {
        blocks[i] = allocate(world);
        write_block(world, i, 'x');
    }
    size_t full = bytes_on_disk(world->folder);
    assert_true(full >= 100 * BLOCK);
    world->spill->release(world->spill, blocks + 2, 48);
    world->spill->release(world->spill, blocks + 60, 40);
    assert_int_equal(bytes_on_disk(world->folder), full); // not now
    assert_int_equal(allocate(world), 2);                 // one of them is used again at once
    write_block(world, 2, 'y');
    int steps = 0;
    for (; timers_next_ns(&world->timers) != TIME_NEVER; steps++) {
        size_t before = bytes_on_disk(world->folder);
        world->clock.now_ns = timers_next_ns(&world->timers);
        timers_run(&world->timers, world->clock.now_ns);
        assert_true(before - bytes_on_disk(world->folder) <= 16 * BLOCK);
    }
    assert_int_equal(steps, (47 + 40 + 15) / 16);
    assert_true(bytes_on_disk(world->folder) <= full - 80 * BLOCK);
    expect_block(world, 1, 'x');
    expect_block(world, 2, 'y');
    expect_block(world, 50, 'x');
    expect_block(world, 59, 'x');
    world_end(world);
}

static void test_a_disk_that_refuses_is_a_value(void **state) {
    struct world *world = world_of(10);
    struct rlimit before;
    struct slice text = slice_of("text");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = { BLOCK + 2, before.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    allocate(world);
    allocate(world);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int first = world->spill->write(world->spill, 0, 0, text);
    int second = world->spill->write(world->spill, 1, 0, text);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(first, 0);
    assert_int_equal(second, EFBIG);
    char into[10];
    assert_int_equal(world->spill->read(world->spill, 5, 0, into, 10), EIO); // never written
    world_end(world);
}

static void test_a_folder_that_is_gone_is_told_when_it_is_needed(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    uint32_t block;
    open_in(world, "/no/such/folder", 10);
    assert_int_equal(world->spill->allocate(world->spill, &block), ENOENT);
    assert_int_equal(world->spill->allocate(world->spill, &block), ENOENT);
    world_end(world);
}

static void test_without_a_folder_one_on_a_disk_is_looked_for(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    struct spill_file_parts parts = { .clock = &world->clock,
                                      .timers = &world->timers,
                                      .temporary = "/dev/shm",
                                      .bytes_max = 10 * BLOCK };
    struct statfs facts;
    uint32_t block;
    if (statfs("/dev/shm", &facts) != 0 || facts.f_type != TMPFS_MAGIC) skip();
    world->file = spill_file_create(&parts);
    world->spill = spill_file_spill(world->file);
    int error = world->spill->allocate(world->spill, &block);
    assert_true(error == 0 || error == ENODEV); // ENODEV: nothing but tmpfs on this machine
    assert_int_equal(find_descriptor("/dev/shm"), -1);
    world_end(world);
    world = calloc(1, sizeof(*world));
    open_in(world, "/dev/shm", 10); // who names it shall have it
    allocate(world);
    assert_int_not_equal(find_descriptor("/dev/shm"), -1);
    world_end(world);
}

static void test_nothing_is_nothing_to_destroy(void **state) {
    spill_file_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_made_when_it_is_needed_and_has_no_name),
        cmocka_unit_test(test_where_files_must_have_a_name_it_is_taken_away_at_once),
        cmocka_unit_test(test_each_part_of_each_block_is_read_back),
        cmocka_unit_test(test_blocks_that_were_given_back_are_used_again_the_lowest_first),
        cmocka_unit_test(test_the_limit_is_a_full_disk),
        cmocka_unit_test(test_space_goes_back_to_the_disk_in_small_steps),
        cmocka_unit_test(test_a_disk_that_refuses_is_a_value),
        cmocka_unit_test(test_a_folder_that_is_gone_is_told_when_it_is_needed),
        cmocka_unit_test(test_without_a_folder_one_on_a_disk_is_looked_for),
        cmocka_unit_test(test_nothing_is_nothing_to_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
