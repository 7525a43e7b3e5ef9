#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/random.h"
#include "fs/window.h"

enum { LINES = 10, LINE = 6 }; // "00017\n"

struct world {
    struct events *events;
    int added;
    struct bytes scratch;
};

static void add(struct world *world, int count) {
    for (; count > 0; count--) {
        char line[16];
        snprintf(line, sizeof(line), "%05d\n", world->added++);
        events_append(world->events, 1, slice_of(line));
    }
}

static struct world world_of(int lines) {
    struct world world = { .events = events_create(LINES, 1 << 20) };
    bytes_init(&world.scratch, 1 << 20);
    add(&world, lines);
    return world;
}

static void world_end(struct world *world) {
    events_destroy(world->events);
    bytes_finish(&world->scratch);
}

static struct window opened(struct world *world) {
    struct window window;
    window_init(&window, world->events, events_start(world->events));
    return window;
}

static void assert_reads(struct world *world, struct window *window, uint64_t offset, size_t size,
                         const char *expected) {
    struct slice slice;
    assert_true(window_read(window, offset, size, &world->scratch, &slice));
    if (!slice_equals(slice, expected))
        fail_msg("at %llu: \"%.*s\" instead of \"%s\"", (unsigned long long)offset,
                 (int)slice.length, slice.length ? slice.data : "", expected);
}

static void test_it_reads_like_a_file(void **state) {
    struct world world = world_of(3);
    struct window window = opened(&world);
    assert_int_equal(window_size(world.events, window.base), 3 * LINE);
    assert_reads(&world, &window, 0, 100, "00000\n00001\n00002\n");
    assert_reads(&world, &window, 18, 100, "");
    assert_reads(&world, &window, 100, 100, "");
    assert_reads(&world, &window, 7, 4, "0001");
    add(&world, 1);
    assert_reads(&world, &window, 18, 100, "00003\n");
    world_end(&world);
}

static void test_an_open_begins_at_the_oldest_line_kept(void **state) {
    struct world world = world_of(25);
    struct window window = opened(&world);
    assert_int_equal(window_size(world.events, window.base), LINES * LINE);
    assert_reads(&world, &window, 0, 8, "00015\n00");
    world_end(&world);
}

static void test_a_follower_at_the_end_misses_nothing_whatever_is_forgotten(void **state) {
    struct world world = world_of(5);
    struct window window = opened(&world);
    assert_reads(&world, &window, 0, 100, "00000\n00001\n00002\n00003\n00004\n");
    for (int i = 0; i < 100; i++) {
        char line[16];
        snprintf(line, sizeof(line), "%05d\n", world.added);
        add(&world, 1);
        assert_reads(&world, &window, window.next, 100, line);
        assert_reads(&world, &window, window.next, 100, "");
        assert_int_equal(window_size(world.events, window.base), window.next);
    }
    world_end(&world);
}

static void test_who_comes_later_begins_at_the_oldest_line_kept_too(void **state) {
    struct world world = world_of(5);
    struct window first = opened(&world);
    assert_reads(&world, &first, 0, 100, "00000\n00001\n00002\n00003\n00004\n");
    add(&world, 20); // 15 to 24 are kept
    struct window second;
    window_init(&second, world.events, first.base);
    assert_int_equal(window_size(world.events, second.base), 25 * LINE);
    assert_reads(&world, &second, 0, 12, "00015\n00016\n");
    assert_reads(&world, &second, 12, 1000,
                 "00017\n00018\n00019\n00020\n00021\n00022\n00023\n00024\n");
    assert_reads(&world, &second, 60, 1000, "");
    add(&world, 1);
    assert_reads(&world, &second, 60, 1000, "00025\n");
    world_end(&world);
}

static void test_who_seeks_by_the_size_finds_the_newest_lines(void **state) {
    struct world world = world_of(5);
    struct window first = opened(&world);
    add(&world, 20);
    struct window second;
    window_init(&second, world.events, first.base);
    assert_reads(&world, &second, 25 * LINE - 12, 100, "00023\n00024\n"); // tail -n 2
    assert_reads(&world, &second, 25 * LINE - 24, 12, "00021\n00022\n");
    // The same after a read from the beginning: less, G.
    struct window third;
    window_init(&third, world.events, first.base);
    assert_reads(&world, &third, 0, 12, "00015\n00016\n");
    assert_reads(&world, &third, 25 * LINE - 12, 100, "00023\n00024\n");
    world_end(&world);
}

static void test_who_seeks_into_what_is_forgotten_finds_empty_lines(void **state) {
    struct world world = world_of(5);
    struct window first = opened(&world);
    add(&world, 20);
    struct window second; // tac
    window_init(&second, world.events, first.base);
    assert_reads(&world, &second, 24 * LINE, LINE, "00024\n");
    assert_reads(&world, &second, 15 * LINE - 4, 8, "\n\n\n\n0001");
    assert_reads(&world, &second, 6, 4, "\n\n\n\n");
    assert_reads(&world, &second, 0, 6, "00015\n"); // the beginning is the beginning
    world_end(&world);
}

static void test_a_skip_counts_from_the_oldest_line_kept(void **state) {
    struct world world = world_of(5);
    struct window first = opened(&world);
    add(&world, 20);
    struct window second; // dd skip=, tail -c +13
    window_init(&second, world.events, first.base);
    assert_reads(&world, &second, 12, 6, "00017\n");
    assert_reads(&world, &second, 18, 6, "00018\n");
    world_end(&world);
}

static void test_a_slow_reader_goes_on_behind_what_was_forgotten_with_whole_lines(void **state) {
    struct world world = world_of(10);
    struct window window = opened(&world);
    assert_reads(&world, &window, 0, 8, "00000\n00"); // amid line 1
    add(&world, 25);                                  // 25 to 34 are kept
    assert_reads(&world, &window, 8, 2, "00");
    assert_reads(&world, &window, 10, 100, "1\n"); // the rest of its line
    assert_reads(&world, &window, 12, 8, "00025\n00");
    assert_reads(&world, &window, 20, 10, "026\n00027\n");
    add(&world, 5);
    assert_reads(&world, &window, 30, 6, "00030\n");
    world_end(&world);
}

static void test_a_rewind_begins_again_at_the_oldest_line(void **state) {
    struct world world = world_of(10);
    struct window window = opened(&world);
    assert_reads(&world, &window, 0, 12, "00000\n00001\n");
    add(&world, 3);
    assert_reads(&world, &window, 0, 12, "00003\n00004\n");
    assert_reads(&world, &window, 0, 12, "00003\n00004\n");
    world_end(&world);
}

static void test_poll_has_news_until_the_end_was_told_and_again_when_there_is_more(void **state) {
    struct world world = world_of(0);
    struct window window = opened(&world);
    assert_true(window_has_news(&window)); // a read does not wait: it is the end
    assert_reads(&world, &window, 0, 100, "");
    assert_false(window_has_news(&window));
    add(&world, 2);
    assert_true(window_has_news(&window));
    assert_reads(&world, &window, 0, 6, "00000\n");
    assert_true(window_has_news(&window));
    assert_reads(&world, &window, 6, 6, "00001\n");
    assert_true(window_has_news(&window));
    assert_reads(&world, &window, 12, 6, "");
    assert_false(window_has_news(&window));
    world_end(&world);
}

static void test_without_memory_a_read_fails_and_nothing_is_skipped(void **state) {
    struct world world = world_of(10);
    struct window window = opened(&world);
    struct bytes none;
    struct slice slice;
    bytes_init(&none, 0);
    assert_reads(&world, &window, 0, 8, "00000\n00");
    add(&world, 10);
    assert_false(window_read(&window, 8, 100, &none, &slice));
    assert_reads(&world, &window, 8, 100, "001\n");
    world_end(&world);
}

/* Reads on in pieces of any size, while lines come and go. */
static void read_some(struct world *world, struct window *window, struct bytes *got,
                      struct random *random) {
    struct slice slice;
    size_t size = (size_t)random_between(random, 1, 40);
    assert_true(window_read(window, window->next, size, &world->scratch, &slice));
    bytes_append_slice(got, slice);
}

static void
test_whatever_comes_and_goes_a_reader_gets_whole_lines_in_order_and_the_end(void **state) {
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct random random = { seed };
        struct world world = world_of((int)random_between(&random, 0, 30));
        struct window holder = opened(&world);
        add(&world, (int)random_between(&random, 0, 30));
        struct window window;
        struct bytes got;
        bytes_init(&got, 1 << 20);
        window_init(&window, world.events, holder.base);
        for (int step = 0; step < 60; step++) {
            if (random_between(&random, 0, 3) == 0)
                add(&world, (int)random_between(&random, 0, 12));
            else
                read_some(&world, &window, &got, &random);
        }
        while (window_has_news(&window))
            read_some(&world, &window, &got, &random);
        int before = -1;
        for (size_t i = 0; i < got.length; i += LINE) {
            int number = atoi(got.data + i);
            bool is_whole = i + LINE <= got.length && got.data[i + LINE - 1] == '\n';
            if (!is_whole || number <= before)
                fail_msg("seed %llu: \"%s\"", (unsigned long long)seed, got.data);
            before = number;
        }
        assert_int_equal(before, world.added - 1);
        bytes_finish(&got);
        world_end(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_reads_like_a_file),
        cmocka_unit_test(test_an_open_begins_at_the_oldest_line_kept),
        cmocka_unit_test(test_a_follower_at_the_end_misses_nothing_whatever_is_forgotten),
        cmocka_unit_test(test_who_comes_later_begins_at_the_oldest_line_kept_too),
        cmocka_unit_test(test_who_seeks_by_the_size_finds_the_newest_lines),
        cmocka_unit_test(test_who_seeks_into_what_is_forgotten_finds_empty_lines),
        cmocka_unit_test(test_a_skip_counts_from_the_oldest_line_kept),
        cmocka_unit_test(test_a_slow_reader_goes_on_behind_what_was_forgotten_with_whole_lines),
        cmocka_unit_test(test_a_rewind_begins_again_at_the_oldest_line),
        cmocka_unit_test(test_poll_has_news_until_the_end_was_told_and_again_when_there_is_more),
        cmocka_unit_test(test_without_memory_a_read_fails_and_nothing_is_skipped),
        cmocka_unit_test(
            test_whatever_comes_and_goes_a_reader_gets_whole_lines_in_order_and_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
