/* Any text, cut anywhere: no byte of it is lost or repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/joining.h"

enum { WORDS_MAX = 900, TEXT_MAX = 12000, ROUNDS = 4000 };

static void add_letters(struct bytes *text, struct random *random) {
    static const char *const letters[] = {
        "a", "e",        "i", "o", "u", "n", "r", "t",
        "s", "\xc3\xa9", "l", "k", "w", "m", "g", "\xe5\xa4\xa9"
    };
    for (int64_t i = random_between(random, 2, 9); i > 0; i--)
        bytes_append_text(text, letters[random_between(random, 0, 15)]);
}

static void write_prose(struct bytes *text, struct random *random) {
    static const char *const between[] = { " ", " ", " ", " ", ", ", ". ", "\n", "\n\n", "\n    " };
    for (int64_t i = random_between(random, 2, WORDS_MAX); i > 0; i--) {
        add_letters(text, random);
        bytes_append_text(text, between[random_between(random, 0, 8)]);
    }
}

// Rows that are alike, but for what a row is about.
static void write_rows(struct bytes *text, struct random *random) {
    int64_t count = random_between(random, 2, 60);
    for (int64_t i = 0; i < count; i++) {
        bytes_printf(text, "| %d | \"state\": \"ready to go\" | ", (int)i);
        add_letters(text, random);
        bytes_append_text(text, " |\n");
    }
}

static size_t random_cut(struct slice text, size_t min, struct random *random) {
    size_t at = (size_t)random_between(random, (int64_t)min, (int64_t)text.length - 1);
    while (at > min && ((unsigned char)text.data[at] & 0xc0) == 0x80)
        at--;
    return at;
}

// What an attempt says that goes on with whole, of which the first cut bytes were delivered.
enum way { WAY_ON, WAY_OVERLAP, WAY_AGAIN, WAY_PREAMBLE, WAY_PREAMBLE_AGAIN, WAY_OTHERWISE, WAYS };
static const char *const way_names[] = { "on",       "overlap",        "again",
                                         "preamble", "preamble again", "otherwise" };

static const char *random_preamble(struct random *random) {
    static const char *const preambles[] = { "Sure, continuing from where I left off:\n\n",
                                             "Continuing: ",
                                             "...",
                                             "\xe2\x80\xa6",
                                             "Entschuldigung! Hier geht es weiter:\n",
                                             "(continued)\n\n",
                                             "\xe5\xa5\xbd\xe7\x9a\x84\xef\xbc\x9a\n" };
    return preambles[random_between(random, 0, 6)];
}

// Where the repetition begins: enough to be seen by a seam of that kind.
static size_t overlap_start(struct slice whole, size_t cut, enum seam_kind kind, bool preamble,
                            struct random *random) {
    size_t min = kind == SEAM_PREFILL ? 24 : preamble ? 36 : 16;
    size_t max = cut < SEAM_TAIL_MAX ? cut : SEAM_TAIL_MAX;
    if (random_between(random, 0, 1) && max > 100) max = 100;
    if (max < min) return cut;
    struct slice front = { whole.data, cut - min + 1 };
    return random_cut(front, cut - max, random);
}

static void say(struct bytes *said, struct slice whole, size_t cut, enum seam_kind kind,
                enum way way, struct random *random) {
    size_t start = way == WAY_OVERLAP || way == WAY_PREAMBLE
                       ? overlap_start(whole, cut, kind, way == WAY_PREAMBLE, random)
                       : 0;
    if (way == WAY_ON) start = cut;
    if (way == WAY_PREAMBLE || way == WAY_PREAMBLE_AGAIN)
        bytes_append_text(said, random_preamble(random));
    size_t end = way == WAY_OTHERWISE ? random_cut(whole, 0, random) : whole.length;
    bytes_append(said, whole.data + start, end - start);
    if (way == WAY_OTHERWISE) bytes_append_text(said, "# and now for something else");
}

struct tally {
    int joined[WAYS];
    int refused[WAYS];
};

static bool is_prefix_of_another(struct slice whole, size_t cut, const struct bytes *said) {
    return said->length >= cut && memcmp(said->data, whole.data, cut) == 0;
}

// Either the text is whole, or nothing of the attempt was given.
static bool holds(const struct joining *joining, struct slice whole, size_t cut, enum way way,
                  const struct bytes *said) {
    const struct bytes *out = &joining->out;
    if (joining->seam.status == SEAM_REFUSED) return out->length == 0;
    if (joining->held_max > SEAM_HELD_MAX) return false;
    size_t dropped = (size_t)((ptrdiff_t)cut - seam_shift(&joining->seam));
    if (dropped + out->length != said->length) return false;
    if (way == WAY_OTHERWISE) // it repeated all that was delivered, or began too little of it
        return is_prefix_of_another(whole, cut, said) ? dropped == cut : dropped == 0;
    return out->length == whole.length - cut &&
           memcmp(out->data ? out->data : "", whole.data + cut, out->length) == 0;
}

static int check_once(struct slice whole, size_t cut, enum seam_kind kind, enum way way,
                      struct tally *tally, struct random *random) {
    struct bytes said;
    struct joining joining;
    static const size_t steps[] = { 0, 1, 100000 };
    bytes_init(&said, 2 * TEXT_MAX);
    say(&said, whole, cut, kind, way, random);
    joining_begin(&joining, kind, (struct slice){ whole.data, cut }, false);
    joining_feed_all(&joining, bytes_slice(&said), steps[random_between(random, 0, 2)], random);
    seam_end(&joining.seam, &joining.out);
    bool good = holds(&joining, whole, cut, way, &said);
    if (!good)
        print_error("kind %d %s: cut %zu, preamble %zu, overlap %zu, restarted %d\n--- %.60s\n--- "
                    "%.200s\n",
                    kind, way_names[way], cut, joining.seam.preamble_bytes,
                    joining.seam.overlap_bytes, joining.seam.restarted,
                    whole.data + (cut > 60 ? cut - 60 : 0), said.data ? said.data : "");
    int *count = joining.seam.status == SEAM_JOINED ? tally->joined : tally->refused;
    count[way]++;
    joining_finish(&joining);
    bytes_finish(&said);
    return !good;
}

static bool makes_sense(enum seam_kind kind, enum way way, size_t cut) {
    if (kind == SEAM_REPLAY) return way == WAY_AGAIN || way == WAY_OTHERWISE;
    if (way == WAY_PREAMBLE) return kind == SEAM_CONTINUE && cut >= 36;
    if (way == WAY_PREAMBLE_AGAIN) return kind == SEAM_CONTINUE && cut >= SEAM_HEAD_MAX;
    return true;
}

static void check_texts(void (*write)(struct bytes *text, struct random *random),
                        struct tally *tally) {
    struct random random = { 2026 };
    int wrong = 0;
    for (int round = 0; round < ROUNDS && wrong < 10; round++) {
        struct bytes text;
        bytes_init(&text, TEXT_MAX);
        write(&text, &random);
        enum seam_kind kind = (enum seam_kind)random_between(&random, SEAM_REPLAY, SEAM_CONTINUE);
        enum way way = (enum way)random_between(&random, 0, WAYS - 1);
        size_t cut = random_cut(bytes_slice(&text), 1, &random);
        if (round % 4 == 0 && cut > 60)
            cut = random_cut((struct slice){ text.data, 60 }, 1, &random);
        if (makes_sense(kind, way, cut))
            wrong += check_once(bytes_slice(&text), cut, kind, way, tally, &random);
        bytes_finish(&text);
    }
    for (int way = 0; way < WAYS; way++)
        print_message("# %s: %d joined, %d refused\n", way_names[way], tally->joined[way],
                      tally->refused[way]);
    assert_int_equal(wrong, 0);
}

static void test_no_byte_of_prose_is_lost_or_repeated(void **state) {
    struct tally tally = { 0 };
    check_texts(write_prose, &tally);
    for (int way = 0; way < WAY_OTHERWISE; way++) {
        assert_true(tally.joined[way] > 100);
        assert_true(tally.refused[way] * 20 < tally.joined[way]);
    }
}

static void test_no_byte_of_rows_that_are_alike_is_lost_or_repeated(void **state) {
    struct tally tally = { 0 };
    check_texts(write_rows, &tally);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_byte_of_prose_is_lost_or_repeated),
        cmocka_unit_test(test_no_byte_of_rows_that_are_alike_is_lost_or_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
