#include "mount/keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mount/key_source.h"

enum { SLOT_SIZE = KEY_BYTES_MAX + 256 };

struct key_entry {
    char *header; /* in the region, or NULL */
    char *problem;
};

/* What an environment variable held. */
struct variable {
    char *name;
    char *value; /* in the region */
    struct variable *next;
};

struct keys {
    char *region; /* one slot while it is being read; a text and its NUL when it is kept */
    size_t region_size;
    size_t used;
    struct variable *variables; /* wiped from the environment */
    size_t count;
    struct key_entry entries[];
};

static const char *const header_names[] = {
    [KEY_BEARER] = "Authorization: Bearer ", [KEY_X_API_KEY] = "x-api-key: "
};

static const char *find_variable(const struct keys *keys, const char *name) {
    const struct variable *variable = keys ? keys->variables : NULL;
    while (variable && strcmp(variable->name, name) != 0)
        variable = variable->next;
    return variable ? variable->value : NULL;
}

// Reads one key to where it stays, or leaves the region as it was.
static bool load_one(struct keys *keys, const struct provider_config *provider, size_t index) {
    const char *name = header_names[provider->type->key_header];
    char *header = keys->region + keys->used;
    struct key_slot slot = { .text = header + strlen(name) };
    if (provider->key.source == KEY_NONE) return true;
    memcpy(header, name, strlen(name));
    const char *variable =
        provider->key.source == KEY_ENV ? find_variable(keys, provider->key.name) : NULL;
    if (key_source_read(&slot, &provider->key, variable)) {
        size_t length = strlen(name) + slot.length + 1;
        explicit_bzero(header + length - 1, SLOT_SIZE - length + 1);
        keys->entries[index].header = header;
        keys->used += length;
        return true;
    }
    explicit_bzero(header, SLOT_SIZE);
    keys->entries[index].problem = strdup(slot.problem);
    return keys->entries[index].problem != NULL;
}

// The text of the variable lies where /proc/PID/environ shows it: overwrite first, then forget.
static void wipe_variable(const char *name) {
    char *value = getenv(name);
    if (!value) return;
    explicit_bzero(value, strlen(value));
    unsetenv(name);
}

// What it holds goes to where it stays; one that is too long to be a key is told so later.
static bool take_variable(struct keys *keys, const struct keys *earlier, const char *name) {
    const char *value = find_variable(earlier, name);
    if (!value) value = getenv(name);
    if (!value || find_variable(keys, name)) return true;
    struct variable *variable = calloc(1, sizeof(*variable));
    if (!variable) return false;
    variable->name = strdup(name);
    variable->next = keys->variables;
    variable->value = keys->region + keys->used;
    keys->variables = variable;
    if (!variable->name) return false;
    size_t length = strnlen(value, KEY_BYTES_MAX + 1);
    memcpy(variable->value, value, length);
    keys->used += length + 1;
    wipe_variable(name);
    return true;
}

// Those that this configuration names, those that are known to hold keys, and those of before.
static bool take_variables(struct keys *keys, const struct keys *earlier,
                           const struct config *config) {
    bool taken = true;
    for (size_t i = 0; i < config->provider_count; i++)
        if (config->providers[i].key.source == KEY_ENV)
            taken = taken && take_variable(keys, earlier, config->providers[i].key.name);
    for (size_t i = 0; provider_types[i]; i++)
        if (provider_types[i]->key_variable)
            taken = taken && take_variable(keys, earlier, provider_types[i]->key_variable);
    const struct variable *each = earlier ? earlier->variables : NULL;
    for (; each; each = each->next)
        taken = taken && take_variable(keys, earlier, each->name);
    return taken;
}

static size_t whole_pages(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

static bool map_region(struct keys *keys, size_t slots) {
    keys->region_size = whole_pages((slots + 1) * SLOT_SIZE);
    keys->region =
        mmap(NULL, keys->region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (keys->region == MAP_FAILED) {
        keys->region = NULL;
        return false;
    }
    madvise(keys->region, keys->region_size, MADV_DONTDUMP);
    mlock(keys->region, keys->region_size); // keys_lock tells whether what remains could be locked
    return true;
}

static void give_back_rest(struct keys *keys) {
    size_t kept = whole_pages(keys->used + 1);
    if (kept == keys->region_size) return;
    munmap(keys->region + kept, keys->region_size - kept);
    keys->region_size = kept;
}

// Variables first: a command must not find them in its environment.
static bool load_all(struct keys *keys, const struct keys *earlier, const struct config *config) {
    if (!take_variables(keys, earlier, config)) return false;
    for (size_t i = 0; i < config->provider_count; i++)
        if (!load_one(keys, &config->providers[i], i)) return false;
    return true;
}

static size_t count_variables(const struct keys *keys) {
    size_t count = 0;
    for (const struct variable *each = keys ? keys->variables : NULL; each; each = each->next)
        count++;
    for (size_t i = 0; provider_types[i]; i++)
        count++;
    return count;
}

struct keys *keys_load(const struct config *config, const struct keys *earlier,
                       struct config_error *error_out) {
    size_t entries_size = config->provider_count * sizeof(struct key_entry);
    struct keys *keys = calloc(1, sizeof(*keys) + entries_size);
    if (!keys) goto no_memory;
    keys->count = config->provider_count;
    if (!map_region(keys, 2 * keys->count + count_variables(earlier))) goto destroy_keys;
    if (!load_all(keys, earlier, config)) goto destroy_keys;
    give_back_rest(keys);
    return keys;

destroy_keys:
    keys_destroy(keys);
no_memory:
    snprintf(error_out->text, sizeof(error_out->text), "out of memory");
    return NULL;
}

bool keys_have_variable(const struct keys *keys, const char *name) {
    const char *value = find_variable(keys, name);
    return value && value[0];
}

bool keys_lock(struct keys *keys) {
    madvise(keys->region, keys->region_size, MADV_DONTFORK);
    return mlock(keys->region, keys->region_size) == 0;
}

const char *keys_header(const struct keys *keys, size_t provider_index) {
    return keys->entries[provider_index].header;
}

const char *keys_problem(const struct keys *keys, size_t provider_index) {
    return keys->entries[provider_index].problem;
}

void keys_destroy(struct keys *keys) {
    if (!keys) return;
    for (size_t i = 0; i < keys->count; i++)
        free(keys->entries[i].problem);
    while (keys->variables) {
        struct variable *variable = keys->variables;
        keys->variables = variable->next;
        free(variable->name);
        free(variable);
    }
    if (keys->region) {
        explicit_bzero(keys->region, keys->region_size);
        munmap(keys->region, keys->region_size);
    }
    free(keys);
}
