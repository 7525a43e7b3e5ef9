#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/policy/hint.h"

static void test_numbers_are_digits_with_one_point(void **state) {
    static const struct {
        const char *text;
        bool good;
        double number;
        const char *rest;
    } rows[] = {
        { "0", true, 0, "" },       { "12", true, 12, "" },       { "1.5s", true, 1.5, "s" },
        { "2.", true, 2, "" },      { "1.2.3", true, 1.2, ".3" }, { "007", true, 7, "" },
        { "1e3", true, 1, "e3" },   { "", false, 0, "" },         { ".5", false, 0, ".5" },
        { "-1", false, 0, "-1" },   { "+1", false, 0, "+1" },     { "nan", false, 0, "nan" },
        { "inf", false, 0, "inf" }, { "0x10", true, 0, "x10" },   { " 1", false, 0, " 1" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct slice text = slice_of(rows[i].text);
        double number = -1;
        assert_int_equal(hint_take_number(&text, &number), rows[i].good);
        assert_true(slice_equals(text, rows[i].rest));
        if (rows[i].good) assert_true(number == rows[i].number);
    }
}

static void test_very_long_numbers_are_taken_in_parts(void **state) {
    char digits[100];
    double number;
    memset(digits, '9', sizeof(digits));
    struct slice text = { digits, sizeof(digits) };
    assert_true(hint_take_number(&text, &number));
    assert_int_equal(text.length, 100 - 63);
}

static void test_durations_have_descending_units_each_once(void **state) {
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        { "1s", TIME_S },
        { "120ms", 120 * TIME_MS },
        { "6m0s", 360 * TIME_S },
        { "1h2m3s", 3723 * TIME_S },
        { "1h2m3.5s", 3723500 * TIME_MS },
        { "9m38.016s", 578016 * TIME_MS },
        { "2m59.56s", 179560 * TIME_MS },
        { "1s500ms", 1500 * TIME_MS },
        { "34.4s", 34400 * TIME_MS },
        { "0.5s", 500 * TIME_MS },
        { "1h", 3600 * TIME_S },
        { " 7s ", 7 * TIME_S },
        { "0s", 0 },
        { "", -1 },
        { "s", -1 },
        { "5", -1 },
        { "5x", -1 },
        { "1s1s", -1 },
        { "1s1m", -1 },
        { "1ms1s", -1 },
        { "1m1m", -1 },
        { "-1s", -1 },
        { "1s.", -1 },
        { "1 s", -1 },
        { "1d", -1 },
        { "1S", -1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (hint_parse_duration(slice_of(rows[i].text)) != rows[i].ns)
            fail_msg("%s is %lld", rows[i].text,
                     (long long)hint_parse_duration(slice_of(rows[i].text)));
}

static void test_a_duration_ends_where_it_is_none_any_more(void **state) {
    struct slice text = slice_of("6m0s. Visit");
    double seconds;
    assert_true(hint_take_duration(&text, &seconds));
    assert_true(seconds == 360);
    assert_true(slice_equals(text, ". Visit"));
}

static void test_dates_come_in_three_forms(void **state) {
    static const struct {
        const char *text;
        int64_t seconds_1970;
    } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
        { "Sun Nov  6 08:49:37 1994", 784111777 },
        { "Sun Nov 16 08:49:37 1994", 784975777 },
        { " Sun, 06 Nov 1994 08:49:37 GMT\r", 784111777 },
        { "Wed, 21 Oct 2026 07:28:00 GMT", 1792567680 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 }, // a leap second
        { "Tue, 29 Feb 2028 00:00:00 GMT", 1835395200 },
        { "Wednesday, 21-Oct-26 07:28:00 GMT", 1792567680 },
        { "Thursday, 01-Jan-70 00:00:00 GMT", 0 },
        { "Tuesday, 31-Dec-69 00:00:00 GMT", 3155673600 }, // of 2069
        { "Wednesday, 21-Oct-2026 07:28:00 GMT", 1792567680 },
        { "Wed, 21 Jan 2026 00:00:00 GMT", 1768953600 },
        { "Sat, 21 Mar 2026 00:00:00 GMT", 1774051200 },
        { "Thu, 21 May 2026 00:00:00 GMT", 1779321600 },
        { "Sun, 21 Jun 2026 00:00:00 GMT", 1782000000 },
        { "Tue, 21 Jul 2026 00:00:00 GMT", 1784592000 },
        { "wed, 21 OCT 2026 07:28:00 GMT", 1792567680 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (hint_parse_http_date(slice_of(rows[i].text)) != rows[i].seconds_1970)
            fail_msg("%s is %lld", rows[i].text,
                     (long long)hint_parse_http_date(slice_of(rows[i].text)));
}

static void test_what_is_no_date_is_told_from_one(void **state) {
    static const char *const texts[] = {
        "",
        "soon",
        "5",
        "Sun, 06 Nov 1994",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 06 Nov 1994 08:49:37 +0200",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:-1 GMT",
        "Sunday, 06-Foo-94 08:49:37 GMT",
        "Sun Foo  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT and a very long text that no date can ever have behind it",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (hint_parse_http_date(slice_of(texts[i])) != -1) fail_msg("%s", texts[i]);
}

static void test_instants_of_rfc_3339_are_read(void **state) {
    static const struct {
        const char *text;
        double seconds_1970;
    } rows[] = {
        { "1994-11-06T08:49:37Z", 784111777 },          { "1994-11-06t08:49:37z", 784111777 },
        { "1994-11-06 08:49:37", 784111777 },           { "1994-11-06T08:49:37.25Z", 784111777.25 },
        { "1994-11-06T08:49:37.5+00:00", 784111777.5 }, { "1994-11-06T10:49:37+02:00", 784111777 },
        { "1994-11-06T03:19:37-05:30", 784111777 },     { "1970-01-01T00:00:00Z", 0 },
        { "1994-11-06T08:49:37.Z", 784111777 },         { " 1994-11-06T08:49:37Z ", 784111777 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (hint_parse_rfc3339(slice_of(rows[i].text)) != rows[i].seconds_1970)
            fail_msg("%s is %f", rows[i].text, hint_parse_rfc3339(slice_of(rows[i].text)));
}

static void test_what_is_no_instant_is_negative(void **state) {
    static const char *const texts[] = {
        "",
        "1s",
        "1994-11-06",
        "1994-13-06T08:49:37Z",
        "1994-00-06T08:49:37Z",
        "1994-11-00T08:49:37Z",
        "1994-11-06T25:49:37Z",
        "1969-11-06T08:49:37Z",
        "1994-11-06T08:49:37Z and more than a buffer holds, whatever it may be and whoever sent it",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (hint_parse_rfc3339(slice_of(texts[i])) >= 0) fail_msg("%s", texts[i]);
}

static void test_any_bytes_are_survived(void **state) {
    static const char alphabet[] = "0123456789.:-+, hmsTZGMTSunNovJan\xff";
    struct random random = { 7 };
    for (int i = 0; i < 200000; i++) {
        char text[80];
        size_t length = (size_t)random_between(&random, 0, sizeof(text));
        for (size_t j = 0; j < length; j++)
            text[j] = alphabet[random_between(&random, 0, sizeof(alphabet) - 2)];
        struct slice bytes = { text, length };
        assert_true(hint_parse_duration(bytes) >= -1);
        assert_true(hint_parse_http_date(bytes) >= -1);
        hint_parse_rfc3339(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_digits_with_one_point),
        cmocka_unit_test(test_very_long_numbers_are_taken_in_parts),
        cmocka_unit_test(test_durations_have_descending_units_each_once),
        cmocka_unit_test(test_a_duration_ends_where_it_is_none_any_more),
        cmocka_unit_test(test_dates_come_in_three_forms),
        cmocka_unit_test(test_what_is_no_date_is_told_from_one),
        cmocka_unit_test(test_instants_of_rfc_3339_are_read),
        cmocka_unit_test(test_what_is_no_instant_is_negative),
        cmocka_unit_test(test_any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
