#include "core/config/secret.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

// Hiding a harmless header costs nothing, so parts of names are enough.
static const char *const header_parts[] = { "auth",   "key",      "token",      "secret",
                                            "cookie", "password", "credential", "session" };
// In options max_tokens and the like must stay visible: the end of the name decides.
static const char *const member_ends[] = { "authorization", "api_key",    "api-key", "apikey",
                                           "access_token",  "password",   "secret",  "cookie",
                                           "bearer",        "credentials" };

bool secret_header(struct slice name) {
    for (size_t i = 0; i < sizeof(header_parts) / sizeof(*header_parts); i++)
        if (slice_contains_nocase(name, header_parts[i])) return true;
    return false;
}

static bool is_secret_member(const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(member_ends) / sizeof(*member_ends); i++) {
        size_t end = strlen(member_ends[i]);
        if (length >= end && strcasecmp(name + length - end, member_ends[i]) == 0) return true;
    }
    return false;
}

static void hide_headers(json_t *headers) {
    const char *name;
    json_t *value;
    json_object_foreach(headers, name, value) {
        if (json_is_string(value) && secret_header(slice_of(name)))
            json_string_set(value, SECRET_HIDDEN);
    }
}

void secret_hide_members(json_t *value) {
    const char *name;
    json_t *member;
    size_t i;
    json_array_foreach(value, i, member) secret_hide_members(member);
    json_object_foreach(value, name, member) {
        if (json_is_string(member) && is_secret_member(name))
            json_string_set(member, SECRET_HIDDEN);
        else if (strcasecmp(name, "headers") == 0)
            hide_headers(member);
        else
            secret_hide_members(member);
    }
}
