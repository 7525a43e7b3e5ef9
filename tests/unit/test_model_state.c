#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/engine/model_state.h"

static const struct breaker_policy policy = { .failure_threshold = 1,
                                              .window_ns = 60 * TIME_S,
                                              .recovery_timeout_ns = 60 * TIME_S,
                                              .success_threshold = 2 };

static int begin(void **state) {
    static struct model_states states;
    model_states_init(&states, &policy);
    *state = &states;
    return 0;
}

static int end(void **state) {
    model_states_finish(*state);
    return 0;
}

/* As many models as are kept: m0 was used first, at 0 s, m63 last. */
static void fill(struct model_states *states) {
    for (int i = 0; i < MODEL_STATES_KEPT; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        assert_non_null(model_states_get(states, name, i * TIME_S));
    }
}

static void open_breaker(struct model_state *model) {
    struct random random = { 0 };
    struct breaker_permit permit;
    assert_true(breaker_allows(&model->breaker, 0, &permit));
    breaker_note(&model->breaker, permit, BREAKER_FAILURE, 0, &random);
    assert_int_equal(model->breaker.state, BREAKER_OPEN);
}

static void test_a_model_is_made_when_it_is_asked_for_first(void **state) {
    struct model_states *states = *state;
    assert_null(model_states_find(states, "m"));
    struct model_state *made = model_states_get(states, "m", 5);
    assert_string_equal(made->model, "m");
    assert_int_equal(made->breaker.state, BREAKER_CLOSED);
    assert_false(made->refuses_prefill);
    assert_false(made->refuses_background);
    assert_null(made->breaker_cause);
    assert_int_equal(made->references, 0);
    assert_ptr_equal(model_states_find(states, "m"), made);
}

static void test_what_was_learnt_is_found_again_and_is_of_this_model_alone(void **state) {
    struct model_states *states = *state;
    model_states_get(states, "m", 0)->refuses_prefill = true;
    open_breaker(model_states_get(states, "m", 0));
    assert_true(model_states_get(states, "m", 9)->refuses_prefill);
    assert_int_equal(model_states_get(states, "m", 9)->breaker.state, BREAKER_OPEN);
    const char *others[] = { "", "M", "m ", "m2" };
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        assert_false(model_states_get(states, others[i], 0)->refuses_prefill);
        assert_int_equal(model_states_get(states, others[i], 0)->breaker.state, BREAKER_CLOSED);
    }
    assert_int_equal(states->count, 5);
}

static void test_the_name_is_a_copy(void **state) {
    char name[] = "before";
    struct model_state *made = model_states_get(*state, name, 0);
    name[0] = 'x';
    assert_string_equal(made->model, "before");
}

static void test_the_model_that_was_idle_longest_makes_room(void **state) {
    struct model_states *states = *state;
    fill(states);
    assert_int_equal(states->count, MODEL_STATES_KEPT);
    model_states_get(states, "m0", 1000 * TIME_S); // now m1 is the oldest
    model_states_get(states, "new", 1001 * TIME_S);
    assert_int_equal(states->count, MODEL_STATES_KEPT);
    assert_null(model_states_find(states, "m1"));
    assert_non_null(model_states_find(states, "m0"));
    assert_non_null(model_states_find(states, "m2"));
    assert_non_null(model_states_find(states, "new"));
}

static void test_to_look_is_no_use(void **state) {
    struct model_states *states = *state;
    fill(states);
    model_states_find(states, "m0");
    model_states_get(states, "new", 1000 * TIME_S);
    assert_null(model_states_find(states, "m0"));
}

static void test_a_model_in_use_or_with_an_open_breaker_is_kept(void **state) {
    struct model_states *states = *state;
    fill(states);
    struct model_state *used = model_states_get(states, "m0", 0);
    used->references++;
    struct model_state *broken = model_states_get(states, "m1", TIME_S);
    open_breaker(broken);
    for (int i = 0; i < 2 * MODEL_STATES_KEPT; i++) {
        char name[16];
        snprintf(name, sizeof(name), "new%d", i);
        model_states_get(states, name, (1000 + i) * TIME_S);
    }
    assert_int_equal(states->count, MODEL_STATES_KEPT);
    assert_ptr_equal(model_states_find(states, "m0"), used);
    assert_ptr_equal(model_states_find(states, "m1"), broken);
    used->references--;
}

static void test_when_none_may_go_there_is_room_all_the_same(void **state) {
    struct model_states *states = *state;
    fill(states);
    for (size_t i = 0; i < states->count; i++)
        states->states[i]->references = 1;
    struct model_state *made = model_states_get(states, "new", 0);
    assert_non_null(made);
    assert_int_equal(states->count, MODEL_STATES_KEPT + 1);
    assert_ptr_equal(model_states_find(states, "new"), made);
}

static void test_a_state_stays_where_it_is_while_others_are_made(void **state) {
    struct model_states *states = *state;
    struct model_state *first = model_states_get(states, "first", 0);
    first->references++;
    fill(states);
    assert_ptr_equal(model_states_find(states, "first"), first);
    first->references--;
}

static void test_a_command_is_for_all_models_and_those_to_come(void **state) {
    static const struct {
        enum breaker_command command;
        enum breaker_state then;
    } rows[] = { { BREAKER_FORCE_OPEN, BREAKER_OPEN }, { BREAKER_FORCE_CLOSE, BREAKER_CLOSED } };
    struct model_states *states = *state;
    model_states_get(states, "before", 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char later[16];
        snprintf(later, sizeof(later), "later%zu", i);
        model_states_command(states, rows[i].command, TIME_S);
        assert_true(states->commanded);
        struct model_state *made = model_states_get(states, later, TIME_S);
        assert_int_equal(made->breaker.state, rows[i].then);
        assert_true(made->breaker.forced);
        assert_int_equal(model_states_find(states, "before")->breaker.state, rows[i].then);
        assert_true(model_states_find(states, "before")->breaker.forced);
    }
}

static void test_after_auto_or_reset_new_models_are_free_again(void **state) {
    static const enum breaker_command commands[] = { BREAKER_AUTO, BREAKER_RESET };
    struct model_states *states = *state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        char later[16];
        snprintf(later, sizeof(later), "later%zu", i);
        model_states_command(states, BREAKER_FORCE_OPEN, 0);
        model_states_command(states, commands[i], 0);
        assert_false(states->commanded);
        struct model_state *made = model_states_get(states, later, 0);
        assert_int_equal(made->breaker.state, BREAKER_CLOSED);
        assert_false(made->breaker.forced);
        assert_null(made->breaker_cause);
    }
}

static void test_an_opening_by_command_has_that_cause(void **state) {
    struct model_states *states = *state;
    struct model_state *before = model_states_get(states, "before", 0);
    model_states_command(states, BREAKER_FORCE_OPEN, 0);
    assert_string_equal(before->breaker_cause, "command");
    assert_string_equal(model_states_get(states, "later", 0)->breaker_cause, "command");
}

static void test_a_model_that_was_never_opened_has_no_cause(void **state) {
    struct model_states *states = *state;
    model_states_command(states, BREAKER_FORCE_CLOSE, 0);
    assert_null(model_states_get(states, "later", 0)->breaker_cause);
}

static void test_nothing_can_be_finished_and_anything_twice(void **state) {
    struct model_states states = { 0 };
    model_states_finish(&states);
    model_states_init(&states, &policy);
    model_states_get(&states, "m", 0);
    model_states_finish(&states);
    assert_null(model_states_find(&states, "m"));
    model_states_finish(&states);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_model_is_made_when_it_is_asked_for_first, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            test_what_was_learnt_is_found_again_and_is_of_this_model_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_the_name_is_a_copy, begin, end),
        cmocka_unit_test_setup_teardown(test_the_model_that_was_idle_longest_makes_room, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_to_look_is_no_use, begin, end),
        cmocka_unit_test_setup_teardown(test_a_model_in_use_or_with_an_open_breaker_is_kept, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_when_none_may_go_there_is_room_all_the_same, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_state_stays_where_it_is_while_others_are_made, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_command_is_for_all_models_and_those_to_come, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_after_auto_or_reset_new_models_are_free_again, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_an_opening_by_command_has_that_cause, begin, end),
        cmocka_unit_test_setup_teardown(test_a_model_that_was_never_opened_has_no_cause, begin,
                                        end),
        cmocka_unit_test(test_nothing_can_be_finished_and_anything_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
