#include "mount/sim/pieces.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"

enum {
    PART_BYTES_MAX = 64,        // of a word
    WORDY_BYTES_MAX = 16 << 10, // a longer text is cut evenly
    EVEN_PARTS = 4096,
    WORDS_IN_SENTENCE = 12,
    WORDS_IN_PARAGRAPH = 60,
    WORD_BYTES_MAX = 16
};

static const char *const vocabulary[64] = {
    "about",  "after",  "answer", "before",  "between", "bright",  "careful",  "carry",
    "choose", "clear",  "close",  "cloud",   "count",   "down",    "early",    "earth",
    "every",  "family", "field",  "first",   "forest",  "gentle",  "grain",    "green",
    "house",  "idea",   "island", "keep",    "known",   "large",   "later",    "learn",
    "light",  "little", "many",   "measure", "meadow",  "morning", "mountain", "never",
    "number", "ocean",  "often",  "old",     "open",    "paper",   "people",   "plain",
    "quiet",  "reason", "remain", "river",   "round",   "season",  "simple",   "small",
    "stone",  "story",  "true",   "under",   "water",   "whole",   "winter",   "word",
};

// ---- the given text ----

static bool is_inside_character(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t at_character(struct slice text, size_t offset) {
    while (offset < text.length && is_inside_character(text.data[offset]))
        offset++;
    return offset;
}

// Blanks, and the word behind them.
static size_t word_end(struct slice text, size_t from) {
    size_t end = from;
    while (end < text.length && isspace((unsigned char)text.data[end]))
        end++;
    while (end < text.length && !isspace((unsigned char)text.data[end]))
        end++;
    if (end - from > PART_BYTES_MAX) end = at_character(text, from + PART_BYTES_MAX);
    return end;
}

static bool cut_at_words(struct pieces *pieces, struct slice text) {
    for (size_t at = 0; at < text.length; at = word_end(text, at))
        pieces->parts++;
    pieces->ends = malloc((pieces->parts + 1) * sizeof(*pieces->ends));
    if (!pieces->ends) return false;
    size_t at = 0;
    for (size_t i = 0; i < pieces->parts; i++)
        pieces->ends[i] = (uint32_t)(at = word_end(text, at));
    return true;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

bool pieces_init(struct pieces *pieces, struct slice text, struct cut cut) {
    *pieces = (struct pieces){ .repeat = 1, .length = text.length };
    pieces->text = strndup(text.data ? text.data : "", text.length); // no NUL is in it
    if (!pieces->text) return false;
    if (cut.pieces)
        pieces->parts = least(cut.pieces, text.length);
    else if (cut.bytes)
        pieces->parts = (text.length + cut.bytes - 1) / cut.bytes;
    else if (text.length > WORDY_BYTES_MAX)
        pieces->parts = EVEN_PARTS;
    else
        return cut_at_words(pieces, text);
    return true;
}

void pieces_finish(struct pieces *pieces) {
    free(pieces->text);
    free(pieces->ends);
    free(pieces->lead);
    *pieces = (struct pieces){ 0 };
}

static size_t part_end(const struct pieces *pieces, size_t part) {
    if (pieces->ends) return pieces->ends[part];
    size_t whole = pieces->length / pieces->parts * (part + 1);
    size_t even = whole + pieces->length % pieces->parts * (part + 1) / pieces->parts;
    return at_character((struct slice){ pieces->text, pieces->length }, even);
}

static struct slice get_part(const struct pieces *pieces, size_t part) {
    size_t from = part ? part_end(pieces, part - 1) : 0;
    return (struct slice){ pieces->text + from, part_end(pieces, part) - from };
}

void pieces_shorten(struct pieces *pieces, size_t parts) {
    pieces->length = parts ? part_end(pieces, parts - 1) : 0;
    pieces->parts = parts;
}

// ---- generated words ----

void pieces_add_words(struct pieces *pieces, uint64_t seed, size_t count, size_t word_bytes) {
    pieces->seed = seed;
    pieces->words = count;
    pieces->word_bytes = word_bytes;
}

static void append_word(struct bytes *scratch, uint64_t seed, size_t index, bool last) {
    struct random random = { seed + index * UINT64_C(0x9e3779b97f4a7c15) };
    const char *word = vocabulary[random_next(&random) % 64];
    bool begins = index % WORDS_IN_SENTENCE == 0;
    bool ends = index % WORDS_IN_SENTENCE == WORDS_IN_SENTENCE - 1;
    bytes_append_text(scratch, index && index % WORDS_IN_PARAGRAPH == 0 ? "\n\n" : " ");
    size_t at = scratch->length;
    bytes_append_text(scratch, word);
    if (begins) scratch->data[at] = (char)toupper((unsigned char)scratch->data[at]);
    if (ends || last) bytes_append_text(scratch, ".");
}

// Room is made first, so that nothing below can fail; without memory the piece is empty.
static struct slice get_words(const struct pieces *pieces, size_t index, struct bytes *scratch) {
    bytes_clear(scratch);
    if (!bytes_reserve(scratch, pieces->word_bytes + WORD_BYTES_MAX)) return slice_of("");
    if (!pieces->word_bytes) {
        append_word(scratch, pieces->seed, index, index == pieces->words - 1);
        return bytes_slice(scratch);
    }
    uint64_t seed = pieces->seed + index * UINT64_C(0xd1342543de82ef95);
    for (size_t i = 1; scratch->length < pieces->word_bytes; i++)
        append_word(scratch, seed, i, false);
    return (struct slice){ scratch->data, pieces->word_bytes };
}

// ---- all of it ----

static size_t whole_count(const struct pieces *pieces) {
    return pieces->parts * pieces->repeat + pieces->words;
}

static struct slice get_whole(const struct pieces *pieces, size_t index, struct bytes *scratch) {
    size_t given = pieces->parts * pieces->repeat;
    if (index < given) return get_part(pieces, index % pieces->parts);
    return get_words(pieces, index - given, scratch);
}

bool pieces_skip(struct pieces *pieces, struct slice said, struct bytes *scratch) {
    size_t count = whole_count(pieces);
    for (size_t i = 0; i < count; i++) {
        struct slice piece = get_whole(pieces, i, scratch);
        size_t length = least(piece.length, said.length);
        if (length && memcmp(piece.data, said.data, length) != 0) return false;
        if (length < piece.length) {
            pieces->first = i;
            pieces->offset = length;
            return true;
        }
        said.data += length;
        said.length -= length;
    }
    if (said.length) return false;
    pieces->first = count;
    pieces->offset = 0;
    return true;
}

bool pieces_lead(struct pieces *pieces, struct slice lead) {
    free(pieces->lead);
    pieces->lead = strndup(lead.data, lead.length);
    return pieces->lead != NULL;
}

size_t pieces_count(const struct pieces *pieces) {
    return whole_count(pieces) - pieces->first + (pieces->lead != NULL);
}

struct slice pieces_get(const struct pieces *pieces, size_t index, struct bytes *scratch) {
    if (pieces->lead && index == 0) return slice_of(pieces->lead);
    if (pieces->lead) index--;
    struct slice piece = get_whole(pieces, index + pieces->first, scratch);
    if (index > 0) return piece;
    return (struct slice){ piece.data + pieces->offset, piece.length - pieces->offset };
}
