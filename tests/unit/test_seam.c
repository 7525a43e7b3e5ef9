#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/joining.h"

#define TEN "0123456789"
#define SKY                                                                                        \
    "The sky is blue because air scatters short waves of light more than long ones, which is "     \
    "called Rayleigh scattering. At sunset"
#define ROWS "{\"id\": 1, \"state\": \"ready to go\"}\n{\"id\": 2, \"state\": \"ready to go\"}\n"

#define LINE "{\"role\": \"user\", \"kind\": \"question\", \"lang\": \"en\", \"text\": \""
#define LINES LINE "one\"}\n" LINE "two\"}\n"

struct row {
    const char *name;
    enum seam_kind kind;
    const char *delivered;
    const char *fed;
    const char *joined; /* NULL: refused */
    enum seam_problem problem;
    size_t preamble, overlap;
    bool restarted, was_trimmed;
};

static const struct row rows[] = {
    { .name = "exact passes", .kind = SEAM_EXACT, .delivered = SKY, .fed = SKY, .joined = SKY },
    { .name = "nothing delivered",
      .kind = SEAM_REPLAY,
      .delivered = "",
      .fed = "x",
      .joined = "x" },
    { .name = "nothing at all", .kind = SEAM_CONTINUE, .delivered = "", .fed = "", .joined = "" },

    { .name = "replay repeats",
      .kind = SEAM_REPLAY,
      .delivered = TEN,
      .fed = TEN "ab",
      .joined = "ab",
      .overlap = 10 },
    { .name = "replay of the same",
      .kind = SEAM_REPLAY,
      .delivered = TEN,
      .fed = TEN,
      .joined = "",
      .overlap = 10 },
    { .name = "replay diverges",
      .kind = SEAM_REPLAY,
      .delivered = TEN,
      .fed = "012345678x",
      .problem = SEAM_DIVERGED },
    { .name = "replay diverges at once",
      .kind = SEAM_REPLAY,
      .delivered = TEN,
      .fed = "x",
      .problem = SEAM_DIVERGED },
    { .name = "replay is shorter",
      .kind = SEAM_REPLAY,
      .delivered = TEN,
      .fed = "012345678",
      .problem = SEAM_TOO_SHORT },
    { .name = "replay is empty",
      .kind = SEAM_REPLAY,
      .delivered = TEN,
      .fed = "",
      .problem = SEAM_TOO_SHORT },

    { .name = "prefill goes on",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = " it is red.",
      .joined = " it is red." },
    { .name = "prefill has nothing to add",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = "",
      .joined = "" },
    { .name = "prefill echoes",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = SKY " it is red.",
      .joined = " it is red.",
      .overlap = sizeof(SKY) - 1,
      .restarted = true },
    { .name = "prefill echoes and ends",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = SKY,
      .joined = "",
      .overlap = sizeof(SKY) - 1,
      .restarted = true },
    { .name = "prefill echoes a short text",
      .kind = SEAM_PREFILL,
      .delivered = "The sky is",
      .fed = "The sky is blue",
      .joined = " blue",
      .overlap = 10,
      .restarted = true },
    { .name = "prefill repeats a long end",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = "Rayleigh scattering. At sunset it is red.",
      .joined = " it is red.",
      .overlap = 30 },
    { .name = "prefill says a word again",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = " At sunset all is well",
      .joined = " At sunset all is well" },
    { .name = "prefill of so little that nobody can tell",
      .kind = SEAM_PREFILL,
      .delivered = "He",
      .fed = "Hello",
      .problem = SEAM_AMBIGUOUS },
    { .name = "prefill of a little",
      .kind = SEAM_PREFILL,
      .delivered = "He",
      .fed = "llo",
      .joined = "llo" },
    { .name = "prefill in a pattern",
      .kind = SEAM_PREFILL,
      .delivered = "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ",
      .fed = "0, 0, 0, 0, 0, 0, 1",
      .joined = "0, 0, 0, 0, 0, 0, 1" },
    { .name = "prefill repeats a pattern whole",
      .kind = SEAM_PREFILL,
      .delivered = "0, 0, 0, 0, ",
      .fed = "0, 0, 0, 0, 0, 0, 1",
      .problem = SEAM_AMBIGUOUS },
    { .name = "prefill begins again, otherwise",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = "The sky is blue because air scatters short waves of light rather well.",
      .problem = SEAM_DIVERGED },
    { .name = "prefill begins again and stops",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = "The sky is blue",
      .problem = SEAM_TOO_SHORT },
    { .name = "prefill does not need a preamble rule",
      .kind = SEAM_PREFILL,
      .delivered = SKY,
      .fed = "Sure, continuing:\n\nRayleigh scattering. At sunset it",
      .joined = "Sure, continuing:\n\nRayleigh scattering. At sunset it" },

    { .name = "trimmed white space is said again",
      .kind = SEAM_PREFILL,
      .delivered = "One.\n\n",
      .fed = "\n\nTwo.",
      .joined = "Two.",
      .overlap = 2,
      .was_trimmed = true },
    { .name = "trimmed white space is not said again",
      .kind = SEAM_PREFILL,
      .delivered = "One.\n\n",
      .fed = "Two.",
      .joined = "Two.",
      .was_trimmed = true },
    { .name = "trimmed white space is said in part",
      .kind = SEAM_PREFILL,
      .delivered = "One.\n\n",
      .fed = "\nTwo.",
      .joined = "Two.",
      .overlap = 1,
      .was_trimmed = true },
    { .name = "more white space than was trimmed",
      .kind = SEAM_PREFILL,
      .delivered = "One.\n",
      .fed = "\n\nTwo.",
      .joined = "\nTwo.",
      .overlap = 1,
      .was_trimmed = true },
    { .name = "other white space than was trimmed",
      .kind = SEAM_PREFILL,
      .delivered = "One.\n",
      .fed = " Two.",
      .joined = " Two.",
      .was_trimmed = true },
    { .name = "white space that was not trimmed",
      .kind = SEAM_PREFILL,
      .delivered = "One.\n\n",
      .fed = "\n\nTwo.",
      .joined = "\n\nTwo." },
    { .name = "a deep indentation, trimmed",
      .kind = SEAM_PREFILL,
      .delivered = "{\n                        ",
      .fed = "\n                        x",
      .joined = "x",
      .overlap = 25,
      .was_trimmed = true },
    { .name = "only the trimmed white space",
      .kind = SEAM_PREFILL,
      .delivered = "One.\n\n",
      .fed = "\n",
      .joined = "",
      .overlap = 1,
      .was_trimmed = true },

    { .name = "continue goes on",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = " it is red.",
      .joined = " it is red." },
    { .name = "continue has nothing to add",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "",
      .joined = "" },
    { .name = "continue repeats words",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "At sunset it is red.",
      .joined = " it is red.",
      .overlap = 9 },
    { .name = "continue repeats words and ends",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "At sunset",
      .joined = "",
      .overlap = 9 },
    { .name = "continue says half a word again",
      .kind = SEAM_CONTINUE,
      .delivered = "It is unbelievable",
      .fed = "believable",
      .joined = "believable" },
    { .name = "continue says a long half word again",
      .kind = SEAM_CONTINUE,
      .delivered = "pneumonoultramicroscopicsilico",
      .fed = "microscopicsilicovolcano",
      .joined = "volcano",
      .overlap = 17 },
    { .name = "continue repeats letters of another script",
      .kind = SEAM_CONTINUE,
      .delivered = "\xe5\xa4\xa9\xe7\xa9\xba\xe6\x98\xaf\xe8\x93\x9d",
      .fed = "\xe7\xa9\xba\xe6\x98\xaf\xe8\x93\x9d\xe7\x9a\x84",
      .joined = "\xe7\x9a\x84",
      .overlap = 9 },
    { .name = "continue begins again",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = SKY " it is red.",
      .joined = " it is red.",
      .overlap = sizeof(SKY) - 1,
      .restarted = true },
    { .name = "continue begins again, otherwise",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "The sky is blue because air scatters short waves of light; long waves pass.",
      .problem = SEAM_DIVERGED },
    { .name = "continue repeats the middle and stops",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "more than long ones, which",
      .problem = SEAM_TOO_SHORT },
    { .name = "continue in a pattern",
      .kind = SEAM_CONTINUE,
      .delivered = "He said: ha ha ha ha ha ha ",
      .fed = "ha ha ha he said",
      .problem = SEAM_AMBIGUOUS },
    { .name = "continue repeats the last of two equal lines",
      .kind = SEAM_CONTINUE,
      .delivered = "- milk and eggs\n- milk and eggs\n",
      .fed = "- milk and eggs\n- bread",
      .problem = SEAM_AMBIGUOUS },

    { .name = "a preamble",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "Sure, continuing from there:\n\nRayleigh scattering. At sunset it is red.",
      .joined = " it is red.",
      .preamble = 30,
      .overlap = 30 },
    { .name = "a preamble, and all of a short text",
      .kind = SEAM_CONTINUE,
      .delivered = "The sky is blue because",
      .fed = "Sure:\nThe sky is blue because of air.",
      .joined = " of air.",
      .preamble = 6,
      .overlap = 23,
      .restarted = true },
    { .name = "a preamble with an ellipsis",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "...Rayleigh scattering. At sunset it is red.",
      .joined = " it is red.",
      .preamble = 3,
      .overlap = 30 },
    { .name = "a preamble in a line of its own",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "Of course!\n\nis called Rayleigh scattering. At sunset it is red.",
      .joined = " it is red.",
      .preamble = 12,
      .overlap = 40 },
    { .name = "a preamble, then the beginning",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "I was interrupted. Once more:\n" SKY " it is red.",
      .joined = " it is red.",
      .preamble = 30,
      .overlap = sizeof(SKY) - 1,
      .restarted = true },
    { .name = "a preamble, then the beginning, otherwise",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "Once more:\nThe sky is blue because air scatters short waves of light a lot.",
      .problem = SEAM_DIVERGED },
    { .name = "what looks like a preamble",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "Sure, continuing from there:\n\nit is red.",
      .joined = "Sure, continuing from there:\n\nit is red." },
    { .name = "a name said again soon",
      .kind = SEAM_CONTINUE,
      .delivered = "It is called Rayleigh scattering",
      .fed = ". The role of Rayleigh scattering is",
      .joined = ". The role of Rayleigh scattering is" },
    { .name = "a new line before many repeated words",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "\n\ncalled Rayleigh scattering. At sunset, it is red.",
      .joined = ", it is red.",
      .preamble = 2,
      .overlap = 37 },
    { .name = "a mark before all of it",
      .kind = SEAM_CONTINUE,
      .delivered = "The tide turned at four, and the boats went out",
      .fed = "> The tide turned at four, and the boats went out again.",
      .joined = " again.",
      .preamble = 2,
      .overlap = 47,
      .restarted = true },
    { .name = "a new line before words that only begin alike",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "\ncalled Rayleigh scattering. At noon it is blue.",
      .joined = "\ncalled Rayleigh scattering. At noon it is blue." },
    { .name = "a new line, and no more",
      .kind = SEAM_CONTINUE,
      .delivered = SKY,
      .fed = "\ncalled Rayleigh",
      .joined = "\ncalled Rayleigh" },
    { .name = "a name said again soon, without the blank",
      .kind = SEAM_CONTINUE,
      .delivered = "It is called Rayleigh scattering",
      .fed = "and so Rayleigh scattering is",
      .joined = "and so Rayleigh scattering is" },
    { .name = "a heading said again under it",
      .kind = SEAM_CONTINUE,
      .delivered = "## 1. Rayleigh scattering",
      .fed = "\n\nRayleigh scattering is what",
      .joined = "\n\nRayleigh scattering is what" },
    { .name = "half a heading said again under it",
      .kind = SEAM_CONTINUE,
      .delivered = "## 1. Rayleigh scattering",
      .fed = "explained\n\nRayleigh scattering is",
      .joined = "explained\n\nRayleigh scattering is" },
    { .name = "a heading or a preamble",
      .kind = SEAM_CONTINUE,
      .delivered = "## 1. Rayleigh scattering",
      .fed = "Explained\n\nRayleigh scattering is",
      .problem = SEAM_AMBIGUOUS },
    { .name = "a preamble before a sentence said twice",
      .kind = SEAM_CONTINUE,
      .delivered = "It is all quite clear. No, it is all quite clear.",
      .fed = "Sure:\nis all quite clear. But",
      .problem = SEAM_AMBIGUOUS },

    { .name = "rows that begin alike go on behind a prefill",
      .kind = SEAM_PREFILL,
      .delivered = LINES,
      .fed = LINE "seven\"}\n",
      .joined = LINE "seven\"}\n" },
    { .name = "rows that begin alike go on, or begin again otherwise",
      .kind = SEAM_CONTINUE,
      .delivered = LINES,
      .fed = LINE "seven\"}\n",
      .problem = SEAM_AMBIGUOUS },
    { .name = "rows that begin alike begin again",
      .kind = SEAM_CONTINUE,
      .delivered = LINES,
      .fed = LINES LINE "seven\"}\n",
      .joined = LINE "seven\"}\n",
      .overlap = sizeof(LINES) - 1,
      .restarted = true },

    { .name = "rows that are alike go on",
      .kind = SEAM_CONTINUE,
      .delivered = ROWS,
      .fed = "{\"id\": 3, \"state\": \"ready to go\"}\n",
      .joined = "{\"id\": 3, \"state\": \"ready to go\"}\n" },
    { .name = "rows that are alike are repeated",
      .kind = SEAM_CONTINUE,
      .delivered = ROWS,
      .fed = "{\"id\": 2, \"state\": \"ready to go\"}\n{\"id\": 3}",
      .joined = "{\"id\": 3}",
      .overlap = 34 },
};

static bool is_as_wanted(const struct row *row, const struct joining *joining) {
    const struct seam *seam = &joining->seam;
    struct slice out = bytes_slice(&joining->out);
    if (!row->joined)
        return seam->status == SEAM_REFUSED && seam->problem == row->problem && out.length == 0;
    size_t dropped =
        row->kind == SEAM_EXACT ? strlen(row->delivered) : row->preamble + row->overlap;
    return seam->status == SEAM_JOINED && slice_equals(out, row->joined) &&
           seam->preamble_bytes == row->preamble && seam->overlap_bytes == row->overlap &&
           seam->restarted == row->restarted &&
           seam_shift(seam) == (ptrdiff_t)strlen(row->delivered) - (ptrdiff_t)dropped;
}

static int check_row(const struct row *row, size_t step, struct random *random) {
    struct joining joining;
    joining_begin(&joining, row->kind, slice_of(row->delivered), row->was_trimmed);
    joining_feed_all(&joining, slice_of(row->fed), step, random);
    seam_end(&joining.seam, &joining.out);
    bool good = is_as_wanted(row, &joining);
    if (!good)
        print_error("%s, in steps of %zu: status %d, %s, preamble %zu, overlap %zu, '%s'\n",
                    row->name, step, joining.seam.status, seam_problem_words(joining.seam.problem),
                    joining.seam.preamble_bytes, joining.seam.overlap_bytes,
                    joining.out.data ? joining.out.data : "");
    joining_finish(&joining);
    return !good;
}

static void test_each_row_is_joined_or_refused_however_it_is_cut(void **state) {
    struct random random = { 3 };
    int wrong = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t step = 0; step < 20; step++)
            wrong += check_row(&rows[i], step < 19 ? step : 100000, &random);
    assert_int_equal(wrong, 0);
}

// ---- what it takes ----

static void test_text_that_repeats_nothing_is_held_back_for_a_few_bytes_only(void **state) {
    static const enum seam_kind kinds[] = { SEAM_PREFILL, SEAM_CONTINUE };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        struct joining joining;
        joining_begin(&joining, kinds[i], slice_of(SKY), false);
        joining_feed_all(&joining, slice_of(" the light"), 1, NULL);
        assert_int_equal(joining.seam.status, SEAM_JOINED);
        assert_true(joining.held_max <= 8);
        joining_finish(&joining);
    }
}

static void test_what_may_be_a_preamble_is_held_back_no_longer_than_one_may_be(void **state) {
    struct joining joining;
    joining_begin(&joining, SEAM_CONTINUE, slice_of(SKY), false);
    for (int i = 0; i < 1000 && joining.seam.status == SEAM_HOLDING; i++)
        joining_feed(&joining, slice_of("Z"));
    assert_int_equal(joining.seam.status, SEAM_JOINED);
    assert_int_equal(joining.out.length, 201);
    joining_finish(&joining);
}

static void test_a_long_text_that_begins_again_is_followed_without_being_held(void **state) {
    enum { LENGTH = 1 << 20 };
    struct joining joining;
    struct random random = { 5 };
    char *text = malloc(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = (char)random_between(&random, 'a', 'z');
    joining_begin(&joining, SEAM_PREFILL, (struct slice){ text, LENGTH }, false);
    joining_feed_all(&joining, (struct slice){ text, LENGTH }, 10000, NULL);
    joining_feed(&joining, slice_of(" end"));
    assert_int_equal(joining.seam.status, SEAM_JOINED);
    assert_true(joining.seam.restarted);
    assert_true(joining.held_max < 100);
    assert_int_equal(seam_shift(&joining.seam), 0);
    assert_string_equal(joining.out.data, " end");
    joining_finish(&joining);

    joining_begin(&joining, SEAM_PREFILL, (struct slice){ text, LENGTH }, false);
    joining_feed_all(&joining, (struct slice){ text, LENGTH - 1 }, 10000, NULL);
    joining_feed(&joining, slice_of("#"));
    assert_int_equal(joining.seam.status, SEAM_REFUSED);
    assert_int_equal(joining.seam.problem, SEAM_DIVERGED);
    joining_finish(&joining);
    free(text);
}

static void test_an_overlap_is_found_as_far_back_as_the_window_goes(void **state) {
    struct bytes text;
    bytes_init(&text, 10000);
    for (int i = 0; i < 1000; i++)
        bytes_printf(&text, "%d ", i);
    for (size_t back = 1990; back <= 2010; back++) {
        struct joining joining;
        joining_begin(&joining, SEAM_CONTINUE, bytes_slice(&text), false);
        joining_feed_all(&joining, (struct slice){ text.data + text.length - back, back }, 0,
                         &(struct random){ back });
        joining_feed(&joining, slice_of("and so on"));
        assert_int_equal(joining.seam.status, SEAM_JOINED);
        // A blank at the front may stand for itself, and the window begins behind it.
        size_t dropped = joining.seam.preamble_bytes + joining.seam.overlap_bytes;
        bool is_in_window = back - joining.seam.preamble_bytes <= SEAM_TAIL_MAX;
        assert_int_equal(dropped, is_in_window ? back : 0);
        joining_finish(&joining);
    }
    bytes_finish(&text);
}

static void test_a_store_that_cannot_be_read_is_refused(void **state) {
    static const enum seam_kind kinds[] = { SEAM_REPLAY, SEAM_PREFILL, SEAM_CONTINUE };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        struct joining joining = { .delivered = slice_of(SKY), .unreadable = true };
        struct seam_text text = { joining.delivered.length, joining_read, &joining };
        bytes_init(&joining.out, 100);
        seam_init(&joining.seam, kinds[i], &text, false);
        joining_feed(&joining, slice_of("The sky"));
        assert_int_equal(joining.seam.status, SEAM_REFUSED);
        assert_int_equal(joining.seam.problem, SEAM_UNREADABLE);
        joining_finish(&joining);
    }
}

static void test_no_room_for_what_joins_is_told(void **state) {
    static const char *const pieces[] = { "# It is too long to fit", "It" };
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct joining joining;
        joining_begin(&joining, i ? SEAM_EXACT : SEAM_PREFILL, slice_of(SKY), false);
        bytes_finish(&joining.out);
        bytes_init(&joining.out, 1);
        joining_feed(&joining, slice_of(pieces[i]));
        assert_int_equal(joining.seam.status, SEAM_REFUSED);
        assert_int_equal(joining.seam.problem, SEAM_NO_MEMORY);
        joining_finish(&joining);
    }
}

static void test_an_attempt_that_broke_off_leaves_nothing(void **state) {
    struct joining joining;
    joining_begin(&joining, SEAM_CONTINUE, slice_of(SKY), false);
    joining_feed(&joining, slice_of("Sure, cont"));
    assert_int_equal(joining.seam.status, SEAM_HOLDING);
    assert_int_equal(joining.out.length, 0);
    joining_finish(&joining);
    seam_finish(&joining.seam);
}

static void test_each_problem_has_its_words(void **state) {
    for (int i = SEAM_FITS; i <= SEAM_NO_MEMORY; i++)
        assert_true(strlen(seam_problem_words((enum seam_problem)i)) > 5);
}

// ---- any text, cut anywhere ----

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
        cmocka_unit_test(test_each_row_is_joined_or_refused_however_it_is_cut),
        cmocka_unit_test(test_text_that_repeats_nothing_is_held_back_for_a_few_bytes_only),
        cmocka_unit_test(test_what_may_be_a_preamble_is_held_back_no_longer_than_one_may_be),
        cmocka_unit_test(test_a_long_text_that_begins_again_is_followed_without_being_held),
        cmocka_unit_test(test_an_overlap_is_found_as_far_back_as_the_window_goes),
        cmocka_unit_test(test_a_store_that_cannot_be_read_is_refused),
        cmocka_unit_test(test_no_room_for_what_joins_is_told),
        cmocka_unit_test(test_an_attempt_that_broke_off_leaves_nothing),
        cmocka_unit_test(test_each_problem_has_its_words),
        cmocka_unit_test(test_no_byte_of_prose_is_lost_or_repeated),
        cmocka_unit_test(test_no_byte_of_rows_that_are_alike_is_lost_or_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
