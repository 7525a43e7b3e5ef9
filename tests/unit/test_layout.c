#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/inode.h"
#include "fs/kind.h"
#include "fs/layout.h"

static const struct entry *find_file(enum directory in, const char *name) {
    const struct entry *entry = layout_find(in, name);
    assert_non_null(entry);
    assert_string_equal(entry->name, name);
    return entry;
}

static void test_each_directory_holds_the_files_of_the_manual(void **state) {
    static const struct {
        enum directory in;
        const char *names[20];
    } rows[] = {
        { DIRECTORY_ROOT,
          { "README", "status", "metrics", "events", "alerts", "config.json", "version" } },
        { DIRECTORY_PROVIDER,
          { "prompt", "response", "reasoning", "wait", "status", "breaker", "error", "models",
            "model", "system", "options.json", "faults", "request.json", "response.json",
            "requests" } },
        { DIRECTORY_REQUESTS, { "latest" } },
        { DIRECTORY_REQUEST,
          { "prompt", "response", "reasoning", "status", "error", "attempts", "wait", "cancel",
            "request.json", "response.json" } },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t j = 0; rows[i].names[j]; j++)
            find_file(rows[i].in, rows[i].names[j]);
}

static void test_what_starts_or_tells_requests_is_its_owners_alone(void **state) {
    static const char *const private_names[] = { "prompt", "response",      "reasoning", "wait",
                                                 "model",  "response.json", "requests" };
    for (size_t i = 0; i < sizeof(private_names) / sizeof(*private_names); i++)
        assert_int_equal(find_file(DIRECTORY_PROVIDER, private_names[i])->mode & 0077, 0);
    assert_int_equal(find_file(DIRECTORY_REQUEST, "cancel")->mode & 0777, 0600);
}

static void test_health_may_be_read_by_all(void **state) {
    assert_int_equal(find_file(DIRECTORY_ROOT, "metrics")->mode & 0777, 0444);
    assert_int_equal(find_file(DIRECTORY_PROVIDER, "status")->mode & 0777, 0444);
    assert_int_equal(find_file(DIRECTORY_PROVIDER, "error")->mode & 0777, 0444);
}

static void test_an_unknown_name_may_only_be_a_provider_or_a_request(void **state) {
    assert_int_equal(layout_find(DIRECTORY_ROOT, "openai")->holds, DIRECTORY_PROVIDER);
    assert_int_equal(layout_find(DIRECTORY_REQUESTS, "17")->holds, DIRECTORY_REQUEST);
    assert_null(layout_find(DIRECTORY_PROVIDER, "other"));
    assert_null(layout_find(DIRECTORY_REQUEST, "other"));
}

static void test_numbers_lead_back_to_their_entries(void **state) {
    assert_null(layout_entry(0));
    assert_null(layout_entry(layout_count() + 1));
    assert_true(layout_count() < INODE_ENTRIES_MAX);
    for (size_t i = 1; i <= layout_count(); i++)
        assert_int_equal(layout_number(layout_entry(i)), i);
}

static void test_each_file_can_be_read_or_written_and_health_only_read(void **state) {
    for (size_t i = 1; i <= layout_count(); i++) {
        const struct entry *entry = layout_entry(i);
        if (!entry_is_file(entry)) continue;
        assert_non_null(entry->kind->size);
        assert_non_null(entry->kind->open);
        assert_non_null(entry->kind->close);
        assert_true(entry->kind->read || entry->kind->write);
        if (!(entry->mode & S_IWUSR)) assert_null(entry->kind->write);
        assert_int_equal(entry->mode & 0111, 0);
    }
}

static void test_each_directory_has_an_entry_of_its_own(void **state) {
    for (int holds = DIRECTORY_ROOT; holds <= DIRECTORY_REQUEST; holds++)
        assert_true(entry_is_directory(layout_directory(holds)));
    assert_int_equal(layout_number(layout_directory(DIRECTORY_ROOT)), LAYOUT_ROOT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_directory_holds_the_files_of_the_manual),
        cmocka_unit_test(test_what_starts_or_tells_requests_is_its_owners_alone),
        cmocka_unit_test(test_health_may_be_read_by_all),
        cmocka_unit_test(test_an_unknown_name_may_only_be_a_provider_or_a_request),
        cmocka_unit_test(test_numbers_lead_back_to_their_entries),
        cmocka_unit_test(test_each_file_can_be_read_or_written_and_health_only_read),
        cmocka_unit_test(test_each_directory_has_an_entry_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
