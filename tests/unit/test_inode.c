#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/inode.h"

static void test_the_root_has_the_number_that_fuse_wants(void **state) {
    struct inode_parts root = { .entry = 1 };
    assert_int_equal(inode_pack(&root), 1);
}

static void test_what_is_packed_is_unpacked(void **state) {
    static const struct inode_parts rows[] = {
        { 0, 0, 1 },
        { 1, 0, 7 },
        { 3, 42, 255 },
        { INODE_PROVIDERS_MAX, INODE_SERIAL_MAX, INODE_ENTRIES_MAX - 1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct inode_parts parts = inode_unpack(inode_pack(&rows[i]));
        assert_int_equal(parts.provider, rows[i].provider);
        assert_int_equal(parts.serial, rows[i].serial);
        assert_int_equal(parts.entry, rows[i].entry);
    }
}

static void test_a_number_fits_a_signed_one(void **state) {
    struct inode_parts largest = { INODE_PROVIDERS_MAX, INODE_SERIAL_MAX, INODE_ENTRIES_MAX - 1 };
    assert_true(inode_pack(&largest) <= INT64_MAX);
}

static void test_neighbours_have_different_numbers(void **state) {
    struct inode_parts one = { 1, 1, 1 };
    struct inode_parts other_entry = { 1, 1, 2 };
    struct inode_parts other_serial = { 1, 2, 1 };
    struct inode_parts other_provider = { 2, 1, 1 };
    assert_int_not_equal(inode_pack(&one), inode_pack(&other_entry));
    assert_int_not_equal(inode_pack(&one), inode_pack(&other_serial));
    assert_int_not_equal(inode_pack(&one), inode_pack(&other_provider));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_root_has_the_number_that_fuse_wants),
        cmocka_unit_test(test_what_is_packed_is_unpacked),
        cmocka_unit_test(test_a_number_fits_a_signed_one),
        cmocka_unit_test(test_neighbours_have_different_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
