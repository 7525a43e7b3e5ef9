#include "core/io/http_result.h"

#include <errno.h>

#include "core/base/text.h"

static enum transport_end refused_or(long os_error) {
    if (os_error == ENETUNREACH || os_error == EHOSTUNREACH || os_error == EADDRNOTAVAIL)
        return TRANSPORT_UNREACHABLE;
    return os_error == ETIMEDOUT ? TRANSPORT_CONNECT_TIMEOUT : TRANSPORT_REFUSED;
}

static const struct {
    CURLcode code;
    enum transport_end end;
} ends[] = {
    { CURLE_OK, TRANSPORT_OK },
    { CURLE_COULDNT_RESOLVE_HOST, TRANSPORT_RESOLVE },
    { CURLE_COULDNT_RESOLVE_PROXY, TRANSPORT_RESOLVE_PROXY },
    { CURLE_SSL_CONNECT_ERROR, TRANSPORT_TLS_HANDSHAKE },
    { CURLE_PEER_FAILED_VERIFICATION, TRANSPORT_CERTIFICATE },
    { CURLE_SSL_ISSUER_ERROR, TRANSPORT_CERTIFICATE },
    { CURLE_SSL_CACERT_BADFILE, TRANSPORT_CA_FILE },
    { CURLE_URL_MALFORMAT, TRANSPORT_BAD_URL },
    { CURLE_UNSUPPORTED_PROTOCOL, TRANSPORT_BAD_URL },
    { CURLE_GOT_NOTHING, TRANSPORT_EMPTY_REPLY },
    { CURLE_SEND_ERROR, TRANSPORT_SEND },
    { CURLE_RECV_ERROR, TRANSPORT_RECEIVE },
    { CURLE_PARTIAL_FILE, TRANSPORT_PARTIAL },
    { CURLE_HTTP2_STREAM, TRANSPORT_HTTP2_STREAM },
    { CURLE_HTTP2, TRANSPORT_HTTP2 },
    { CURLE_WEIRD_SERVER_REPLY, TRANSPORT_NOT_HTTP },
    { CURLE_BAD_CONTENT_ENCODING, TRANSPORT_BAD_ENCODING },
    { CURLE_OUT_OF_MEMORY, TRANSPORT_NO_MEMORY },
    { CURLE_WRITE_ERROR, TRANSPORT_ABORTED },
    { CURLE_ABORTED_BY_CALLBACK, TRANSPORT_ABORTED },
    { CURLE_OPERATION_TIMEDOUT, TRANSPORT_CONNECT_TIMEOUT },
};

static enum transport_end end_of(CURL *easy, CURLcode code, const struct http_sending *sending) {
    long os_error = 0;
    if (sending->is_twice) return TRANSPORT_EMPTY_REPLY;
    if (code == CURLE_COULDNT_CONNECT) {
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
        return refused_or(os_error);
    }
    // Curl's word for a scheme it does not know, and for a reply without a status line.
    if (code == CURLE_UNSUPPORTED_PROTOCOL && sending->was_sent) return TRANSPORT_NOT_HTTP;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (ends[i].code == code) return ends[i].end;
    return TRANSPORT_OTHER;
}

struct transfer_result http_result(CURL *easy, CURLcode code, const struct http_sending *sending) {
    struct transfer_result result = { .end = end_of(easy, code, sending), .connect_ns = -1 };
    long connections = 0;
    curl_off_t connect_us = 0;
    curl_off_t secured_us = 0;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &secured_us);
    result.reused_connection = sending->was_sent && (connections == 0 || sending->is_twice);
    if (secured_us > connect_us) connect_us = secured_us;
    if (result.reused_connection)
        result.connect_ns = 0;
    else if (connect_us > 0)
        result.connect_ns = connect_us * 1000;
    if (code != CURLE_OK) {
        const char *words = sending->error[0] ? sending->error : curl_easy_strerror(code);
        if (sending->is_twice) words = "a kept connection was closed before the reply";
        text_printable(result.detail, sizeof(result.detail), slice_of(words));
    }
    return result;
}
