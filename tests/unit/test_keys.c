#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mount/keys.h"

static const char *no_variable(void *owner, const char *name) {
    return NULL;
}

/* A configuration with one provider for each text that "api_key" may hold; "" for none. */
static struct config *config_of(const char *type, const char *const *places) {
    struct bytes text;
    struct config_error error = { "" };
    bytes_init(&text, 1 << 20);
    bytes_printf(&text,
                 "{\"defaults\": {\"type\": \"%s\", \"model\": \"m\", "
                 "\"base_url\": \"http://127.0.0.1:1\"}, \"providers\": {",
                 type);
    for (size_t i = 0; places[i]; i++)
        bytes_printf(&text, "%s\"p%zu\": {%s%s}", i ? ", " : "", i,
                     places[i][0] ? "\"api_key\": " : "", places[i]);
    bytes_append_text(&text, "}}");
    struct config *config =
        config_parse(bytes_slice(&text), "/config.json", no_variable, NULL, &error);
    if (!config) fail_msg("%s", error.text);
    bytes_finish(&text);
    return config;
}

static struct keys *load(struct config *config) {
    struct config_error error = { "" };
    struct keys *keys = keys_load(config, NULL, &error);
    if (!keys) fail_msg("%s", error.text);
    return keys;
}

static void expect_key(const char *place, const char *header) {
    const char *const places[] = { place, NULL };
    struct config *config = config_of("openai", places);
    struct keys *keys = load(config);
    if (keys_problem(keys, 0)) fail_msg("%s: %s", place, keys_problem(keys, 0));
    assert_string_equal(keys_header(keys, 0), header);
    keys_destroy(keys);
    config_destroy(config);
}

static void expect_problem(const char *place, const char *problem) {
    const char *const places[] = { place, NULL };
    struct config *config = config_of("openai", places);
    struct keys *keys = load(config);
    assert_null(keys_header(keys, 0));
    assert_non_null(keys_problem(keys, 0));
    if (!strstr(keys_problem(keys, 0), problem))
        fail_msg("expected '%s', got '%s'", problem, keys_problem(keys, 0));
    assert_null(strstr(keys_problem(keys, 0), "SECRET"));
    keys_destroy(keys);
    config_destroy(config);
}

/* The file lies in the folder that the group made. */
static void write_key(void **state, const char *name, const void *text, size_t length,
                      mode_t mode) {
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", (char *)*state, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void file_place(void **state, const char *name, char place[300]) {
    snprintf(place, 300, "{\"file\": \"%s/%s\"}", (char *)*state, name);
}

static void test_a_variable_becomes_a_header_and_disappears(void **state) {
    setenv("TEST_KEY", "sk-SECRET", 1);
    const char *value = getenv("TEST_KEY");
    expect_key("{\"env\": \"TEST_KEY\"}", "Authorization: Bearer sk-SECRET");
    assert_null(getenv("TEST_KEY"));
    for (size_t i = 0; i < strlen("sk-SECRET"); i++)
        assert_int_equal(value[i], 0); // what /proc/PID/environ would show
}

static void test_two_providers_may_share_a_variable(void **state) {
    const char *const places[] = { "{\"env\": \"TEST_KEY\"}", "", "{\"env\": \"TEST_KEY\"}", NULL };
    setenv("TEST_KEY", "sk-1", 1);
    struct config *config = config_of("anthropic", places);
    struct keys *keys = load(config);
    assert_string_equal(keys_header(keys, 0), "x-api-key: sk-1");
    assert_null(keys_header(keys, 1));
    assert_null(keys_problem(keys, 1));
    assert_string_equal(keys_header(keys, 2), "x-api-key: sk-1");
    keys_destroy(keys);
    config_destroy(config);
}

static void test_well_known_variables_disappear_even_when_nobody_names_them(void **state) {
    setenv("XAI_API_KEY", "SECRET", 1);
    expect_problem("{\"env\": \"TEST_KEY\"}", "environment variable TEST_KEY is not set");
    assert_null(getenv("XAI_API_KEY"));
}

static void test_an_empty_variable_is_none(void **state) {
    setenv("TEST_KEY", "", 1);
    expect_problem("{\"env\": \"TEST_KEY\"}", "environment variable TEST_KEY is not set");
}

static void test_a_file_is_read_without_its_line_end(void **state) {
    char place[300];
    file_place(state, "key", place);
    write_key(state, "key", "sk-1\n", 5, 0600);
    expect_key(place, "Authorization: Bearer sk-1");
    write_key(state, "key", "sk-1\r\n", 6, 0400);
    expect_key(place, "Authorization: Bearer sk-1");
    write_key(state, "key", "sk-1", 4, 0700);
    expect_key(place, "Authorization: Bearer sk-1");
}

static void test_a_file_that_others_may_read_is_refused(void **state) {
    static const mode_t modes[] = { 0644, 0640, 0604, 0444 };
    char place[300], advice[300];
    file_place(state, "open", place);
    snprintf(advice, sizeof(advice), "may be read by others: chmod 600 %s/open", (char *)*state);
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        write_key(state, "open", "SECRET", 6, modes[i]);
        expect_problem(place, advice);
    }
}

static void test_a_file_that_is_not_there_is_told(void **state) {
    char place[300];
    file_place(state, "absent", place);
    expect_problem(place, "absent cannot be read: No such file or directory");
    expect_problem("{\"file\": \"/\"}", "is a directory");
}

static void *write_to_pipe(void *path) {
    int fd = open(path, O_WRONLY);
    if (write(fd, "sk-piped\n", 9) != 9) fail_msg("the pipe takes nothing");
    close(fd);
    return NULL;
}

static void test_a_pipe_is_read_once_somebody_writes(void **state) {
    char path[256];
    char place[300];
    pthread_t writer;
    snprintf(path, sizeof(path), "%s/pipe", (char *)*state);
    assert_int_equal(mkfifo(path, 0600), 0);
    file_place(state, "pipe", place);
    assert_int_equal(pthread_create(&writer, NULL, write_to_pipe, path), 0);
    expect_key(place, "Authorization: Bearer sk-piped");
    pthread_join(writer, NULL);
    unlink(path);
}

static void test_what_cannot_be_a_key_is_refused(void **state) {
    static const struct {
        const char *text;
        size_t length;
        const char *problem;
    } rows[] = {
        { "", 0, "is empty" },
        { "\n", 1, "is empty" },
        { "SECRET one", 10, "a space" },
        { "SECRET\nX: y", 11, "a space" },
        { " SECRET", 7, "a space" },
        { "SECRET\0x", 8, "a space" },
        { "SECR\xc3\xa4T", 7, "a space" },
        { "SECRET\x1b", 7, "a space" },
    };
    char place[300];
    file_place(state, "bad", place);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        write_key(state, "bad", rows[i].text, rows[i].length, 0600);
        expect_problem(place, rows[i].problem);
    }
}

static void test_a_key_has_at_most_8_kib(void **state) {
    char place[300], text[9000], header[9000];
    file_place(state, "long", place);
    memset(text, 'k', sizeof(text));
    snprintf(header, sizeof(header), "Authorization: Bearer %.8192s", text);
    text[8192] = '\n';
    write_key(state, "long", text, 8193, 0600);
    expect_key(place, header);
    text[8192] = 'k';
    write_key(state, "long", text, 8193, 0600);
    expect_problem(place, "longer than 8192 bytes");
    write_key(state, "long", text, 9000, 0600);
    expect_problem(place, "longer than 8192 bytes");
}

static void test_a_command_gives_its_first_line(void **state) {
    expect_key("{\"command\": [\"printf\", \"sk-1\\\\nlogin: me\\\\n\"]}",
               "Authorization: Bearer sk-1");
    expect_key("{\"command\": [\"sh\", \"-c\", \"echo sk-$((1+1)); yes | head -c 100000\"]}",
               "Authorization: Bearer sk-2");
}

static void test_a_command_that_fails_is_named_without_its_output(void **state) {
    expect_problem("{\"command\": [\"sh\", \"-c\", \"echo SECRET; exit 3\"]}",
                   "key command sh failed with exit status 3");
    expect_problem("{\"command\": [\"sh\", \"-c\", \"echo SECRET; kill -9 $$\"]}",
                   "key command sh was ended by signal 9");
    expect_problem("{\"command\": [\"/no/such/program\"]}",
                   "key command /no/such/program cannot be started: No such file or directory");
    expect_problem("{\"command\": [\"true\"]}", "the key from true is empty");
}

static void test_a_command_does_not_see_the_keys_of_others(void **state) {
    const char *const places[] = { "{\"command\": [\"sh\", \"-c\", \"echo =$TEST_KEY=\"]}",
                                   "{\"env\": \"TEST_KEY\"}", NULL };
    setenv("TEST_KEY", "sk-1", 1);
    struct config *config = config_of("openai", places);
    struct keys *keys = load(config);
    assert_string_equal(keys_header(keys, 0), "Authorization: Bearer ==");
    assert_string_equal(keys_header(keys, 1), "Authorization: Bearer sk-1");
    keys_destroy(keys);
    config_destroy(config);
}

static void test_a_credential_lies_in_its_directory(void **state) {
    write_key(state, "openai", "sk-1", 4, 0440); // systemd chooses the mode
    unsetenv("CREDENTIALS_DIRECTORY");
    expect_problem("{\"credential\": \"openai\"}", "CREDENTIALS_DIRECTORY is not set");
    setenv("CREDENTIALS_DIRECTORY", *state, 1);
    expect_key("{\"credential\": \"openai\"}", "Authorization: Bearer sk-1");
    expect_problem("{\"credential\": \"absent\"}", "cannot be read: No such file");
}

/* The line "NAME: …" of the mapping that holds address, from /proc/self/smaps. */
static void mapping_line(const void *address, const char *name, char line_out[256]) {
    char line[256];
    bool within = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    line_out[0] = '\0';
    while (fgets(line, sizeof(line), maps)) {
        uintptr_t from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            within = from <= (uintptr_t)address && (uintptr_t)address < to;
        else if (within && strncmp(line, name, strlen(name)) == 0)
            strcpy(line_out, line);
    }
    fclose(maps);
}

static void test_keys_are_kept_out_of_swap_core_dumps_and_children(void **state) {
    const char *const places[] = { "{\"env\": \"TEST_KEY\"}", "", "", NULL };
    char flags[256];
    setenv("TEST_KEY", "sk-1", 1);
    struct config *config = config_of("openai", places);
    struct keys *keys = load(config);
    bool locked = keys_lock(keys);
    mapping_line(keys_header(keys, 0), "VmFlags:", flags);
    assert_non_null(strstr(flags, " dd")); // MADV_DONTDUMP
    assert_non_null(strstr(flags, " dc")); // MADV_DONTFORK
#ifndef __SANITIZE_ADDRESS__               // which makes mlock do nothing
    if (locked) assert_non_null(strstr(flags, " lo"));
#endif
    assert_true(locked || geteuid() != 0);
    keys_destroy(keys);
    config_destroy(config);
}

static int make_folder(void **state) {
    static char folder[] = "/tmp/askfs-test-XXXXXX";
    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[256];
    snprintf(command, sizeof(command), "rm -r %s", (char *)*state);
    return system(command);
}

static void test_a_later_configuration_has_the_variables_of_an_earlier_one(void **state) {
    const char *const one[] = { "{\"env\": \"TEST_KEY\"}", NULL };
    const char *const two[] = { "{\"env\": \"TEST_KEY\"}", "{\"env\": \"OPENAI_API_KEY\"}", NULL };
    struct config_error error = { "" };
    setenv("TEST_KEY", "sk-one", 1);
    setenv("OPENAI_API_KEY", "sk-two", 1);
    struct config *first = config_of("openai", one);
    struct config *second = config_of("openai", two);
    struct keys *earlier = load(first);
    assert_true(keys_have_variable(earlier, "TEST_KEY"));
    assert_false(keys_have_variable(earlier, "XAI_API_KEY"));
    struct keys *keys = keys_load(second, earlier, &error);
    keys_destroy(earlier);
    assert_string_equal(keys_header(keys, 0), "Authorization: Bearer sk-one");
    assert_string_equal(keys_header(keys, 1), "Authorization: Bearer sk-two");
    keys_destroy(keys);
    config_destroy(first);
    config_destroy(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_variable_becomes_a_header_and_disappears),
        cmocka_unit_test(test_two_providers_may_share_a_variable),
        cmocka_unit_test(test_well_known_variables_disappear_even_when_nobody_names_them),
        cmocka_unit_test(test_an_empty_variable_is_none),
        cmocka_unit_test(test_a_file_is_read_without_its_line_end),
        cmocka_unit_test(test_a_file_that_others_may_read_is_refused),
        cmocka_unit_test(test_a_file_that_is_not_there_is_told),
        cmocka_unit_test(test_a_pipe_is_read_once_somebody_writes),
        cmocka_unit_test(test_what_cannot_be_a_key_is_refused),
        cmocka_unit_test(test_a_key_has_at_most_8_kib),
        cmocka_unit_test(test_a_command_gives_its_first_line),
        cmocka_unit_test(test_a_command_that_fails_is_named_without_its_output),
        cmocka_unit_test(test_a_command_does_not_see_the_keys_of_others),
        cmocka_unit_test(test_a_credential_lies_in_its_directory),
        cmocka_unit_test(test_keys_are_kept_out_of_swap_core_dumps_and_children),
        cmocka_unit_test(test_a_later_configuration_has_the_variables_of_an_earlier_one),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
