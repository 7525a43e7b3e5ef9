#include "core/stream/seam.h"

#include <assert.h>
#include <string.h>

#include "core/stream/overlap.h"

enum {
    RESTART_MIN = 8,   // of a short delivered text, all of it; less proves nothing
    NEEDLE_BYTES = 16, // of the text's end, repeated behind a preamble
    PREAMBLE_MAX = 200,
    OPENING_MAX = 8
};

// How much of the text's end must be repeated to be believed. Servers that are given a prefill
// mostly go on exactly; a model that is shown its text mostly repeats some.
static size_t overlap_min(enum seam_kind kind, bool at_boundary) {
    if (kind == SEAM_PREFILL) return 24;
    return at_boundary ? 8 : 16;
}

const char *seam_problem_words(enum seam_problem problem) {
    static const char *const words[] = {
        [SEAM_FITS] = "it fits",
        [SEAM_DIVERGED] = "it went another way than what was delivered",
        [SEAM_TOO_SHORT] = "it ended before it had repeated what was delivered",
        [SEAM_AMBIGUOUS] = "it cannot be told whether it goes on or repeats",
        [SEAM_UNREADABLE] = "what was delivered could not be read again",
        [SEAM_NO_MEMORY] = "memory is short",
    };
    return words[problem];
}

// ---- what is known of the delivered text ----

static struct slice tail_of(const struct seam *seam) {
    return (struct slice){ seam->tail, seam->tail_length };
}

static bool copy_text(const struct seam_text *text, size_t offset, char *out, size_t length) {
    while (length) {
        struct slice part = text->read(text->owner, offset, length);
        if (part.length == 0) return false;
        if (part.length > length) part.length = length;
        memcpy(out, part.data, part.length);
        out += part.length;
        offset += part.length;
        length -= part.length;
    }
    return true;
}

static enum seam_status refuse(struct seam *seam, enum seam_problem problem) {
    bytes_finish(&seam->held);
    seam->problem = problem;
    return seam->status = SEAM_REFUSED;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

void seam_init(struct seam *seam, enum seam_kind kind, const struct seam_text *delivered,
               bool was_trimmed) {
    *seam = (struct seam){ .kind = kind, .delivered = *delivered, .was_trimmed = was_trimmed };
    bytes_init(&seam->held, SEAM_HELD_MAX);
    seam->is_following = kind == SEAM_REPLAY;
    if (kind == SEAM_EXACT || delivered->length == 0) seam->status = SEAM_JOINED;
    if (seam->status == SEAM_JOINED || seam->is_following) return;
    seam->head_length = smaller(delivered->length, SEAM_HEAD_MAX);
    seam->tail_length = smaller(delivered->length, SEAM_TAIL_MAX);
    if (!copy_text(delivered, 0, seam->head, seam->head_length) ||
        !copy_text(delivered, delivered->length - seam->tail_length, seam->tail, seam->tail_length))
        refuse(seam, SEAM_UNREADABLE);
}

void seam_finish(struct seam *seam) {
    bytes_finish(&seam->held);
    *seam = (struct seam){ .status = SEAM_REFUSED };
}

// ---- decisions ----

static struct slice held_from(const struct seam *seam, size_t start) {
    return (struct slice){ seam->held.data + start, seam->held.length - start };
}

// What is held, without its first bytes, joins.
static enum seam_status join(struct seam *seam, size_t preamble, size_t overlap,
                             struct bytes *out) {
    size_t dropped = preamble + overlap;
    if (seam->held.length > dropped && !bytes_append_slice(out, held_from(seam, dropped)))
        return refuse(seam, SEAM_NO_MEMORY);
    bytes_finish(&seam->held);
    seam->preamble_bytes = preamble;
    seam->overlap_bytes = overlap;
    return seam->status = SEAM_JOINED;
}

// White space that the request left out is delivered already: it need not be said again.
static enum seam_status join_plain(struct seam *seam, struct bytes *out) {
    size_t repeated = 0;
    if (seam->was_trimmed) {
        size_t blank = overlap_blank_bytes(tail_of(seam));
        struct slice blanks = { seam->tail + seam->tail_length - blank, blank };
        repeated = overlap_front(blanks, bytes_slice(&seam->held));
    }
    return join(seam, 0, repeated, out);
}

static enum seam_status join_overlap(struct seam *seam, struct bytes *out) {
    size_t overlap = seam->overlap;
    if (!overlap_is_pattern(tail_of(seam), overlap)) return join(seam, 0, overlap, out);
    return seam->kind == SEAM_PREFILL ? join_plain(seam, out) : refuse(seam, SEAM_AMBIGUOUS);
}

// All of the delivered text, once more.
static enum seam_status join_restart(struct seam *seam, struct bytes *out) {
    size_t length = seam->delivered.length;
    if (length < RESTART_MIN || overlap_is_pattern(tail_of(seam), seam->tail_length))
        return refuse(seam, SEAM_AMBIGUOUS);
    seam->restarted = true;
    return join(seam, 0, length, out);
}

// Takes what repeats the delivered text from the front of *text.
static enum seam_status follow(struct seam *seam, struct slice *text) {
    const struct seam_text *delivered = &seam->delivered;
    while (text->length && seam->followed < delivered->length) {
        size_t wanted = smaller(text->length, delivered->length - seam->followed);
        struct slice part = delivered->read(delivered->owner, seam->followed, wanted);
        part.length = smaller(part.length, wanted);
        if (part.length == 0) return refuse(seam, SEAM_UNREADABLE);
        if (memcmp(part.data, text->data, part.length) != 0) return refuse(seam, SEAM_DIVERGED);
        seam->followed += part.length;
        text->data += part.length;
        text->length -= part.length;
    }
    if (seam->followed < delivered->length) return SEAM_HOLDING;
    seam->overlap_bytes = delivered->length;
    return seam->status = SEAM_JOINED;
}

// The model began again, behind a preamble: from here on each byte must repeat.
static enum seam_status begin_following(struct seam *seam, size_t preamble, struct bytes *out) {
    struct bytes held = seam->held;
    struct slice rest = held_from(seam, preamble);
    bytes_init(&seam->held, 0);
    seam->restarted = true;
    seam->is_following = true;
    seam->preamble_bytes = preamble;
    enum seam_status status = follow(seam, &rest);
    if (status == SEAM_JOINED && rest.length && !bytes_append_slice(out, rest))
        status = refuse(seam, SEAM_NO_MEMORY);
    bytes_finish(&held);
    return status;
}

// Other places of the text begin like its beginning, so that beginning so says little.
static bool is_head_common(const struct seam *seam) {
    struct slice tail = tail_of(seam);
    size_t first = seam->delivered.length == tail.length; // its own place
    return memmem(tail.data + first, tail.length - first, seam->head, seam->head_length) != NULL;
}

// It began like the delivered text, then went another way.
static enum seam_status decide_diverged(struct seam *seam, struct bytes *out) {
    if (!is_head_common(seam)) return refuse(seam, SEAM_DIVERGED);
    return seam->kind == SEAM_PREFILL ? join_plain(seam, out) : refuse(seam, SEAM_AMBIGUOUS);
}

// ---- preambles ----

static enum preamble judge_tail(const struct seam *seam, size_t preamble, size_t repeated) {
    struct slice tail = tail_of(seam);
    enum preamble verdict =
        preamble_judge((struct slice){ seam->held.data, preamble + repeated }, repeated);
    if (verdict != PREAMBLE_YES) return verdict;
    size_t start = tail.length - repeated;
    bool said_before = memmem(tail.data, tail.length - 1, tail.data + start, repeated) != NULL;
    bool cuts_word = repeated < OVERLAP_SURE_BYTES && !overlap_is_boundary(tail, start);
    return said_before || cuts_word ? PREAMBLE_MAYBE : PREAMBLE_YES;
}

// Where words of that length may be found that were not there yet at the last look.
static const char *unsearched(const struct seam *seam, size_t length) {
    return seam->held.data + (seam->searched >= length ? seam->searched - length + 1 : 0);
}

// The delivered text's end, repeated behind a preamble.
static enum preamble find_tail(const struct seam *seam, size_t *preamble_out,
                               size_t *repeated_out) {
    struct slice tail = tail_of(seam);
    if (tail.length < NEEDLE_BYTES) return PREAMBLE_NO;
    const char *needle = tail.data + tail.length - NEEDLE_BYTES;
    const char *end = seam->held.data + seam->held.length;
    const char *at = unsearched(seam, NEEDLE_BYTES);
    while ((at = memmem(at, (size_t)(end - at), needle, NEEDLE_BYTES)) != NULL) {
        struct slice before = { seam->held.data, (size_t)(at - seam->held.data) + NEEDLE_BYTES };
        *repeated_out = overlap_back(before, tail);
        *preamble_out = before.length - *repeated_out;
        bool fits = *preamble_out > 0 && *preamble_out <= PREAMBLE_MAX;
        enum preamble verdict = fits ? judge_tail(seam, *preamble_out, *repeated_out) : PREAMBLE_NO;
        if (verdict != PREAMBLE_NO) return verdict;
        at++;
    }
    return PREAMBLE_NO;
}

// Its beginning, behind a preamble.
static enum preamble find_head(const struct seam *seam, size_t *preamble_out) {
    const char *end = seam->held.data + seam->held.length;
    const char *at = unsearched(seam, SEAM_HEAD_MAX);
    if (seam->head_length < SEAM_HEAD_MAX) return PREAMBLE_NO;
    while ((at = memmem(at, (size_t)(end - at), seam->head, SEAM_HEAD_MAX)) != NULL) {
        struct slice said = { seam->held.data, (size_t)(at - seam->held.data) + SEAM_HEAD_MAX };
        *preamble_out = said.length - SEAM_HEAD_MAX;
        bool fits = *preamble_out > 0 && *preamble_out <= PREAMBLE_MAX;
        enum preamble verdict = fits ? preamble_judge(said, SEAM_HEAD_MAX) : PREAMBLE_NO;
        if (verdict != PREAMBLE_NO) return verdict;
        at++;
    }
    return PREAMBLE_NO;
}

static bool may_begin_head(const struct seam *seam) {
    struct slice head = { seam->head, seam->head_length };
    if (head.length < SEAM_HEAD_MAX) return false;
    for (size_t start = 1; start <= PREAMBLE_MAX; start++) {
        struct slice held = held_from(seam, start);
        if (held.length < head.length && overlap_front(held, head) == held.length) return true;
    }
    return false;
}

// What is held may still turn out to be a preamble and words that follow it.
static bool may_be_preamble(const struct seam *seam) {
    struct slice tail = tail_of(seam);
    if (tail.length < NEEDLE_BYTES || preamble_is_ruled_out(bytes_slice(&seam->held))) return false;
    if (seam->held.length <= PREAMBLE_MAX) return true;
    struct slice behind = held_from(seam, PREAMBLE_MAX);
    return memmem(tail.data, tail.length, behind.data, behind.length) || may_begin_head(seam);
}

// ---- a new line, or marks, before repeated words ----

static size_t opening_bytes(const struct seam *seam) {
    size_t length = 0;
    while (length < seam->held.length && length < OPENING_MAX &&
           strchr(" \t\r\n\"'`*_>", seam->held.data[length]) && seam->held.data[length])
        length++;
    return length;
}

static enum seam_status decide_opening(struct seam *seam, size_t opening, bool ended,
                                       struct bytes *out) {
    struct slice tail = tail_of(seam);
    struct slice said = held_from(seam, opening);
    bool repeats = said.length >= OVERLAP_SURE_BYTES && overlap_back(tail, said) == said.length;
    if (repeats) seam->opened_overlap = said.length;
    bool may_repeat_more =
        said.length == 0 || memmem(tail.data, tail.length - 1, said.data, said.length) != NULL;
    if (!ended && may_repeat_more) return SEAM_HOLDING;
    size_t repeated = seam->opened_overlap;
    if (repeated == 0 || overlap_is_pattern(tail, repeated)) return join_plain(seam, out);
    seam->restarted = repeated == seam->delivered.length;
    return join(seam, opening, repeated, out);
}

static enum seam_status decide_preamble(struct seam *seam, bool ended, struct bytes *out) {
    size_t preamble, repeated;
    size_t opening = opening_bytes(seam);
    if (opening) return decide_opening(seam, opening, ended, out);
    enum preamble verdict = find_head(seam, &preamble);
    if (verdict == PREAMBLE_YES) return begin_following(seam, preamble, out);
    if (verdict == PREAMBLE_NO) verdict = find_tail(seam, &preamble, &repeated);
    seam->searched = seam->held.length;
    if (verdict == PREAMBLE_YES) {
        seam->restarted = repeated == seam->delivered.length;
        return join(seam, preamble, repeated, out);
    }
    if (verdict == PREAMBLE_MAYBE) return refuse(seam, SEAM_AMBIGUOUS);
    if (!ended && may_be_preamble(seam)) return SEAM_HOLDING;
    return join_plain(seam, out);
}

// ---- the evidence ----

static bool note_lead(struct seam *seam, size_t before, char c) {
    char next = '\0';
    if (seam->lead < before || before == seam->delivered.length) return true;
    if (before < seam->head_length)
        next = seam->head[before];
    else if (!copy_text(&seam->delivered, before, &next, 1))
        return false;
    seam->lead += next == c;
    return true;
}

static void note_tail(struct seam *seam, size_t before, char c) {
    struct slice tail = tail_of(seam);
    struct slice held = bytes_slice(&seam->held);
    size_t at = seam->candidate;
    bool goes_on = at + before < tail.length && tail.data[at + before] == c;
    if (!goes_on && at < tail.length) {
        const char *next = memmem(tail.data + at + 1, tail.length - at - 1, held.data, held.length);
        seam->candidate = next ? (size_t)(next - tail.data) : tail.length;
    }
    if (held.length > tail.length) return;
    size_t start = tail.length - held.length;
    size_t min = overlap_min(seam->kind, overlap_is_boundary(tail, start));
    if (held.length >= min && memcmp(tail.data + start, held.data, held.length) == 0)
        seam->overlap = held.length;
}

static enum seam_status decide(struct seam *seam, bool ended, struct bytes *out) {
    size_t length = seam->held.length;
    bool is_in_tail = seam->candidate + length < seam->tail_length;
    bool leads = seam->lead == length;
    bool begins_again = seam->lead >= SEAM_HEAD_MAX;
    if (leads && length == seam->delivered.length) return join_restart(seam, out);
    if (leads && begins_again && ((!is_in_tail && !seam->overlap) || length >= SEAM_TAIL_MAX))
        return begin_following(seam, 0, out);
    if (!ended && (leads || is_in_tail)) return SEAM_HOLDING;
    if (seam->overlap) return join_overlap(seam, out);
    if (begins_again && !leads) return decide_diverged(seam, out);
    if ((leads && length >= RESTART_MIN) || (is_in_tail && length >= NEEDLE_BYTES))
        return refuse(seam, SEAM_TOO_SHORT);
    return seam->kind == SEAM_CONTINUE ? decide_preamble(seam, ended, out) : join_plain(seam, out);
}

static enum seam_status take_byte(struct seam *seam, char c, struct bytes *out) {
    size_t before = seam->held.length;
    if (!bytes_append(&seam->held, &c, 1)) return refuse(seam, SEAM_NO_MEMORY);
    if (!note_lead(seam, before, c)) return refuse(seam, SEAM_UNREADABLE);
    note_tail(seam, before, c);
    return decide(seam, false, out);
}

// ---- feeding ----

enum seam_status seam_feed(struct seam *seam, struct slice text, struct bytes *out) {
    while (text.length && seam->status == SEAM_HOLDING) {
        if (seam->is_following) {
            follow(seam, &text);
        } else {
            take_byte(seam, text.data[0], out);
            text.data++;
            text.length--;
        }
    }
    if (seam->status == SEAM_JOINED && text.length && !bytes_append_slice(out, text))
        return refuse(seam, SEAM_NO_MEMORY);
    return seam->status;
}

enum seam_status seam_end(struct seam *seam, struct bytes *out) {
    if (seam->status != SEAM_HOLDING) return seam->status;
    if (!seam->is_following) {
        if (seam->held.length == 0) return join(seam, 0, 0, out);
        decide(seam, true, out);
    }
    if (seam->status == SEAM_HOLDING) refuse(seam, SEAM_TOO_SHORT);
    return seam->status;
}

ptrdiff_t seam_shift(const struct seam *seam) {
    assert(seam->status == SEAM_JOINED);
    if (seam->kind == SEAM_EXACT) return 0;
    return (ptrdiff_t)seam->delivered.length -
           (ptrdiff_t)(seam->preamble_bytes + seam->overlap_bytes);
}
