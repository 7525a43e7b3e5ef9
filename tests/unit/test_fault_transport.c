#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/transport/fault_transport.h"
#include "tests/unit/script_transport.h"

static const struct dialect dialect = { .finish_required = true };
static const char event_stream[] = "content-type: text/event-stream\n";

enum told { TOLD_NOTHING, TOLD_CONNECTED, TOLD_HEADERS, TOLD_BODY, TOLD_DONE };

struct world {
    struct clock clock;
    struct timers timers;
    struct script_transport script;
    struct fault_transport *faults;
    struct transport *transport;
    struct fault_rules rules;
    struct transfer *transfer; /* NULL: none is under way */
    enum told cancels_when;    /* told this, its owner cancels */
    struct bytes said;         /* all that its owner was told */
};

// ---- the owner of a transfer ----

static void hear(struct world *world, enum told told) {
    assert_non_null(world->transfer); // never inside start, never after done or cancel
    if (told == TOLD_DONE) world->transfer = NULL;
    if (world->cancels_when != told) return;
    world->transport->cancel(world->transport, world->transfer);
    world->transfer = NULL;
}

static void on_connected(void *owner) {
    struct world *world = owner;
    bytes_append_text(&world->said, "connected|");
    hear(world, TOLD_CONNECTED);
}

static void on_headers(void *owner, int status, const struct header *headers, size_t count) {
    struct world *world = owner;
    bytes_printf(&world->said, "%d", status);
    for (size_t i = 0; i < count; i++)
        bytes_printf(&world->said, " %.*s=%.*s", (int)headers[i].name.length, headers[i].name.data,
                     (int)headers[i].value.length, headers[i].value.data);
    bytes_append_text(&world->said, "|");
    hear(world, TOLD_HEADERS);
}

static void on_body(void *owner, struct slice bytes) {
    struct world *world = owner;
    bytes_append_slice(&world->said, bytes);
    bytes_append_text(&world->said, "|");
    hear(world, TOLD_BODY);
}

static const char *name_of(enum transport_end end) {
    static const char *const names[] = {
        [TRANSPORT_OK] = "ok",           [TRANSPORT_RESOLVE] = "resolve",
        [TRANSPORT_REFUSED] = "refused", [TRANSPORT_EMPTY_REPLY] = "empty_reply",
        [TRANSPORT_RECEIVE] = "receive", [TRANSPORT_PARTIAL] = "partial",
    };
    return names[end];
}

static void on_done(void *owner, const struct transfer_result *result) {
    struct world *world = owner;
    bytes_printf(&world->said, "done %s %s", name_of(result->end), result->detail);
    hear(world, TOLD_DONE);
}

static const struct transfer_events events = {
    .connected = on_connected, .headers = on_headers, .body = on_body, .done = on_done
};

// ---- the world ----

static struct world *world_of(const char *rules) {
    struct world *world = calloc(1, sizeof(*world));
    char problem[FAULT_PROBLEM_SIZE];
    world->clock.now_ns = 1000 * TIME_S;
    timers_init(&world->timers);
    script_transport_init(&world->script);
    bytes_init(&world->said, 1 << 20);
    struct fault_transport_parts parts = { &world->script.transport, &world->timers, &world->clock,
                                           1 };
    world->faults = fault_transport_create(&parts);
    world->transport = fault_transport_transport(world->faults);
    if (!fault_rules_parse(&world->rules, slice_of(rules), problem)) fail_msg("%s", problem);
    return world;
}

static void world_end(struct world *world) {
    if (world->transfer) world->transport->cancel(world->transport, world->transfer);
    fault_transport_destroy(world->faults);
    assert_int_equal(world->timers.reserved, 0);
    timers_finish(&world->timers);
    script_transport_finish(&world->script);
    bytes_finish(&world->said);
    free(world);
}

static void ask_at(struct world *world, const char *url, const char *model) {
    struct fault_target target = { &world->rules, model, &wire_openai_chat, &dialect };
    struct transfer_request request = { .url = url, .body = slice_of("{}"), .faults = &target };
    world->transfer = world->transport->start(world->transport, &request, &events, world);
    assert_non_null(world->transfer);
}

static void ask(struct world *world) {
    ask_at(world, "http://127.0.0.1:1/v1/chat/completions", "m");
}

static void pass(struct world *world, int64_t duration_ns) {
    world->clock.now_ns += duration_ns;
    timers_run(&world->timers, world->clock.now_ns);
}

static void assert_said(struct world *world, const char *expected) {
    assert_string_equal(world->said.length ? world->said.data : "", expected);
}

static char delta[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
static char stop[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

static void stream_begins(struct world *world) {
    script_connect(&world->script);
    script_reply(&world->script, 200, event_stream);
    bytes_clear(&world->said);
}

// ---- tests ----

static void test_without_rules_a_transfer_is_the_other_transports_own(void **state) {
    struct world *world = world_of("");
    ask(world);
    assert_ptr_equal(world->transfer, script_newest(&world->script));
    script_connect(&world->script);
    world->transport->cancel(world->transport, world->transfer);
    world->transfer = NULL;
    assert_true(script_newest(&world->script)->cancelled);
    assert_said(world, "connected|");
    struct transfer_request request = { .url = "http://127.0.0.1:1/", .body = slice_of("{}") };
    world->transfer = world->transport->start(world->transport, &request, &events, world);
    assert_ptr_equal(world->transfer, script_newest(&world->script));
    world_end(world);
}

static void test_a_rule_that_is_not_drawn_changes_nothing(void **state) {
    struct world *world = world_of("refuse p=0\nreset times=0\nserver skip=5\nrefuse model=other");
    ask(world);
    assert_ptr_equal(world->transfer, script_newest(&world->script));
    world_end(world);
}

static void test_faults_before_an_answer_cost_nothing_and_come_from_the_loop(void **state) {
    static const struct {
        const char *rule;
        const char *said;
    } rows[] = {
        { "refuse", "done refused rehearsed: refuse" },
        { "reset", "connected|done receive rehearsed: reset" },
        { "rate_limit", "connected|429 content-type=application/json|"
                        "{\"error\":{\"message\":\"Rate limit reached (rehearsed)\",\"type\":"
                        "\"rate_limit_error\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}|"
                        "done ok " },
        { "rate_limit retry_after=2",
          "connected|429 content-type=application/json retry-after=2|"
          "{\"error\":{\"message\":\"Rate limit reached (rehearsed)\",\"type\":"
          "\"rate_limit_error\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}|done ok " },
        { "server status=502 retry_after=0.25",
          "connected|502 content-type=application/json retry-after=1 retry-after-ms=250|"
          "{\"error\":{\"message\":\"The server had an error (rehearsed)\",\"type\":"
          "\"server_error\",\"param\":null,\"code\":null}}|done ok " },
        { "overloaded", "connected|503 content-type=application/json|"
                        "{\"error\":{\"message\":\"Overloaded (rehearsed)\",\"type\":"
                        "\"service_unavailable_error\",\"param\":null,\"code\":"
                        "\"server_is_overloaded\"}}|done ok " },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world *world = world_of(rows[i].rule);
        ask(world);
        assert_said(world, "");
        pass(world, 1);
        assert_said(world, rows[i].said);
        assert_int_equal(world->script.count, 0);
        assert_int_equal(world->rules.rules[0].fired, 1);
        world_end(world);
    }
}

static void test_a_timeout_is_silence_and_then_a_close(void **state) {
    struct world *world = world_of("timeout after=30");
    ask(world);
    pass(world, 1);
    assert_said(world, "connected|");
    pass(world, 30 * TIME_S - 1);
    assert_said(world, "connected|");
    pass(world, 2);
    assert_said(world, "connected|done empty_reply rehearsed: timeout");
    world_end(world);
}

static void test_a_timeout_without_an_end_waits_until_it_is_cancelled(void **state) {
    struct world *world = world_of("timeout");
    ask(world);
    pass(world, 1);
    pass(world, 100 * 3600 * TIME_S);
    assert_said(world, "connected|");
    assert_true(timers_next_ns(&world->timers) == TIME_NEVER);
    world_end(world);
}

static void test_a_cancel_before_it_was_told_anything_leaves_nothing(void **state) {
    static const char *const rules[] = { "refuse", "rate_limit", "timeout after=1",
                                         "disconnect after_chunks=0" };
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        struct world *world = world_of(rules[i]);
        ask(world);
        world->transport->cancel(world->transport, world->transfer);
        world->transfer = NULL;
        pass(world, 10 * TIME_S);
        assert_said(world, "");
        world_end(world);
    }
}

static void test_an_owner_may_cancel_whatever_it_is_told(void **state) {
    static const char *const rules[] = { "rate_limit",           "timeout after=1",
                                         "split bytes=3",        "disconnect after_chunks=1",
                                         "error after_chunks=1", "slow ms_per_chunk=100" };
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        for (enum told told = TOLD_CONNECTED; told <= TOLD_BODY; told++) {
            struct world *world = world_of(rules[i]);
            world->cancels_when = told;
            ask(world);
            pass(world, 1);
            bool is_real = world->script.count > 0;
            if (is_real && world->transfer) script_connect(&world->script);
            if (is_real && world->transfer) script_reply(&world->script, 200, event_stream);
            if (is_real && world->transfer) script_body(&world->script, delta);
            if (is_real) assert_true(script_newest(&world->script)->cancelled);
            size_t said = world->said.length;
            pass(world, 10 * TIME_S);
            if (!world->transfer) assert_true(world->said.length == said || !is_real);
            world_end(world);
        }
    }
}

static void test_a_disconnect_ends_it_upstream_too(void **state) {
    struct world *world = world_of("disconnect after_chunks=2");
    ask(world);
    stream_begins(world);
    script_body(&world->script, delta);
    assert_false(script_newest(&world->script)->cancelled);
    script_body(&world->script, delta);
    assert_true(script_newest(&world->script)->cancelled);
    assert_null(world->transfer);
    assert_non_null(strstr(world->said.data, "|done receive rehearsed: disconnect"));
    world_end(world);
}

static void test_an_answer_that_ends_before_its_fault_ends_as_it_does(void **state) {
    struct world *world = world_of("disconnect after_chunks=9");
    ask(world);
    stream_begins(world);
    script_body(&world->script, delta);
    script_body(&world->script, stop);
    script_end(&world->script, TRANSPORT_PARTIAL);
    assert_null(world->transfer);
    assert_non_null(strstr(world->said.data, "|done partial "));
    world_end(world);
}

static void test_a_connection_that_really_fails_is_told_as_it_is(void **state) {
    struct world *world = world_of("slow ms_per_chunk=10");
    ask(world);
    script_end(&world->script, TRANSPORT_RESOLVE);
    assert_said(world, "done resolve ");
    world_end(world);
}

static void test_a_stall_holds_back_what_comes_meanwhile(void **state) {
    struct world *world = world_of("stall after_chunks=1 for=2");
    ask(world);
    stream_begins(world);
    script_body(&world->script, delta);
    size_t said = world->said.length;
    script_body(&world->script, ": ping\n\n");
    script_body(&world->script, stop);
    script_end(&world->script, TRANSPORT_OK);
    pass(world, 2 * TIME_S - 1);
    assert_int_equal(world->said.length, said);
    pass(world, 1);
    assert_null(world->transfer);
    assert_non_null(strstr(world->said.data, ": ping"));
    assert_non_null(strstr(world->said.data, "stop"));
    assert_non_null(strstr(world->said.data, "|done ok "));
    world_end(world);
}

static void test_a_stall_for_ever_lets_go_of_the_provider(void **state) {
    struct world *world = world_of("stall after_chunks=1");
    ask(world);
    stream_begins(world);
    script_body(&world->script, delta);
    assert_true(script_newest(&world->script)->cancelled);
    pass(world, 3600 * TIME_S);
    assert_non_null(world->transfer);
    world_end(world);
}

static void test_slow_gives_a_chunk_at_a_time(void **state) {
    struct world *world = world_of("slow ms_per_chunk=100");
    char both[2 * sizeof(delta)];
    ask(world);
    stream_begins(world);
    snprintf(both, sizeof(both), "%s%s", delta, delta);
    script_body(&world->script, both);
    assert_int_equal(world->said.length, strlen(delta) + 1);
    pass(world, 100 * TIME_MS - 1);
    assert_int_equal(world->said.length, strlen(delta) + 1);
    pass(world, 1);
    assert_int_equal(world->said.length, 2 * (strlen(delta) + 1));
    world_end(world);
}

static void test_split_tells_bytes_in_small_pieces(void **state) {
    struct world *world = world_of("split bytes=3");
    ask(world);
    stream_begins(world);
    script_body(&world->script, ": 45678\n\n");
    assert_said(world, ": 4|567|8\n\n|");
    world_end(world);
}

static void test_what_asks_no_model_fails_only_by_its_path(void **state) {
    struct world *world = world_of("refuse");
    ask_at(world, "http://127.0.0.1:1/v1/models", NULL);
    assert_int_equal(world->script.count, 1);
    world_end(world);
    world = world_of("refuse path=/models");
    ask_at(world, "http://127.0.0.1:1/v1/models", NULL);
    assert_int_equal(world->script.count, 0);
    world_end(world);
    world = world_of("refuse path=127");
    ask_at(world, "http://127.0.0.1:1/v1/chat", "m");
    assert_int_equal(world->script.count, 1); // the host is no part of the path
    world_end(world);
}

static struct transfer *start_nothing(struct transport *transport,
                                      const struct transfer_request *request,
                                      const struct transfer_events *told, void *owner) {
    return NULL;
}

static void test_without_memory_below_nothing_starts(void **state) {
    struct world *world = world_of("disconnect after_chunks=1");
    struct fault_target target = { &world->rules, "m", &wire_openai_chat, &dialect };
    struct transfer_request request = { .url = "http://127.0.0.1:1/", .faults = &target };
    world->script.transport.start = start_nothing;
    assert_null(world->transport->start(world->transport, &request, &events, world));
    world_end(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_rules_a_transfer_is_the_other_transports_own),
        cmocka_unit_test(test_a_rule_that_is_not_drawn_changes_nothing),
        cmocka_unit_test(test_faults_before_an_answer_cost_nothing_and_come_from_the_loop),
        cmocka_unit_test(test_a_timeout_is_silence_and_then_a_close),
        cmocka_unit_test(test_a_timeout_without_an_end_waits_until_it_is_cancelled),
        cmocka_unit_test(test_a_cancel_before_it_was_told_anything_leaves_nothing),
        cmocka_unit_test(test_an_owner_may_cancel_whatever_it_is_told),
        cmocka_unit_test(test_a_disconnect_ends_it_upstream_too),
        cmocka_unit_test(test_an_answer_that_ends_before_its_fault_ends_as_it_does),
        cmocka_unit_test(test_a_connection_that_really_fails_is_told_as_it_is),
        cmocka_unit_test(test_a_stall_holds_back_what_comes_meanwhile),
        cmocka_unit_test(test_a_stall_for_ever_lets_go_of_the_provider),
        cmocka_unit_test(test_slow_gives_a_chunk_at_a_time),
        cmocka_unit_test(test_split_tells_bytes_in_small_pieces),
        cmocka_unit_test(test_what_asks_no_model_fails_only_by_its_path),
        cmocka_unit_test(test_without_memory_below_nothing_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
