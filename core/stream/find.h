/*
 * find: the next byte that matters, sixteen at a time where the machine can. Pure, and in the
 * header because every string of every event goes through it.
 *
 * Each gives end when there is none.
 */
#ifndef ASKFS_CORE_STREAM_FIND_H
#define ASKFS_CORE_STREAM_FIND_H

#include <stdbool.h>

static inline bool find_is_line_end(char c) {
    return c == '\n' || c == '\r';
}

static inline bool find_is_quote(char c) {
    return c == '"' || c == '\\';
}

static inline bool find_is_special(char c) {
    return find_is_quote(c) || (unsigned char)c < 0x20 || (unsigned char)c >= 0x80;
}

#ifdef __SSE2__
#include <emmintrin.h>

static inline __m128i find_load(const char *at) {
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline unsigned find_equal(__m128i bytes, char first, char second) {
    __m128i either = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(first)),
                                  _mm_cmpeq_epi8(bytes, _mm_set1_epi8(second)));
    return (unsigned)_mm_movemask_epi8(either);
}

// Read as signed numbers, bytes beyond ASCII are below the controls.
static inline unsigned find_specials(__m128i bytes) {
    unsigned low = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)));
    return low | find_equal(bytes, '"', '\\');
}
#endif

/* LF or CR. */
static inline const char *find_line_end(const char *at, const char *end) {
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        unsigned mask = find_equal(find_load(at), '\n', '\r');
        if (mask) return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && !find_is_line_end(*at))
        at++;
    return at;
}

/* '"' or '\\': what can end a JSON string, or hide its end. */
static inline const char *find_quote(const char *at, const char *end) {
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        unsigned mask = find_equal(find_load(at), '"', '\\');
        if (mask) return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && !find_is_quote(*at))
        at++;
    return at;
}

/* '"', '\\', a control character or a byte beyond ASCII: what cannot be copied unseen. */
static inline const char *find_special(const char *at, const char *end) {
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        unsigned mask = find_specials(find_load(at));
        if (mask) return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && !find_is_special(*at))
        at++;
    return at;
}

#endif
