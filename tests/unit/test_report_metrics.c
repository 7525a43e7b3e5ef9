#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/engine/report.h"
#include "tests/unit/engine_world.h"

enum { KIB = 1 << 10 };

static const char two_and_a_route[] =
    "{\"defaults\":{\"recovery\":\"off\",\"retry\":{\"max_attempts\":1},"
    "\"max_memory_per_response\":65536},\"providers\":{"
    "\"p\":{\"type\":\"openai-compatible\",\"base_url\":\"http://127.0.0.1:1/v1\",\"model\":\"m\"},"
    "\"q\":{\"type\":\"openai-compatible\",\"base_url\":\"http://127.0.0.1:2/v1\",\"model\":\"m\"},"
    "\"any\":{\"type\":\"route\",\"providers\":[\"p\",\"q\"]}}}";

enum { P, Q, ANY }; // the directories of two_and_a_route

static void fails(struct world *world, int status, const char *headers) {
    script_connect(&world->script);
    script_reply(&world->script, status, headers);
    script_end(&world->script, TRANSPORT_OK);
    engine_flush(world->engine);
}

static void says(struct world *world, size_t length) {
    static const char head[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
    static const char tail[] = "\"}}]}\n\n";
    struct bytes event;
    bytes_init(&event, 1 << 20);
    assert_true(bytes_append_text(&event, head));
    for (size_t i = 0; i < length; i++)
        assert_true(bytes_append_text(&event, "x"));
    assert_true(bytes_append_text(&event, tail) && bytes_append(&event, "", 1));
    script_body(&world->script, event.data);
    bytes_finish(&event);
}

// series: the name with its labels, as it is printed.
static double value_of(struct world *world, const char *series) {
    struct bytes text;
    bytes_init(&text, 1 << 20);
    assert_true(bytes_append_text(&text, "\n") && report_metrics(world->engine, &text));
    assert_true(bytes_append(&text, "", 1));
    char line[256];
    snprintf(line, sizeof(line), "\n%s ", series);
    const char *found = strstr(text.data, line);
    if (!found) fail_msg("no %s in%s", series, text.data);
    assert_null(strstr(found + 1, line)); // and no second one
    double value = strtod(found + strlen(line), NULL);
    bytes_finish(&text);
    return value;
}

#define assert_value(world, series, expected)                                                      \
    do {                                                                                           \
        double shown = value_of(world, series);                                                    \
        if (shown < (expected)-1e-9 || shown > (expected) + 1e-9)                                  \
            fail_msg("%s is %g, not %g", series, shown, (double)(expected));                       \
    } while (0)

static void test_a_fresh_mount_shows_what_will_be_counted(void **state) {
    struct world *world = world_of(two_and_a_route, 512 * KIB);
    assert_value(world, "askfs_requests_total{provider=\"p\",outcome=\"failed\"}", 0);
    assert_value(world, "askfs_failed_requests_total{provider=\"p\",error_class=\"billing\"}", 0);
    assert_value(world, "askfs_attempts_total{provider=\"p\",error_class=\"ok\"}", 0);
    assert_value(world, "askfs_breaker_transitions_total{provider=\"q\",to=\"open\"}", 0);
    assert_value(world, "askfs_provider_info{provider=\"p\",type=\"openai-compatible\"}", 1);
    assert_value(world, "askfs_provider_info{provider=\"any\",type=\"route\"}", 1);
    assert_value(world, "askfs_provider_state{provider=\"p\",state=\"ok\"}", 1);
    assert_value(world, "askfs_provider_state{provider=\"any\",state=\"ok\"}", 1);
    assert_value(world, "askfs_retry_budget_left_ratio{provider=\"p\"}", 1);
    assert_value(world, "askfs_ttft_seconds_bucket{provider=\"p\",le=\"+Inf\"}", 0);
    assert_value(world, "askfs_answer_memory_bytes", 0);
    assert_value(world, "askfs_answer_memory_limit_bytes", 512 * KIB);
    assert_value(world, "askfs_spill_failing", 0);
    assert_value(world, "askfs_start_time_seconds", 1795529403);
    world_end(world);
}

static void test_what_went_to_the_spill_is_shown_and_what_could_not(void **state) {
    struct world *world = world_of(two_and_a_route, 512 * KIB);
    struct request *request = world_ask(world, P, "hello");
    world_stream_begins(world);
    for (int i = 0; i < 8; i++)
        says(world, 32 * KIB);
    double spilled = value_of(world, "askfs_spilled_bytes");
    double memory = value_of(world, "askfs_answer_memory_bytes");
    assert_true(spilled >= 128 * KIB && spilled <= 256 * KIB);
    assert_true(memory >= 256 * KIB - spilled && memory <= 128 * KIB);
    assert_value(world, "askfs_spill_failures_total", 0);
    world->disk.write_error = EIO;
    for (int i = 0; i < 4; i++)
        says(world, 32 * KIB);
    assert_true(value_of(world, "askfs_spill_failures_total") >= 1);
    assert_value(world, "askfs_spill_failing", 1);
    double failures = value_of(world, "askfs_spill_failures_total");
    world->disk.write_error = 0;
    for (int i = 0; i < 40; i++)
        says(world, 32 * KIB);
    assert_value(world, "askfs_spill_failing", 0);
    assert_value(world, "askfs_spill_failures_total", failures); // a counter
    world_stream_stops(world);
    request_release(request);
    world_end(world);
}

static void test_a_refused_key_raises_its_alert_until_the_key_is_accepted(void **state) {
    struct world *world = world_of(two_and_a_route, 512 * KIB);
    struct request *refused = world_ask(world, P, "hello");
    fails(world, 401, "content-type: application/json\n");
    assert_value(world, "askfs_alert_raised{provider=\"p\",alert=\"key_refused\"}", 1);
    assert_value(world, "askfs_alert_raised{provider=\"q\",alert=\"key_refused\"}", 0);
    assert_value(world, "askfs_attempts_total{provider=\"p\",error_class=\"auth\"}", 1);
    assert_value(world, "askfs_failed_requests_total{provider=\"p\",error_class=\"auth\"}", 1);
    assert_value(world, "askfs_error_ratio_5m{provider=\"p\"}", 1);
    struct request *accepted = world_ask(world, P, "hello");
    world_stream_begins(world);
    assert_value(world, "askfs_active_streams{provider=\"p\"}", 1);
    says(world, 1);
    world_stream_stops(world);
    assert_value(world, "askfs_active_streams{provider=\"p\"}", 0);
    assert_value(world, "askfs_alert_raised{provider=\"p\",alert=\"key_refused\"}", 0);
    assert_value(world, "askfs_error_ratio_5m{provider=\"p\"}", 0.5);
    request_release(refused);
    request_release(accepted);
    world_end(world);
}

static void test_a_pause_for_a_rate_limit_is_shown_as_it_passes(void **state) {
    struct world *world = world_of(two_and_a_route, 512 * KIB);
    struct request *request = world_ask(world, P, "hello");
    fails(world, 429, "retry-after: 7\n");
    struct request *waits = world_ask(world, P, "hello");
    assert_value(world, "askfs_queued_requests{provider=\"p\"}", 1);
    assert_value(world, "askfs_provider_state{provider=\"p\",state=\"rate_limited\"}", 1);
    assert_value(world, "askfs_provider_state{provider=\"p\",state=\"ok\"}", 0);
    double pause_s = value_of(world, "askfs_rate_limit_pause_seconds{provider=\"p\"}");
    assert_true(pause_s >= 7 && pause_s < 60);
    world->clock.now_ns += 2 * TIME_S;
    assert_value(world, "askfs_rate_limit_pause_seconds{provider=\"p\"}", pause_s - 2);
    assert_value(world, "askfs_rate_limit_pause_seconds{provider=\"q\"}", 0);
    request_release(request);
    request_release(waits);
    world_end(world);
}

static void test_what_is_cancelled_is_an_attempt_only_while_one_is_under_way(void **state) {
    struct world *world = world_of(two_and_a_route, 512 * KIB);
    struct request *request = world_ask(world, P, "hello");
    fails(world, 429, "retry-after: 7\n");
    struct request *waits = world_ask(world, P, "hello");
    request_cancel(waits);
    struct request *streams = world_ask(world, Q, "hello");
    world_stream_begins(world);
    request_cancel(streams);
    assert_value(world, "askfs_requests_total{provider=\"p\",outcome=\"cancelled\"}", 1);
    assert_value(world, "askfs_attempts_total{provider=\"p\",error_class=\"cancelled\"}", 0);
    assert_value(world, "askfs_attempts_total{provider=\"p\",error_class=\"rate_limit\"}", 1);
    assert_value(world, "askfs_attempts_total{provider=\"q\",error_class=\"cancelled\"}", 1);
    request_release(request);
    request_release(waits);
    request_release(streams);
    world_end(world);
}

static void test_a_route_counts_its_request_beside_its_provider(void **state) {
    struct world *world = world_of(two_and_a_route, 512 * KIB);
    struct request *request = world_ask(world, ANY, "hello");
    world_stream_begins(world);
    says(world, 1);
    world_stream_stops(world);
    assert_value(world, "askfs_requests_total{provider=\"any\",outcome=\"ok\"}", 1);
    assert_value(world, "askfs_requests_total{provider=\"p\",outcome=\"ok\"}", 1);
    assert_value(world, "askfs_ttft_seconds_count{provider=\"p\"}", 1);
    assert_value(world, "askfs_ttft_seconds_count{provider=\"any\"}", 0); // attempts are at p
    request_release(request);
    world_end(world);
}

static void test_short_memory_is_told_wherever_it_ends(void **state) {
    struct world *world = world_of(two_and_a_route, 512 * KIB);
    struct bytes whole;
    bytes_init(&whole, 1 << 20);
    assert_true(report_metrics(world->engine, &whole));
    for (size_t limit = 0; limit < whole.length; limit += 7) {
        struct bytes text;
        bytes_init(&text, limit);
        assert_false(report_metrics(world->engine, &text));
        bytes_finish(&text);
    }
    bytes_finish(&whole);
    world_end(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_mount_shows_what_will_be_counted),
        cmocka_unit_test(test_what_went_to_the_spill_is_shown_and_what_could_not),
        cmocka_unit_test(test_a_refused_key_raises_its_alert_until_the_key_is_accepted),
        cmocka_unit_test(test_a_pause_for_a_rate_limit_is_shown_as_it_passes),
        cmocka_unit_test(test_what_is_cancelled_is_an_attempt_only_while_one_is_under_way),
        cmocka_unit_test(test_a_route_counts_its_request_beside_its_provider),
        cmocka_unit_test(test_short_memory_is_told_wherever_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
