#include "core/providers/turns.h"

#include "core/providers/request_body.h"
#include "core/stream/json_text.h"

// Understood in any language, and asks for nothing that a person would have to see. The seam
// removes what is repeated all the same.
static const char instruction[] =
    "The previous answer was interrupted. It ends exactly where the message above ends, perhaps in "
    "the middle of a word. Continue it from there, in the same language and form: no preamble, no "
    "comment, and nothing that was already said.";

static struct slice without_blank_end(struct slice text) {
    while (text.length &&
           (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\n' ||
            text.data[text.length - 1] == '\t' || text.data[text.length - 1] == '\r'))
        text.length--;
    return text;
}

static bool write_prefill(struct bytes *out, const struct question *question,
                          const struct dialect *dialect, const struct turns_style *style) {
    struct slice partial = question->partial;
    if (style->trims_prefill) partial = without_blank_end(partial);
    return bytes_append_text(out, ",{\"role\":\"assistant\",\"content\":") &&
           json_append_string(out, partial) &&
           bytes_append_text(out, dialect->prefill == PREFILL_PREFIX ? ",\"prefix\":true}" : "}");
}

bool turns_write(struct bytes *out, const struct question *question, const struct dialect *dialect,
                 const struct turns_style *style) {
    bool good = bytes_append_text(out, "[");
    if (style->has_system && question->system.length)
        good = good && request_body_message(out, "system", question->system) &&
               bytes_append_text(out, ",");
    good = good && request_body_message(out, "user", question->prompt);
    switch (question->continuation) {
    case CONTINUATION_NONE:
        break;
    case CONTINUATION_PREFILL:
        good = good && write_prefill(out, question, dialect, style);
        break;
    case CONTINUATION_INSTRUCTED:
        good = good && bytes_append_text(out, ",") &&
               request_body_message(out, "assistant", question->partial) &&
               bytes_append_text(out, ",") &&
               request_body_message(out, "user", slice_of(instruction));
        break;
    }
    return good && bytes_append_text(out, "]");
}
