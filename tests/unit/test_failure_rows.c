/* Every row of tests/data/provider-errors.json that is no stream gets the verdict that it names;
 * the streams are in test_stream_rows.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/rows.h"

static void judge_ended(const json_t *row, struct failure *failure_out) {
    static const struct {
        const char *id;
        enum transport_end end;
        bool got_bytes;
    } rows[] = {
        { "net-dns", TRANSPORT_RESOLVE, false },
        { "net-proxy-dns", TRANSPORT_RESOLVE_PROXY, false },
        { "net-refused", TRANSPORT_REFUSED, false },
        { "net-connect-timeout", TRANSPORT_CONNECT_TIMEOUT, false },
        { "net-empty-reply", TRANSPORT_EMPTY_REPLY, false },
        { "net-recv-reset", TRANSPORT_RECEIVE, false },
        { "net-partial", TRANSPORT_PARTIAL, true },
        { "net-h2-stream", TRANSPORT_HTTP2_STREAM, false },
        { "net-h2", TRANSPORT_HTTP2, false },
        { "net-tls-handshake", TRANSPORT_TLS_HANDSHAKE, false },
        { "net-tls-verify", TRANSPORT_CERTIFICATE, false },
        { "net-ca-file", TRANSPORT_CA_FILE, false },
        { "net-bad-url", TRANSPORT_BAD_URL, false },
        { "net-decompress", TRANSPORT_BAD_ENCODING, true },
        { "net-oom", TRANSPORT_NO_MEMORY, false },
        { "net-callback", TRANSPORT_ABORTED, false },
    };
    const char *id = row_text(row, "id");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].id, id) == 0)
            failure_from_transport(rows[i].end, rows[i].got_bytes, "", failure_out);
    if (strcmp(id, "net-header-timeout") == 0)
        failure_from_timer(TIMER_HEADERS, TIME_S, failure_out);
    if (strcmp(id, "net-stall") == 0) failure_from_timer(TIMER_READ, TIME_S, failure_out);
    if (strcmp(id, "net-ok-no-terminal") == 0)
        failure_from_stream(STREAM_TRUNCATED, (struct slice){ 0 }, failure_out);
    if (strcmp(id, "net-too-big") == 0)
        failure_from_stream(STREAM_TOO_LONG, (struct slice){ 0 }, failure_out);
    if (strcmp(id, "ant-client-nonstreaming-guard") == 0) // never ours: we always stream
        failure_from_us(FAILURE_VALIDATION, "", failure_out);
}

static const char *class_of(const json_t *row) {
    const char *category = row_text(row, "category");
    return strcmp(category, "client") == 0 ? "internal" : category;
}

static int check_row(const json_t *row) {
    struct failure failure = { .class = FAILURE_CLASS_COUNT - 1 };
    if (row_is_transport(row))
        judge_ended(row, &failure);
    else
        row_judge_reply(row, &failure);
    const char *class = failure_class_name(failure.class);
    if (strcmp(class, class_of(row)) == 0 && row_is_verdict(row, &failure)) return 0;
    row_print_wrong(row, &failure);
    return 1;
}

static void test_each_row_gets_its_verdict(void **state) {
    json_t *rows = rows_load();
    assert_non_null(rows);
    size_t i;
    json_t *row;
    int checked = 0;
    int wrong = 0;
    json_array_foreach(rows, i, row) {
        if (!row_is_reply(row) && !row_is_transport(row)) continue;
        checked++;
        wrong += check_row(row);
    }
    json_decref(rows);
    assert_int_equal(checked, 199 + 21);
    assert_int_equal(wrong, 0);
}

static void test_no_row_is_forgotten(void **state) {
    json_t *rows = rows_load();
    assert_non_null(rows);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i,
                       row) if (!row_is_reply(row) && !row_is_transport(row) && !row_is_stream(row))
        fail_msg("%s is judged by no test", row_text(row, "id"));
    assert_int_equal(json_array_size(rows), ROWS);
    json_decref(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_gets_its_verdict),
        cmocka_unit_test(test_no_row_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
