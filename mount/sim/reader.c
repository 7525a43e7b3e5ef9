#include "mount/sim/reader.h"

#include <strings.h>

static struct reader *reader_of(http_parser *parser) {
    return parser->data;
}

// ---- what the parser finds; anything but 0 ends its work ----

static int on_message_begin(http_parser *parser) {
    struct reader *reader = reader_of(parser);
    request_destroy(reader->request);
    reader->request = request_create();
    return reader->request ? 0 : 1;
}

static int on_url(http_parser *parser, const char *data, size_t length) {
    return bytes_append(&reader_of(parser)->request->target, data, length) ? 0 : 1;
}

static int on_header_field(http_parser *parser, const char *data, size_t length) {
    struct slice piece = { data, length };
    return request_add_name(reader_of(parser)->request, piece) ? 0 : 1;
}

static int on_header_value(http_parser *parser, const char *data, size_t length) {
    struct slice piece = { data, length };
    return request_add_value(reader_of(parser)->request, piece) ? 0 : 1;
}

// Never an upgrade: the request is served as it is.
static int on_headers_complete(http_parser *parser) {
    struct reader *reader = reader_of(parser);
    struct request *request = reader->request;
    parser->upgrade = 0;
    if (!request_end_headers(request)) return -1;
    bool has_length = parser->content_length != UINT64_MAX;
    if (has_length && parser->content_length > REQUEST_BODY_MAX) {
        request->problem_status = 413;
        return -1;
    }
    const char *expected = request_header(request, "expect");
    reader->wants_continue = expected && strcasecmp(expected, "100-continue") == 0;
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t length) {
    struct request *request = reader_of(parser)->request;
    if (bytes_append(&request->body, data, length)) return 0;
    request->problem_status = 413;
    return 1;
}

static int on_message_complete(http_parser *parser) {
    struct reader *reader = reader_of(parser);
    reader->keeps_alive = http_should_keep_alive(parser);
    reader->is_http_1_1 = parser->http_major > 1 || parser->http_minor > 0;
    reader->wants_continue = false;
    reader->request->method = http_method_str((enum http_method)parser->method);
    http_parser_pause(parser, 1); // what follows is another request
    return 0;
}

static const http_parser_settings findings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

// ---- reading ----

void reader_init(struct reader *reader) {
    *reader = (struct reader){ 0 };
    http_parser_init(&reader->parser, HTTP_REQUEST);
    reader->parser.data = reader;
}

void reader_finish(struct reader *reader) {
    request_destroy(reader->request);
    reader->request = NULL;
}

static enum reader_status note_bad(struct reader *reader) {
    reader->keeps_alive = false;
    if (!reader->request) reader->request = request_create();
    if (!reader->request) return READER_BAD;
    reader->request->method = http_method_str((enum http_method)reader->parser.method);
    if (reader->request->problem_status == 0) reader->request->problem_status = 400;
    return READER_BAD;
}

enum reader_status reader_next(struct reader *reader, struct slice *input) {
    size_t used = http_parser_execute(&reader->parser, &findings, input->data, input->length);
    enum http_errno error = HTTP_PARSER_ERRNO(&reader->parser);
    input->data += used;
    input->length -= used;
    if (error == HPE_OK) return READER_MORE;
    if (error != HPE_PAUSED) return note_bad(reader);
    http_parser_pause(&reader->parser, 0);
    return READER_REQUEST;
}
