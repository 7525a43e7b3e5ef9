/*
 * seam: joins the text of a new attempt to the text that was delivered before it, without a lost
 * or repeated byte; or refuses. Pure.
 *
 *   HOLDING ──the evidence is in──────────────────────> JOINED    the rest passes through
 *      │ └────begins the delivered text again──┐           ^
 *      │                                       v           │
 *      │                    (HOLDING) every byte must repeat it, to its end
 *      v                                       │
 *   REFUSED <──────────────────────────────────┘            nothing of the attempt was given
 *
 * What comes is held back only while it may still turn out to repeat something: at most about
 * SEAM_HELD_MAX bytes. What is decided depends on the bytes alone, not on how they were cut.
 *
 *   exact     nothing is looked at: the provider goes on where it was asked to
 *   replay    byte for byte the delivered text, then what follows it
 *   prefill   goes on where the delivered text ends. Most servers do so exactly; what repeats a
 *             long end of the text all the same is dropped
 *   continue  the answer of a model that was shown the text: it may repeat the last words, begin
 *             with a preamble ("Sure, continuing:"), or begin the whole answer again
 *
 * The delivered text and what is fed must be whole characters of UTF-8, as decoders give them.
 *
 * No rule can tell a repeated end from a text that repeats itself ("0, 0, 0, "): there, prefill
 * is taken to go on exactly, and continue is refused.
 */
#ifndef ASKFS_CORE_STREAM_SEAM_H
#define ASKFS_CORE_STREAM_SEAM_H

#include "core/base/bytes.h"

enum seam_kind { SEAM_EXACT, SEAM_REPLAY, SEAM_PREFILL, SEAM_CONTINUE };
enum seam_status { SEAM_HOLDING, SEAM_JOINED, SEAM_REFUSED };

enum seam_problem {
    SEAM_FITS,
    SEAM_DIVERGED,   /* it began to repeat the delivered text, then went another way */
    SEAM_TOO_SHORT,  /* it ended before all of the delivered text was repeated */
    SEAM_AMBIGUOUS,  /* it may go on, or repeat: both would look the same */
    SEAM_UNREADABLE, /* the delivered text could not be read again */
    SEAM_NO_MEMORY
};

/* The text delivered so far, wherever it is kept; it must not change while the seam lives. */
struct seam_text {
    size_t length;
    /* 1 to size bytes of it, from offset on, good until the next call. Empty: it cannot be read. */
    struct slice (*read)(void *owner, size_t offset, size_t size);
    void *owner;
};

enum { SEAM_TAIL_MAX = 2000, SEAM_HEAD_MAX = 48, SEAM_HELD_MAX = 2304 };

/* Read only. */
struct seam {
    enum seam_kind kind;
    enum seam_status status;
    enum seam_problem problem; /* why it was refused */
    /* Once joined: what was left out of the attempt's text */
    size_t preamble_bytes;
    size_t overlap_bytes; /* what it repeated, all of the delivered text after a restart included */
    bool restarted;       /* the model began again instead of going on */

    struct seam_text delivered;
    bool was_trimmed;
    bool is_following;     /* each byte must repeat the delivered text */
    size_t followed;       /* bytes of the delivered text repeated so far */
    size_t lead;           /* bytes at its beginning that are the delivered text's, too */
    size_t overlap;        /* the longest end of the delivered text that it begins with */
    size_t candidate;      /* in tail: the first place that goes on like what is held */
    size_t searched;       /* so much of what is held was searched for the end of a preamble */
    size_t opened_overlap; /* repeated behind a new line or marks; 0: nothing was */
    size_t head_length;
    size_t tail_length;
    struct bytes held;
    char head[SEAM_HEAD_MAX];
    char tail[SEAM_TAIL_MAX];
};

/* was_trimmed: of a prefill, the request left out the white space at the text's end
 * (wire.trims_prefill). Nothing delivered joins at once. */
void seam_init(struct seam *seam, enum seam_kind kind, const struct seam_text *delivered,
               bool was_trimmed);
void seam_finish(struct seam *seam); /* accepts zeroed storage */

/* Takes text of the new attempt and appends to out what joins the delivered text. After
 * SEAM_REFUSED feed nothing further. No room in out is SEAM_REFUSED, SEAM_NO_MEMORY. */
enum seam_status seam_feed(struct seam *seam, struct slice text, struct bytes *out);

/* The attempt's answer is complete: decides with what is held. Never SEAM_HOLDING. For an attempt
 * that broke off, too, call seam_finish instead: what was held is gone. */
enum seam_status seam_end(struct seam *seam, struct bytes *out);

/* Once joined: offset x of the attempt's own text is x + shift of the joined text; for
 * decoder_shift_text. (SEAM_EXACT: 0, the decoder counts on.) */
ptrdiff_t seam_shift(const struct seam *seam);

/* For people: "it went another way than what was delivered". */
const char *seam_problem_words(enum seam_problem problem);

#endif
