/*
 * http_result: how a transfer ended, from libcurl's words to ours.
 */
#ifndef ASKFS_CORE_IO_HTTP_RESULT_H
#define ASKFS_CORE_IO_HTTP_RESULT_H

#include <curl/curl.h>

#include "core/transport/transport.h"

/* What curl was seen to do on the way to its end. */
struct http_sending {
    bool was_sent;               /* over a connection, or is about to be */
    bool is_twice;               /* curl wanted to send it once more */
    char error[CURL_ERROR_SIZE]; /* CURLOPT_ERRORBUFFER's; empty: curl said nothing */
};

/* easy has ended with code, and still knows its transfer. */
struct transfer_result http_result(CURL *easy, CURLcode code, const struct http_sending *sending);

#endif
