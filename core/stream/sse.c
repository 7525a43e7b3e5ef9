#include "core/stream/sse.h"

#include <string.h>

#include "core/stream/find.h"

void sse_init(struct sse *sse, struct bytes *buffer) {
    *sse = (struct sse){ .buffer = buffer };
    bytes_clear(buffer);
}

// ---- the buffer: data of the event under way, then its unfinished line ----

static enum sse_status append(struct sse *sse, struct slice slice) {
    struct bytes *buffer = sse->buffer;
    if (slice.length > buffer->length_max - buffer->length) return SSE_TOO_LONG;
    return bytes_append_slice(buffer, slice) ? SSE_MORE : SSE_NO_MEMORY;
}

static struct slice pending(const struct sse *sse) {
    return sse->data_length ? (struct slice){ sse->buffer->data, sse->data_length } : sse->data;
}

// Data that lies in the input must survive it.
static enum sse_status keep_data(struct sse *sse) {
    if (sse->data.length == 0) return SSE_MORE;
    enum sse_status status = append(sse, sse->data);
    sse->data_length = sse->buffer->length;
    sse->data = (struct slice){ 0 };
    return status;
}

static bool is_in_buffer(const struct sse *sse) {
    return sse->buffer->length > sse->data_length; // the unfinished line is
}

// The unfinished line is complete: its name goes, its value moves down behind the data. A bare line
// has no name that makes room for the '\n'.
static enum sse_status move_down(struct sse *sse, struct slice value) {
    struct bytes *buffer = sse->buffer;
    size_t offset = (size_t)(value.data - buffer->data);
    if (buffer->length == buffer->length_max) return SSE_TOO_LONG;
    if (!bytes_reserve(buffer, 1)) return SSE_NO_MEMORY;
    size_t to = sse->data_length + sse->has_data;
    memmove(buffer->data + to, buffer->data + offset, value.length);
    if (sse->has_data) buffer->data[sse->data_length] = '\n';
    buffer->length = to + value.length;
    buffer->data[buffer->length] = '\0';
    return SSE_MORE;
}

// value lies in the input, or at the end of the buffer behind the data.
static enum sse_status add_data(struct sse *sse, struct slice value) {
    bool buffered = is_in_buffer(sse);
    enum sse_status status = SSE_MORE;
    if (!buffered && !sse->has_data) {
        sse->has_data = true;
        sse->data = value;
        return SSE_MORE;
    }
    if (buffered) {
        status = move_down(sse, value);
    } else {
        status = keep_data(sse);
        if (status == SSE_MORE) status = append(sse, (struct slice){ "\n", 1 });
        if (status == SSE_MORE) status = append(sse, value);
    }
    sse->has_data = true;
    sse->data_length = sse->buffer->length;
    return status;
}

static void forget_line(struct sse *sse) {
    if (!is_in_buffer(sse)) return;
    sse->buffer->length = sse->data_length;
    sse->buffer->data[sse->data_length] = '\0';
}

static void forget_given(struct sse *sse) {
    if (sse->was_given && !sse->has_line) bytes_finish(sse->buffer);
    if (sse->has_line) bytes_remove_front(sse->buffer, sse->given_length);
    sse->was_given = false;
}

// ---- events ----

static enum sse_status give(struct sse *sse, struct slice type, struct slice data, bool raw,
                            struct sse_event *event_out) {
    *event_out = (struct sse_event){ type, data, raw };
    sse->was_given = sse->buffer->length > 0;
    sse->given_length = sse->data_length;
    sse->has_data = false;
    sse->data_length = 0;
    sse->data = (struct slice){ 0 };
    sse->type_length = 0;
    return SSE_EVENT;
}

static enum sse_status dispatch(struct sse *sse, struct sse_event *event_out) {
    forget_line(sse);
    if (!sse->has_data) { // an event without data is none
        sse->type_length = 0;
        return SSE_MORE;
    }
    return give(sse, (struct slice){ sse->type, sse->type_length }, pending(sse), false, event_out);
}

// The event under way is over, and the line belongs to the next one: it is looked at again.
static enum sse_status end_before_line(struct sse *sse, struct sse_event *event_out) {
    sse->has_line = true;
    return give(sse, (struct slice){ sse->type, sse->type_length }, pending(sse), false, event_out);
}

static void set_type(struct sse *sse, struct slice value) {
    if (value.length > SSE_TYPE_MAX) value.length = SSE_TYPE_MAX;
    if (value.length) memcpy(sse->type, value.data, value.length);
    sse->type_length = (unsigned char)value.length;
}

// Some servers forget the blank line between events. Two JSON objects never follow each other in
// one, so where they do an event is over; and a bare line always begins its own.
static bool ends_with_brace(const struct sse *sse) {
    struct slice data = pending(sse);
    return data.length && data.data[data.length - 1] == '}';
}

static enum sse_status bare_line(struct sse *sse, const char *type, struct slice value,
                                 struct sse_event *event_out) {
    if (sse->has_data) return end_before_line(sse, event_out);
    return give(sse, slice_of(type), value, true, event_out);
}

static enum sse_status data_line(struct sse *sse, struct slice value, struct sse_event *event_out) {
    bool begins = value.length && (value.data[0] == '{' || value.data[0] == '[');
    if (sse->has_data && begins && ends_with_brace(sse)) return end_before_line(sse, event_out);
    return add_data(sse, value);
}

static enum sse_status event_line(struct sse *sse, struct slice value,
                                  struct sse_event *event_out) {
    if (sse->has_data && ends_with_brace(sse)) return end_before_line(sse, event_out);
    set_type(sse, value);
    forget_line(sse);
    return SSE_MORE;
}

static struct slice field_value(struct slice line, size_t name_length) {
    struct slice value = { line.data + line.length, 0 };
    if (name_length == line.length) return value;
    value.data = line.data + name_length + 1;
    value.length = line.length - name_length - 1;
    if (value.length && value.data[0] == ' ') {
        value.data++;
        value.length--;
    }
    return value;
}

static bool is_name(struct slice line, size_t length, const char *name) {
    return slice_equals((struct slice){ line.data, length }, name);
}

static enum sse_status take_field(struct sse *sse, struct slice line, struct sse_event *event_out) {
    const char *colon = memchr(line.data, ':', line.length);
    size_t name_length = colon ? (size_t)(colon - line.data) : line.length;
    struct slice value = field_value(line, name_length);
    if (is_name(line, name_length, "data")) return data_line(sse, value, event_out);
    if (is_name(line, name_length, "event")) return event_line(sse, value, event_out);
    if (is_name(line, name_length, "error") && value.length && value.data[0] == '{')
        return bare_line(sse, "error", value, event_out);
    forget_line(sse);
    return SSE_MORE;
}

static enum sse_status take_line(struct sse *sse, struct slice line, struct sse_event *event_out) {
    if (line.length > sse->buffer->length_max - sse->data_length - sse->data.length)
        return SSE_TOO_LONG;
    if (!sse->began && slice_starts_with(line, "\xef\xbb\xbf")) {
        line.data += 3;
        line.length -= 3;
    }
    sse->began = true;
    if (line.length == 0) return dispatch(sse, event_out);
    if (line.data[0] == '{') return bare_line(sse, "", line, event_out);
    return take_field(sse, line, event_out);
}

// ---- lines ----

static void drop_front(struct slice *input, size_t count) {
    input->data += count;
    input->length -= count;
}

static void skip_lf(struct sse *sse, struct slice *input) {
    if (!sse->skip_lf || input->length == 0) return;
    sse->skip_lf = false;
    if (input->data[0] == '\n') drop_front(input, 1);
}

static void drop_line_end(struct sse *sse, struct slice *input) {
    sse->skip_lf = input->data[0] == '\r';
    drop_front(input, 1);
    skip_lf(sse, input);
}

static enum sse_status keep_rest(struct sse *sse, struct slice *input) {
    if (input->length > sse->buffer->length_max - sse->buffer->length - sse->data.length)
        return SSE_TOO_LONG;
    enum sse_status status = keep_data(sse);
    if (status == SSE_MORE) status = append(sse, *input);
    drop_front(input, input->length);
    return status;
}

// The line that the last event ended before: already without its end, in the buffer.
static enum sse_status take_held_line(struct sse *sse, struct sse_event *event_out) {
    sse->has_line = false;
    return take_line(sse, bytes_slice(sse->buffer), event_out);
}

// One line of the input, which holds its end.
static enum sse_status take_input_line(struct sse *sse, struct slice *input, size_t length,
                                       struct sse_event *event_out) {
    struct slice line = { input->data, length };
    bool buffered = is_in_buffer(sse);
    if (buffered) {
        enum sse_status status = append(sse, line);
        if (status != SSE_MORE) return status;
        line.data = sse->buffer->data + sse->data_length;
        line.length = sse->buffer->length - sse->data_length;
    }
    enum sse_status status = take_line(sse, line, event_out);
    if (sse->has_line && !buffered) {
        sse->has_line = false; // it stays in the input
        return status;
    }
    drop_front(input, length);
    drop_line_end(sse, input);
    return status;
}

enum sse_status sse_next(struct sse *sse, struct slice *input, struct sse_event *event_out) {
    forget_given(sse);
    skip_lf(sse, input);
    enum sse_status status = sse->has_line ? take_held_line(sse, event_out) : SSE_MORE;
    while (status == SSE_MORE && input->length) {
        const char *line_end = find_line_end(input->data, input->data + input->length);
        size_t length = (size_t)(line_end - input->data);
        if (length == input->length) return keep_rest(sse, input);
        status = take_input_line(sse, input, length, event_out);
    }
    if (status != SSE_MORE) return status;
    if (sse->buffer->length == 0 && sse->buffer->capacity) bytes_finish(sse->buffer);
    return keep_data(sse);
}

enum sse_status sse_end(struct sse *sse, struct sse_event *event_out) {
    forget_given(sse);
    enum sse_status status = sse->has_line ? take_held_line(sse, event_out) : SSE_MORE;
    return status == SSE_MORE ? dispatch(sse, event_out) : status;
}
