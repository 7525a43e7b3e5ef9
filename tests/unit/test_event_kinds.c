#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/time.h"
#include "core/events/event_kinds.h"
#include "core/events/events.h"

enum { ZERO = 0 };
static const struct event_subject whom = { "20261124-141003-17", "openai", "gpt-5.2" };

#define AT "{\"at\":\"1970-01-01T00:00:00.000Z\","
#define WHOM "\"request\":\"20261124-141003-17\",\"provider\":\"openai\",\"model\":\"gpt-5.2\""

static void write_mount(struct events *events) {
    event_mounted(events, ZERO, "/home/u/ask", "askfs 0.1.0");
}
static void write_config(struct events *events) {
    event_config_loaded(events, ZERO, NULL, 4);
}
static void write_config_refused(struct events *events) {
    event_config_refused(events, ZERO, "/c.json", "unknown key");
}
static void write_start(struct events *events) {
    event_attempt_started(events, ZERO, &whom, 2);
}
static void write_end(struct events *events) {
    struct event_attempt_end end = { .attempt = 2,
                                     .class = "server",
                                     .http_status = 503,
                                     .bytes = 0,
                                     .ttft_ns = -1,
                                     .total_ns = 20 * TIME_MS,
                                     .provider_request_id = "req-1",
                                     .message = "busy\x1b[0m" };
    event_attempt_ended(events, ZERO, &whom, &end);
}
static void write_end_without_reply(struct events *events) {
    struct event_attempt_end end = { .attempt = 1, .class = "network", .ttft_ns = -1 };
    event_attempt_ended(events, ZERO, &whom, &end);
}
static void write_retry(struct events *events) {
    event_retry(events, ZERO, &whom, 1, "rate_limit", "told", 2 * TIME_S);
}
static void write_reconnect(struct events *events) {
    event_reconnect(events, ZERO, &whom, "prefill", 1234);
}
static void write_seam(struct events *events) {
    event_seam_refused(events, ZERO, &whom, "continue", 99, "no overlap");
}
static void write_move(struct events *events) {
    event_route_moved(events, ZERO, &whom, "anthropic", "overloaded");
}
static void write_request_end(struct events *events) {
    struct event_request_end end = { .state = "done",
                                     .class = "ok",
                                     .finish_reason = "stop",
                                     .attempts = 1,
                                     .bytes = 5,
                                     .input_tokens = 3,
                                     .output_tokens = -1,
                                     .ttft_ns = TIME_MS,
                                     .total_ns = 2 * TIME_MS };
    event_request_ended(events, ZERO, &whom, &end);
}
static void write_breaker(struct events *events) {
    event_breaker(events, ZERO, &whom, "closed", "open", "server", 60 * TIME_S);
}
static void write_forced_breaker(struct events *events) {
    event_breaker(events, ZERO, &whom, "closed", "open", "command", TIME_NEVER);
}
static void write_pause(struct events *events) {
    event_rate_limit_pause(events, ZERO, &whom, 2 * TIME_S, "reply");
}
static void write_denied(struct events *events) {
    event_budget_denied(events, ZERO, &whom, "retry", 0.5);
}
static void write_faults(struct events *events) {
    event_faults_set(events, ZERO, "sim", 2);
}
static void write_faults_refused(struct events *events) {
    event_faults_refused(events, ZERO, "sim", "unknown fault \"servr\"; did you mean \"server\"?");
}
static void write_setting_refused(struct events *events) {
    event_setting_refused(events, ZERO, "sim", "options.json", "options must be one JSON object");
}
static void write_alert(struct events *events) {
    struct alert_change change = { ALERT_ERROR_RATE, false, 0.125, 0.25 };
    event_alert(events, ZERO, "openai", &change);
}

static void test_each_event_has_the_keys_of_its_header_in_their_order(void **state) {
    static const struct {
        void (*write)(struct events *events);
        const char *line;
    } rows[] = {
        { write_mount, AT "\"event\":\"mounted\",\"mountpoint\":\"/home/u/ask\","
                          "\"version\":\"askfs 0.1.0\"}\n" },
        { write_config, AT "\"event\":\"config_loaded\",\"file\":null,\"providers\":4}\n" },
        { write_config_refused,
          AT "\"event\":\"config_refused\",\"file\":\"/c.json\",\"problem\":\"unknown key\"}\n" },
        { write_start, AT "\"event\":\"attempt_started\"," WHOM ",\"attempt\":2}\n" },
        { write_end, AT "\"event\":\"attempt_ended\"," WHOM ",\"attempt\":2,\"class\":\"server\","
                        "\"http_status\":503,\"bytes\":0,\"ttft_ms\":null,\"total_ms\":20.0,"
                        "\"provider_request_id\":\"req-1\",\"message\":\"busy\\u001b[0m\"}\n" },
        { write_end_without_reply,
          AT "\"event\":\"attempt_ended\"," WHOM ",\"attempt\":1,\"class\":\"network\","
             "\"http_status\":null,\"bytes\":0,\"ttft_ms\":null,\"total_ms\":0.0,"
             "\"provider_request_id\":null,\"message\":null}\n" },
        { write_retry, AT "\"event\":\"retry\"," WHOM ",\"attempt\":1,\"class\":\"rate_limit\","
                          "\"reason\":\"told\",\"delay_ms\":2000.0}\n" },
        { write_reconnect,
          AT "\"event\":\"reconnect\"," WHOM ",\"method\":\"prefill\",\"bytes\":1234}\n" },
        { write_seam, AT "\"event\":\"seam_refused\"," WHOM ",\"method\":\"continue\",\"bytes\":99,"
                         "\"problem\":\"no overlap\"}\n" },
        { write_move, AT "\"event\":\"route_moved\"," WHOM ",\"to\":\"anthropic\","
                         "\"class\":\"overloaded\"}\n" },
        { write_request_end,
          AT "\"event\":\"request_ended\"," WHOM ",\"state\":\"done\",\"class\":\"ok\","
             "\"finish_reason\":\"stop\",\"attempts\":1,\"reconnects\":0,\"bytes\":5,"
             "\"tokens_in\":3,\"tokens_out\":null,\"ttft_ms\":1.0,\"total_ms\":2.0}\n" },
        { write_breaker, AT "\"event\":\"breaker\",\"provider\":\"openai\",\"model\":\"gpt-5.2\","
                            "\"from\":\"closed\",\"to\":\"open\",\"cause\":\"server\","
                            "\"retry_in_ms\":60000.0}\n" },
        { write_forced_breaker,
          AT "\"event\":\"breaker\",\"provider\":\"openai\",\"model\":\"gpt-5.2\","
             "\"from\":\"closed\",\"to\":\"open\",\"cause\":\"command\",\"retry_in_ms\":null}\n" },
        { write_pause, AT "\"event\":\"rate_limit_pause\"," WHOM ",\"pause_ms\":2000.0,"
                          "\"until\":\"1970-01-01T00:00:02.000Z\",\"cause\":\"reply\"}\n" },
        { write_denied,
          AT "\"event\":\"budget_denied\"," WHOM ",\"budget\":\"retry\",\"left\":0.5}\n" },
        { write_faults, AT "\"event\":\"faults_set\",\"provider\":\"sim\",\"rules\":2}\n" },
        { write_faults_refused,
          AT "\"event\":\"faults_refused\",\"provider\":\"sim\",\"problem\":\"unknown fault "
             "\\\"servr\\\"; did you mean \\\"server\\\"?\"}\n" },
        { write_setting_refused,
          AT "\"event\":\"setting_refused\",\"provider\":\"sim\",\"file\":\"options.json\","
             "\"problem\":\"options must be one JSON object\"}\n" },
        { write_alert, AT "\"alert\":\"error_rate\",\"provider\":\"openai\",\"state\":\"ended\","
                          "\"value\":0.125,\"threshold\":0.25,"
                          "\"what_to_do\":\"nothing: few requests fail now\"}\n" },
    };
    struct events *events = events_create(100, 1 << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t before = events_end(events);
        rows[i].write(events);
        struct slice line = events_read(events, before, SIZE_MAX);
        if (!slice_equals(line, rows[i].line))
            fail_msg("%.*s\nis not\n%s", (int)line.length, line.data, rows[i].line);
    }
    events_destroy(events);
}

static void test_without_a_journal_every_event_goes_nowhere(void **state) {
    write_end(NULL);
    write_alert(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_event_has_the_keys_of_its_header_in_their_order),
        cmocka_unit_test(test_without_a_journal_every_event_goes_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
