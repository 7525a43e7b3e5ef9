#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/errors.h"

static void test_each_failure_has_the_errno_of_the_manual(void **state) {
    static const struct {
        enum failure_class class;
        enum failure_cause cause;
        int error;
    } rows[] = {
        { FAILURE_NONE, CAUSE_NONE, 0 },
        { FAILURE_AUTH, CAUSE_NONE, EACCES },
        { FAILURE_PERMISSION, CAUSE_NONE, EPERM },
        { FAILURE_BILLING, CAUSE_NONE, EDQUOT },
        { FAILURE_NOT_FOUND, CAUSE_NONE, ENXIO },
        { FAILURE_VALIDATION, CAUSE_NONE, EINVAL },
        { FAILURE_CONTEXT_LENGTH, CAUSE_NONE, EMSGSIZE },
        { FAILURE_REQUEST_TOO_LARGE, CAUSE_NONE, EMSGSIZE },
        { FAILURE_CONTENT_FILTER, CAUSE_NONE, ENOTSUP },
        { FAILURE_RATE_LIMIT, CAUSE_NONE, EBUSY },
        { FAILURE_CONFLICT, CAUSE_NONE, EBUSY },
        { FAILURE_OVERLOADED, CAUSE_NONE, EREMOTEIO },
        { FAILURE_SERVER, CAUSE_NONE, EREMOTEIO },
        { FAILURE_NETWORK, CAUSE_NONE, ECONNRESET },
        { FAILURE_NETWORK, CAUSE_RESOLVE, EHOSTUNREACH },
        { FAILURE_NETWORK, CAUSE_UNREACHABLE, EHOSTUNREACH },
        { FAILURE_NETWORK, CAUSE_REFUSED, ECONNREFUSED },
        { FAILURE_NETWORK, CAUSE_RESET, ECONNRESET },
        { FAILURE_NETWORK, CAUSE_CERTIFICATE, EPROTO },
        { FAILURE_TIMEOUT, CAUSE_NONE, ETIMEDOUT },
        { FAILURE_STREAM_TRUNCATED, CAUSE_NONE, ECONNRESET },
        { FAILURE_STREAM_STALLED, CAUSE_NONE, ETIMEDOUT },
        { FAILURE_PROTOCOL, CAUSE_NONE, EPROTO },
        { FAILURE_BREAKER_OPEN, CAUSE_NONE, EHOSTDOWN },
        { FAILURE_BUDGET, CAUSE_NONE, EDQUOT },
        { FAILURE_SCHEMA, CAUSE_NONE, EBADMSG },
        { FAILURE_CANCELLED, CAUSE_NONE, ECANCELED },
        { FAILURE_INTERNAL, CAUSE_NONE, EIO },
        { FAILURE_INTERNAL, CAUSE_MEMORY, ENOMEM },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct failure failure = { .class = rows[i].class, .cause = rows[i].cause };
        assert_int_equal(error_of_failure(&failure), rows[i].error);
    }
}

static void test_no_failure_reads_as_the_end_of_an_answer(void **state) {
    for (int i = FAILURE_NONE + 1; i < FAILURE_CLASS_COUNT; i++) {
        struct failure failure = { .class = (enum failure_class)i };
        assert_int_not_equal(error_of_failure(&failure), 0);
    }
}

static void test_a_refused_open_says_why_in_its_own_words(void **state) {
    assert_int_equal(error_of_refusal(FAILURE_NONE), 0);
    assert_int_equal(error_of_refusal(FAILURE_AUTH), ENOKEY);
    assert_int_equal(error_of_refusal(FAILURE_BREAKER_OPEN), EHOSTDOWN);
    assert_int_equal(error_of_refusal(FAILURE_RATE_LIMIT), EAGAIN);
    assert_int_equal(error_of_refusal(FAILURE_BUDGET), EDQUOT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_failure_has_the_errno_of_the_manual),
        cmocka_unit_test(test_no_failure_reads_as_the_end_of_an_answer),
        cmocka_unit_test(test_a_refused_open_says_why_in_its_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
