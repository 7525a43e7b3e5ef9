#include "fs/draft.h"

#include <string.h>

#include "fs/errors.h"

enum { NEWLINE_MAX = 2 }; // CR LF

void draft_init(struct draft *draft, size_t length_max, bool is_prose) {
    *draft = (struct draft){ .length_max = length_max, .is_prose = is_prose, .in_order = true };
    bytes_init(&draft->text, length_max + NEWLINE_MAX);
}

void draft_finish(struct draft *draft) {
    bytes_finish(&draft->text);
}

// Makes the text length bytes long; what is new is zero.
static int set_length(struct draft *draft, size_t length) {
    struct bytes *text = &draft->text;
    if (length > text->length_max) return ERROR_TOO_LARGE;
    if (length > text->length) {
        if (!bytes_reserve(text, length - text->length)) return ERROR_NO_MEMORY;
        memset(text->data + text->length, 0, length - text->length);
    }
    text->length = length;
    if (text->data) text->data[length] = '\0';
    return 0;
}

static int append(struct draft *draft, struct slice slice) {
    if (draft->is_prose && draft->in_order && !text_check_feed(&draft->check, slice))
        return ERROR_NOT_TEXT;
    return bytes_append_slice(&draft->text, slice) ? 0 : ERROR_NO_MEMORY;
}

static int overwrite(struct draft *draft, size_t offset, struct slice slice) {
    if (draft->is_prose && memchr(slice.data, '\0', slice.length)) return ERROR_NOT_TEXT;
    draft->in_order = false;
    if (offset + slice.length > draft->text.length) {
        int error = set_length(draft, offset + slice.length);
        if (error) return error;
    }
    memcpy(draft->text.data + offset, slice.data, slice.length);
    return 0;
}

static int put(struct draft *draft, size_t offset, struct slice slice) {
    size_t length_max = draft->text.length_max;
    if (offset > length_max || slice.length > length_max - offset) return ERROR_TOO_LARGE;
    int error =
        offset == draft->text.length ? append(draft, slice) : overwrite(draft, offset, slice);
    if (error) return error;
    bool fits = text_without_newline(bytes_slice(&draft->text)).length <= draft->length_max;
    return fits ? 0 : ERROR_TOO_LARGE;
}

int draft_write(struct draft *draft, size_t offset, struct slice slice, bool append_always) {
    if (draft->error) return draft->error;
    if (slice.length == 0) return 0;
    draft->error = put(draft, append_always ? draft->text.length : offset, slice);
    if (draft->error)
        bytes_finish(&draft->text);
    else
        draft->written = true;
    return draft->error;
}

int draft_resize(struct draft *draft, size_t length) {
    if (draft->error) return 0;
    if (length > draft->length_max) return ERROR_TOO_LARGE;
    if (length != draft->text.length) draft->in_order = false;
    if (length == 0) {
        draft->check = (struct text_check){ 0 };
        draft->in_order = true;
    }
    return set_length(draft, length);
}

int draft_problem(const struct draft *draft) {
    if (!draft->written || draft->error || !draft->is_prose) return 0;
    struct slice text = text_without_newline(bytes_slice(&draft->text));
    bool is_text = draft->in_order ? text_check_ended(&draft->check) : text_is_valid(text);
    return text.length == 0 || is_text ? 0 : ERROR_NOT_TEXT;
}

bool draft_complete(struct draft *draft) {
    if (!draft->written || draft->error || draft_problem(draft)) return false;
    struct slice text = text_without_newline(bytes_slice(&draft->text));
    return text.length > 0 && !set_length(draft, text.length);
}
