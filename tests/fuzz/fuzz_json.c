/*
 * No bytes break the scanner or the repair. Where the scanner calls a JSON object ordinary, the
 * full parser finds the same text in it; and text cut out of a stream of values is the same however
 * cut.
 */
#include <jansson.h>

#include "core/base/text.h"
#include "core/providers/json.h"
#include "core/stream/json_repair.h"
#include "core/stream/json_scan.h"
#include "tests/fuzz/cuts.h"

enum { SLOT_TEXT, OUT_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_rule inner_rules[] = {
    JSON_RULE("content", JSON_WANT_STRING, SLOT_TEXT, NULL),
};
static const struct json_rules inner = JSON_RULES(inner_rules);
static const struct json_rule choice_rules[] = {
    JSON_RULE("delta", JSON_WANT_OBJECT, 0, &inner),
};
static const struct json_rules choice = JSON_RULES(choice_rules);
static const struct json_rule top_rules[] = {
    JSON_RULE("choices", JSON_WANT_FIRST, 0, &choice),
};
static const struct json_rules top = JSON_RULES(top_rules);

static const json_t *content_of(const json_t *root) {
    const json_t *first = json_array_get(json_object_get(root, "choices"), 0);
    return json_object_get(json_object_get(first, "delta"), "content");
}

// Keys said twice are read differently, and nobody sends them.
static void compare(struct slice inside, const json_t *content, bool marked) {
    struct bytes scanned, parsed;
    struct half halves[2] = { { 0 }, { 0 } };
    bytes_init(&scanned, OUT_MAX);
    bytes_init(&parsed, OUT_MAX);
    if (!json_unescape(inside, &halves[0], &scanned)) abort();
    struct slice text = json_slice_of(content);
    bool good = marked ? json_unmark(text, &halves[1], &parsed) : bytes_append_slice(&parsed, text);
    if (!good || halves[0].high != halves[1].high || scanned.length != parsed.length) abort();
    if (scanned.length && memcmp(scanned.data, parsed.data, scanned.length) != 0) abort();
    bytes_finish(&scanned);
    bytes_finish(&parsed);
}

static bool is_said_twice(struct slice text) {
    size_t count = 0;
    for (size_t i = 0; i + 5 < text.length; i++)
        count += memcmp(text.data + i, "\"delta", 6) == 0 ||
                 memcmp(text.data + i, "\"choic", 6) == 0 ||
                 memcmp(text.data + i, "\"conte", 6) == 0;
    return count != 3;
}

static void check_scan(struct slice text) {
    struct json_found found;
    bool marked;
    enum json_load_status status;
    bool ordinary = json_scan(text, &top, &found);
    json_t *root = json_load(text, &marked, &status);
    bool comparable = ordinary && root && found.strings[SLOT_TEXT].data && !is_said_twice(text);
    // A private character that looks like a mark, in JSON that had to be repaired, is read as one.
    bool private = memmem(text.data, text.length, "\xf4\x8d", 2) != NULL ||
                   memmem(text.data, text.length, "\\u", 2) != NULL;
    if (comparable && !(private && marked))
        compare(found.strings[SLOT_TEXT], content_of(root), marked);
    json_decref(root);
}

static void check_text(struct slice text) {
    struct bytes out;
    struct half half = { 0 };
    bytes_init(&out, OUT_MAX);
    if (!json_unescape(text, &half, &out) || !json_end_half(&half, &out)) abort();
    for (size_t i = 0; i < out.length; i++) // text_is_valid refuses a zero, which JSON may say
        if (out.data[i] == '\0') out.data[i] = ' ';
    if (!text_is_valid(bytes_slice(&out))) abort();
    bytes_finish(&out);
}

static size_t ends_of_values(const uint8_t *data, size_t size, bool cut) {
    struct json_span span = { 0 };
    struct cuts cuts;
    struct slice piece = { (const char *)data, size };
    size_t sum = 0;
    cuts_begin(&cuts, data, size);
    for (size_t before = 0; !cut || cuts_next(&cuts, &piece); before += piece.length) {
        struct slice rest = piece;
        while (rest.length) {
            bool between = span.depth == 0 && !span.in_string;
            if (between && rest.data[0] != '{' && rest.data[0] != '[') {
                rest.data++;
                rest.length--;
                continue;
            }
            if (json_span_next(&span, &rest)) {
                sum = sum * 31 + before + (size_t)(rest.data - piece.data);
                span = (struct json_span){ 0 };
            }
        }
        if (!cut) break;
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = { (const char *)data, size };
    check_scan(text);
    check_text(text);
    if (ends_of_values(data, size, false) != ends_of_values(data, size, true)) abort();
    return 0;
}
