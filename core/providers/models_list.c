#include "core/providers/models_list.h"

#include <string.h>

#include "core/providers/json.h"

enum { NAME_BYTES_MAX = 512, QUERY_BYTES_MAX = 2048 };

static struct slice name_of(const json_t *entry) {
    static const char *const keys[] = { "id", "name", "model", "key" };
    if (json_is_string(entry)) return json_slice_of(entry);
    struct slice name = { 0 };
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys) && name.length == 0; i++)
        name = json_slice(entry, keys[i]);
    return name;
}

// A name is one line, and nothing that a terminal would obey.
static bool is_showable(struct slice name) {
    for (size_t i = 0; i < name.length; i++)
        if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f) return false;
    return name.length > 0 && name.length <= NAME_BYTES_MAX;
}

static const json_t *entries_of(const json_t *root) {
    if (json_is_array(root)) return root;
    const json_t *entries = json_object_get(root, "data");
    if (!json_is_array(entries)) entries = json_object_get(root, "models");
    return json_is_array(entries) ? entries : NULL;
}

static bool append_names(const json_t *entries, struct bytes *out) {
    size_t i;
    const json_t *entry;
    json_array_foreach(entries, i, entry) {
        struct slice name = name_of(entry);
        if (!is_showable(name)) continue;
        if (!bytes_append_slice(out, name) || !bytes_append_text(out, "\n")) return false;
    }
    return true;
}

static bool is_plain(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           strchr("-._~", c) != NULL;
}

static bool append_escaped(struct bytes *query, struct slice text) {
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool good = c && is_plain(c) ? bytes_append(query, &c, 1)
                                     : bytes_printf(query, "%%%02X", (unsigned char)c);
        if (!good) return false;
    }
    return true;
}

static char *next_query(const json_t *root, const json_t *entries) {
    struct slice last = json_slice(root, "last_id");
    size_t count = json_array_size(entries);
    if (!json_is_true(json_object_get(root, "has_more")) || count == 0) return NULL;
    if (last.length == 0) last = name_of(json_array_get(entries, count - 1));
    struct bytes query;
    bytes_init(&query, QUERY_BYTES_MAX);
    if (last.length && bytes_append_text(&query, "after_id=") && append_escaped(&query, last) &&
        bytes_append_text(&query, "&limit=1000"))
        return bytes_take(&query);
    bytes_finish(&query);
    return NULL;
}

bool models_list_read(struct slice body, struct bytes *out, char **next_out) {
    bool marked;
    enum json_load_status status;
    json_t *root = json_load(body, &marked, &status);
    const json_t *entries = entries_of(root);
    bool good = entries && append_names(entries, out);
    if (good) *next_out = next_query(root, entries);
    json_decref(root);
    return good;
}
