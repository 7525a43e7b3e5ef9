#include "fs/errors.h"

// The table of the manual, "Failures". Whatever is not listed is our own fault: EIO.
static const int class_errors[FAILURE_CLASS_COUNT] = {
    [FAILURE_AUTH] = EACCES,
    [FAILURE_PERMISSION] = EPERM,
    [FAILURE_BILLING] = EDQUOT,
    [FAILURE_NOT_FOUND] = ENXIO,
    [FAILURE_VALIDATION] = EINVAL,
    [FAILURE_CONTEXT_LENGTH] = EMSGSIZE,
    [FAILURE_REQUEST_TOO_LARGE] = EMSGSIZE,
    [FAILURE_CONTENT_FILTER] = ENOTSUP,
    [FAILURE_RATE_LIMIT] = EBUSY,
    [FAILURE_CONFLICT] = EBUSY,
    [FAILURE_OVERLOADED] = EREMOTEIO,
    [FAILURE_SERVER] = EREMOTEIO,
    [FAILURE_NETWORK] = ECONNRESET,
    [FAILURE_TIMEOUT] = ETIMEDOUT,
    [FAILURE_STREAM_TRUNCATED] = ECONNRESET,
    [FAILURE_STREAM_STALLED] = ETIMEDOUT,
    [FAILURE_PROTOCOL] = EPROTO,
    [FAILURE_BREAKER_OPEN] = EHOSTDOWN,
    [FAILURE_BUDGET] = EDQUOT,
    [FAILURE_SCHEMA] = EBADMSG,
    [FAILURE_PENDING] = EBUSY,
    [FAILURE_CANCELLED] = ECANCELED,
    [FAILURE_INTERNAL] = EIO,
};

// Some causes say more than their class.
static const struct {
    enum failure_class class;
    enum failure_cause cause;
    int error;
} cause_errors[] = {
    { FAILURE_NETWORK, CAUSE_RESOLVE, EHOSTUNREACH },
    { FAILURE_NETWORK, CAUSE_UNREACHABLE, EHOSTUNREACH },
    { FAILURE_NETWORK, CAUSE_PROXY, EHOSTUNREACH },
    { FAILURE_NETWORK, CAUSE_REFUSED, ECONNREFUSED },
    { FAILURE_NETWORK, CAUSE_RESET, ECONNRESET },
    { FAILURE_NETWORK, CAUSE_CERTIFICATE, EPROTO },
    { FAILURE_INTERNAL, CAUSE_MEMORY, ENOMEM },
};

static const struct {
    enum failure_class class;
    int error;
} refusal_errors[] = {
    { FAILURE_NONE, 0 },
    { FAILURE_AUTH, ENOKEY },
    { FAILURE_BREAKER_OPEN, EHOSTDOWN },
    { FAILURE_RATE_LIMIT, EAGAIN },
    { FAILURE_BUDGET, EDQUOT },
};

static int error_of_class(enum failure_class class) {
    return class_errors[class] ? class_errors[class] : EIO;
}

int error_of_failure(const struct failure *failure) {
    if (failure->class == FAILURE_NONE) return 0;
    for (size_t i = 0; i < sizeof(cause_errors) / sizeof(*cause_errors); i++)
        if (cause_errors[i].class == failure->class && cause_errors[i].cause == failure->cause)
            return cause_errors[i].error;
    return error_of_class(failure->class);
}

int error_of_refusal(enum failure_class class) {
    for (size_t i = 0; i < sizeof(refusal_errors) / sizeof(*refusal_errors); i++)
        if (refusal_errors[i].class == class) return refusal_errors[i].error;
    return error_of_class(class);
}
