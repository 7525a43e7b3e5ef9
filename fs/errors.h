/*
 * errors: the one place where something that went wrong becomes an errno.
 */
#ifndef ASKFS_FS_ERRORS_H
#define ASKFS_FS_ERRORS_H

#include <errno.h>

#include "core/policy/failure.h"

/* What a caller may have asked for in vain. */
enum {
    ERROR_ABANDONED = ECONNABORTED, /* the mount is ending */
    ERROR_INTERRUPTED = EINTR,
    ERROR_NO_MEMORY = ENOMEM,
    ERROR_NO_NAME = ENOENT,
    ERROR_NO_REQUEST = ENODATA, /* nothing was ever asked here */
    ERROR_NOT_ALLOWED = EACCES, /* names cannot be made, moved or removed; read-only files */
    ERROR_NOT_OWNER = EPERM,
    ERROR_NOT_TEXT = EILSEQ, /* bad UTF-8, or NUL */
    ERROR_REFUSED_VALUE = EINVAL,
    ERROR_STALE = ESTALE, /* its request left the records */
    ERROR_TOO_LARGE = EFBIG,
    ERROR_UNREADABLE = EIO, /* the disk does not give back what was written to it */
    ERROR_WOULD_WAIT = EAGAIN
};

/* What reading past the last good byte gives; 0 for FAILURE_NONE. */
int error_of_failure(const struct failure *failure);

/* What opening a prompt for writing gives when provider_admits said class. */
int error_of_refusal(enum failure_class class);

#endif
