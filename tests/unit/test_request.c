#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/engine_world.h"

static const char plain[] = "{\"defaults\":{\"retry\":{\"max_attempts\":3,\"initial_delay\":0.5},"
                            "\"timeouts\":{\"connection\":5,\"first_token\":10,\"read\":20}},"
                            "\"providers\":{\"p\":{\"type\":\"openai-compatible\","
                            "\"base_url\":\"http://127.0.0.1:1/v1\",\"model\":\"m\"}}}";

static const char no_recovery[] =
    "{\"defaults\":{\"recovery\":\"off\",\"timeouts\":{\"first_token\":10,\"read\":20}},"
    "\"providers\":{\"p\":{\"type\":\"openai-compatible\","
    "\"base_url\":\"http://127.0.0.1:1/v1\",\"model\":\"m\"}}}";

static void pass(struct world *world, int64_t duration_ns) {
    world->clock.now_ns += duration_ns;
    timers_run(&world->timers, world->clock.now_ns);
    engine_flush(world->engine);
}

static void says(struct world *world, const char *text) {
    char event[512];
    snprintf(event, sizeof(event),
             "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n", text);
    script_body(&world->script, event);
}

static void assert_text(struct request *request, const char *text) {
    const struct store *store = request_response(request);
    assert_int_equal(store_length(store), strlen(text));
    assert_memory_equal(store_read(store, 0, strlen(text)).data, text, strlen(text));
}

static void test_a_prompt_becomes_one_post_and_its_stream_the_response(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *request = world_ask(world, 0, "hello");
    assert_int_equal(world->script.count, 1);
    assert_string_equal(script_newest(&world->script)->url,
                        "http://127.0.0.1:1/v1/chat/completions");
    assert_non_null(strstr(script_newest(&world->script)->body.data, "hello"));
    assert_int_equal(request_state(request), REQUEST_CONNECTING);
    world_stream_begins(world);
    assert_int_equal(request_state(request), REQUEST_WAITING);
    says(world, "Hel");
    assert_int_equal(request_state(request), REQUEST_STREAMING);
    says(world, "lo");
    world_stream_stops(world);
    assert_int_equal(request_state(request), REQUEST_DONE);
    assert_text(request, "Hello");
    script_end(&world->script, TRANSPORT_OK);
    request_release(request);
    world_end(world);
}

static void test_a_server_error_is_tried_again_until_attempts_are_spent(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *request = world_ask(world, 0, "hello");
    for (int attempt = 1; attempt <= 3; attempt++) {
        assert_int_equal(world->script.count, attempt);
        script_reply(&world->script, 503, "content-type: application/json\n");
        script_body(&world->script, "{\"error\":{\"message\":\"busy\"}}");
        script_end(&world->script, TRANSPORT_OK);
        pass(world, 40 * TIME_S);
    }
    assert_int_equal(world->script.count, 3);
    assert_int_equal(request_state(request), REQUEST_FAILED);
    assert_int_equal(request_failure(request)->class, FAILURE_OVERLOADED);
    request_release(request);
    world_end(world);
}

static void test_a_refused_key_is_not_tried_again(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *request = world_ask(world, 0, "hello");
    script_reply(&world->script, 401, "content-type: application/json\n");
    script_end(&world->script, TRANSPORT_OK);
    pass(world, 40 * TIME_S);
    assert_int_equal(world->script.count, 1);
    assert_int_equal(request_failure(request)->class, FAILURE_AUTH);
    request_release(request);
    world_end(world);
}

static void test_a_told_delay_is_waited_out(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *request = world_ask(world, 0, "hello");
    script_reply(&world->script, 429, "retry-after: 7\n");
    script_end(&world->script, TRANSPORT_OK);
    assert_int_equal(request_state(request), REQUEST_RETRYING);
    pass(world, 7 * TIME_S - 1);
    assert_int_equal(world->script.count, 1);
    pass(world, 10 * TIME_S);
    assert_int_equal(world->script.count, 2);
    request_release(request);
    world_end(world);
}

static void test_a_429_holds_every_other_request_of_the_provider(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *first = world_ask(world, 0, "one");
    script_reply(&world->script, 429, "retry-after: 7\n");
    script_end(&world->script, TRANSPORT_OK);
    struct request *second = world_ask(world, 0, "two");
    assert_int_equal(request_state(second), REQUEST_QUEUED);
    assert_int_equal(world->script.count, 1);
    pass(world, 7 * TIME_S);
    assert_true(world->script.count >= 2);
    request_release(first);
    request_release(second);
    world_end(world);
}

static void test_a_cut_that_nobody_saw_is_restarted(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *request = world_ask(world, 0, "hello");
    world_stream_begins(world);
    says(world, "half");
    script_end(&world->script, TRANSPORT_PARTIAL);
    assert_int_equal(request_state(request), REQUEST_RETRYING);
    pass(world, 40 * TIME_S);
    assert_int_equal(world->script.count, 2);
    world_stream_begins(world);
    says(world, "whole");
    world_stream_stops(world);
    assert_text(request, "whole");
    assert_int_equal(request_state(request), REQUEST_DONE);
    request_release(request);
    world_end(world);
}

static void test_a_stream_without_its_terminal_event_is_not_complete(void **state) {
    struct world *world = world_of(no_recovery, 0);
    struct request *request = world_ask(world, 0, "hello");
    world_stream_begins(world);
    says(world, "half");
    request_read(request, REQUEST_RESPONSE, 0, 100);
    script_end(&world->script, TRANSPORT_OK);
    pass(world, 100 * TIME_S);
    assert_int_equal(request_state(request), REQUEST_FAILED);
    assert_int_equal(request_failure(request)->class, FAILURE_STREAM_TRUNCATED);
    assert_text(request, "half");
    request_release(request);
    world_end(world);
}

static void test_keep_alives_do_not_hold_off_the_read_limit(void **state) {
    struct world *world = world_of(no_recovery, 0);
    struct request *request = world_ask(world, 0, "hello");
    world_stream_begins(world);
    says(world, "half");
    request_read(request, REQUEST_RESPONSE, 0, 100);
    for (int i = 0; i < 19; i++) {
        pass(world, TIME_S);
        script_body(&world->script, ": ping\n\n");
    }
    assert_int_equal(request_state(request), REQUEST_STREAMING);
    pass(world, 2 * TIME_S);
    assert_int_equal(request_state(request), REQUEST_FAILED);
    assert_int_equal(request_failure(request)->class, FAILURE_STREAM_STALLED);
    assert_true(script_newest(&world->script)->cancelled);
    request_release(request);
    world_end(world);
}

static void test_a_connection_that_does_not_come_is_a_timeout(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *request = world_ask(world, 0, "hello");
    pass(world, 5 * TIME_S);
    assert_true(world->script.transfers[0].cancelled);
    assert_int_equal(request_state(request), REQUEST_RETRYING);
    request_release(request);
    world_end(world);
}

static void test_a_cancel_ends_the_transfer_and_nothing_is_sent_after(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *request = world_ask(world, 0, "hello");
    world_stream_begins(world);
    says(world, "half");
    request_cancel(request);
    assert_true(script_newest(&world->script)->cancelled);
    assert_int_equal(request_state(request), REQUEST_CANCELLED);
    pass(world, 1000 * TIME_S);
    assert_int_equal(world->script.count, 1);
    assert_text(request, "half");
    request_release(request);
    world_end(world);
}

static void test_the_breaker_opens_after_its_threshold_and_nothing_is_sent(void **state) {
    struct world *world = world_of(plain, 0);
    for (int i = 0; i < 5; i++) {
        struct request *request = world_ask(world, 0, "hello");
        while (!request_has_ended(request)) {
            script_reply(&world->script, 500, "content-type: application/json\n");
            script_end(&world->script, TRANSPORT_OK);
            if (!request_has_ended(request)) pass(world, 4 * TIME_S);
        }
        request_release(request);
    }
    int sent = world->script.count;
    assert_int_equal(provider_admits(engine_provider(world->engine, 0)), FAILURE_BREAKER_OPEN);
    struct request *request = world_ask(world, 0, "hello");
    assert_int_equal(request_state(request), REQUEST_FAILED);
    assert_int_equal(request_failure(request)->class, FAILURE_BREAKER_OPEN);
    assert_int_equal(world->script.count, sent);
    request_release(request);
    world_end(world);
}

static void count_change(void *owner) {
    (*(int *)owner)++;
}

static void test_a_watcher_hears_once_a_turn(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *request = world_ask(world, 0, "hello");
    int changes = 0;
    struct watcher watcher = { .changed = count_change, .owner = &changes };
    request_watch(request, &watcher);
    world_stream_begins(world);
    says(world, "a");
    says(world, "b");
    engine_flush(world->engine);
    assert_int_equal(changes, 1);
    request_unwatch(request, &watcher);
    request_release(request);
    world_end(world);
}

static void test_finished_requests_past_the_kept_ones_go(void **state) {
    struct world *world =
        world_of("{\"providers\":{\"p\":{\"type\":\"openai-compatible\",\"requests_kept\":2,"
                 "\"base_url\":\"http://127.0.0.1:1/v1\",\"model\":\"m\"}}}",
                 0);
    char first[64] = "";
    for (int i = 0; i < 4; i++) {
        struct request *request = world_ask(world, 0, "hello");
        if (i == 0) snprintf(first, sizeof(first), "%s", request_id(request));
        world_stream_begins(world);
        world_stream_stops(world);
        script_end(&world->script, TRANSPORT_OK);
        request_release(request);
    }
    assert_int_equal(provider_request_count(engine_provider(world->engine, 0)), 2);
    assert_null(provider_find_request(engine_provider(world->engine, 0), first));
    world_end(world);
}

static void test_the_models_are_asked_for_once(void **state) {
    struct world *world = world_of(plain, 0);
    struct request *listing = provider_list_models(engine_provider(world->engine, 0));
    assert_int_equal(world->script.count, 1);
    assert_false(script_newest(&world->script)->is_post);
    script_reply(&world->script, 200, "content-type: application/json\n");
    script_body(&world->script, "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}");
    script_end(&world->script, TRANSPORT_OK);
    assert_text(listing, "a\nb\n");
    struct request *again = provider_list_models(engine_provider(world->engine, 0));
    assert_ptr_equal(again, listing);
    assert_int_equal(world->script.count, 1);
    request_release(listing);
    request_release(again);
    world_end(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_prompt_becomes_one_post_and_its_stream_the_response),
        cmocka_unit_test(test_a_server_error_is_tried_again_until_attempts_are_spent),
        cmocka_unit_test(test_a_refused_key_is_not_tried_again),
        cmocka_unit_test(test_a_told_delay_is_waited_out),
        cmocka_unit_test(test_a_429_holds_every_other_request_of_the_provider),
        cmocka_unit_test(test_a_cut_that_nobody_saw_is_restarted),
        cmocka_unit_test(test_a_stream_without_its_terminal_event_is_not_complete),
        cmocka_unit_test(test_keep_alives_do_not_hold_off_the_read_limit),
        cmocka_unit_test(test_a_connection_that_does_not_come_is_a_timeout),
        cmocka_unit_test(test_a_cancel_ends_the_transfer_and_nothing_is_sent_after),
        cmocka_unit_test(test_the_breaker_opens_after_its_threshold_and_nothing_is_sent),
        cmocka_unit_test(test_a_watcher_hears_once_a_turn),
        cmocka_unit_test(test_finished_requests_past_the_kept_ones_go),
        cmocka_unit_test(test_the_models_are_asked_for_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
