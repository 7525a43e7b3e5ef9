#include <ctype.h>
#include <string.h>

#include "core/config/config.h"

enum { WORD_LENGTH_MAX = 48 };

static int least(int a, int b) {
    return a < b ? a : b;
}

static bool same_letter(char a, char b) {
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
 * The edits (insert, delete, replace, swap of two neighbours) that make candidate of word. A word
 * that was broken off ("conn") costs one more than its beginning needs, however long the rest.
 */
static int distance(const char *word, size_t length, const char *candidate, size_t other) {
    int rows[3][WORD_LENGTH_MAX + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= other; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= length; i++) {
        int *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = (int)i;
        for (size_t j = 1; j <= other; j++) {
            int replaced = above[j - 1] + (same_letter(word[i - 1], candidate[j - 1]) ? 0 : 1);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && same_letter(word[i - 1], candidate[j - 2]) &&
                           same_letter(word[i - 2], candidate[j - 1]);
            if (swapped) row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    int whole = row[other];
    if (length < 3) return whole;
    int beginning = row[0];
    for (size_t j = 1; j < other; j++)
        beginning = least(beginning, row[j]);
    return least(whole, beginning + 1);
}

// One slip in three letters; in a single letter there is nothing to recognise.
static int distance_max(size_t length) {
    return length < 2 ? 0 : length < 4 ? 1 : (int)(length + 2) / 3;
}

const char *config_suggest(const char *word, const char *const *candidates) {
    size_t length = strlen(word);
    if (length > WORD_LENGTH_MAX) return NULL;
    const char *nearest = NULL;
    int nearest_distance = distance_max(length) + 1;
    for (; *candidates; candidates++) {
        size_t other = strlen(*candidates);
        if (other > WORD_LENGTH_MAX) continue;
        int edits = distance(word, length, *candidates, other);
        if (edits >= nearest_distance) continue;
        nearest_distance = edits;
        nearest = *candidates;
    }
    return nearest;
}
