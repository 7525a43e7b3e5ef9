#include "core/policy/failure_hide.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

enum { NAMED_KEY_MIN = 8, NAME_MAX_LENGTH = 24 };

static bool is_key_character(char c) {
    return isalnum((unsigned char)c) || (c && strchr("-_*.+/", c));
}

static size_t key_length(const char *text) {
    size_t length = 0;
    while (is_key_character(text[length]))
        length++;
    return length;
}

// How much of the front says what kind of key follows; 0: it begins like none.
static size_t key_start(const char *text) {
    static const char *const starts[] = { "sk-",  "sk_",  "pk-",    "xai-", "gsk_",
                                          "csk-", "AIza", "nvapi-", "hf_",  "pplx-",
                                          "fw_",  "r8_",  "Bearer " };
    for (size_t i = 0; i < LENGTH(starts); i++)
        if (strncasecmp(text, starts[i], strlen(starts[i])) == 0) return strlen(starts[i]);
    return 0;
}

// Does the text before a ':' or '=' name a secret?
static bool names_secret(const char *text, size_t length) {
    static const char *const names[] = { "key", "token", "secret", "authorization" };
    if (length > NAME_MAX_LENGTH) {
        text += length - NAME_MAX_LENGTH;
        length = NAME_MAX_LENGTH;
    }
    for (size_t i = 0; i < LENGTH(names); i++)
        if (slice_contains_nocase((struct slice){ text, length }, names[i])) return true;
    return false;
}

// A word or a number is no key; a key mixes letters with digits, or is masked already.
static bool looks_random(const char *text, size_t length) {
    bool letter = false;
    bool other = false;
    for (size_t i = 0; i < length; i++) {
        letter |= isalpha((unsigned char)text[i]) != 0;
        other |= isdigit((unsigned char)text[i]) || text[i] == '*';
    }
    return length >= NAMED_KEY_MIN && letter && other;
}

static void hide_named(char *text) {
    for (char *at = text; *at; at++) {
        if ((*at != ':' && *at != '=') || !names_secret(text, (size_t)(at - text))) continue;
        char *key = at + 1 + strspn(at + 1, " \"'`");
        size_t length = key_length(key);
        if (looks_random(key, length)) memset(key, '*', length);
    }
}

void failure_hide_keys(char *text) {
    for (char *at = text; *at; at++) {
        bool begins = at == text || !is_key_character(at[-1]) || at[-1] == '/';
        size_t start = begins ? key_start(at) : 0;
        if (start) memset(at + start, '*', key_length(at + start));
    }
    hide_named(text);
}

void failure_hide_text(char *text, struct slice secret) {
    if (secret.length < FAILURE_SECRET_MIN) return;
    for (size_t left = strlen(text); left >= FAILURE_SECRET_MIN; left--, text++) {
        size_t length = left < secret.length ? left : secret.length;
        if (memcmp(text, secret.data, length) == 0) memset(text, '*', length);
    }
}
