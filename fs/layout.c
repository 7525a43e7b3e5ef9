#include "fs/layout.h"

#include <string.h>

#include "fs/kinds/kinds.h"

// 0600 for what starts or tells requests, 0444 for health: to whom a file belongs. What can be done
// with it its kind says.
#define DIRECTORY(permissions) (S_IFDIR | (permissions))
#define LINK (S_IFLNK | 0777)
#define REGULAR(permissions) (S_IFREG | (permissions))

static const struct entry entries[] = {
    { .name = "" }, // no file has number 0
    [LAYOUT_ROOT] = { .name = "/", .mode = DIRECTORY(0755), .holds = DIRECTORY_ROOT },

#define IN .in = DIRECTORY_ROOT
    { IN, "README", REGULAR(0444), .kind = &kind_text, .text = &text_readme, .is_of_config = true },
    { IN, "status", REGULAR(0444), .kind = &kind_text, .text = &text_mount_status },
    { IN, "metrics", REGULAR(0444), .kind = &kind_text, .text = &text_metrics },
    { IN, "events", REGULAR(0444), .kind = &kind_journal, .journal = &journal_events },
    { IN, "alerts", REGULAR(0444), .kind = &kind_journal, .journal = &journal_alerts },
    { IN, "config.json", REGULAR(0444), .kind = &kind_text, .text = &text_config,
      .is_of_config = true },
    { IN, "version", REGULAR(0444), .kind = &kind_text, .text = &text_version, .is_static = true },
    { IN, NULL, DIRECTORY(0755), .holds = DIRECTORY_PROVIDER },
#undef IN

#define IN .in = DIRECTORY_PROVIDER
    { IN, "prompt", REGULAR(0600), .kind = &kind_prompt, .text = &text_last_prompt },
    { IN, "response", REGULAR(0600), .kind = &kind_response, .is_of_newest = true,
      .has_recovery = true },
    { IN, "reasoning", REGULAR(0600), .kind = &kind_reasoning, .is_of_newest = true },
    { IN, "wait", REGULAR(0600), .kind = &kind_wait, .is_of_newest = true },
    { IN, "request.json", REGULAR(0600), .kind = &kind_text, .text = &text_body,
      .is_of_newest = true },
    { IN, "response.json", REGULAR(0600), .kind = &kind_text, .text = &text_message,
      .is_of_newest = true },
    { IN, "status", REGULAR(0444), .kind = &kind_text, .text = &text_provider_status },
    { IN, "breaker", REGULAR(0600), .kind = &kind_breaker, .text = &text_breaker },
    { IN, "error", REGULAR(0444), .kind = &kind_text, .text = &text_provider_error },
    { IN, "models", REGULAR(0444), .kind = &kind_models },
    { IN, "model", REGULAR(0600), .kind = &kind_setting, .text = &text_model,
      .setting = &setting_model },
    { IN, "system", REGULAR(0600), .kind = &kind_setting, .text = &text_system,
      .setting = &setting_system },
    { IN, "options.json", REGULAR(0600), .kind = &kind_setting, .text = &text_options,
      .setting = &setting_options },
    { IN, "faults", REGULAR(0600), .kind = &kind_faults, .text = &text_faults,
      .is_rehearsal = true },
    { IN, "requests", DIRECTORY(0700), .holds = DIRECTORY_REQUESTS },
#undef IN

#define IN .in = DIRECTORY_REQUESTS
    { IN, "latest", LINK },
    { IN, NULL, DIRECTORY(0700), .holds = DIRECTORY_REQUEST },
#undef IN

#define IN .in = DIRECTORY_REQUEST
    { IN, "prompt", REGULAR(0600), .kind = &kind_text, .text = &text_sent_prompt },
    { IN, "response", REGULAR(0600), .kind = &kind_response, .has_recovery = true },
    { IN, "reasoning", REGULAR(0600), .kind = &kind_reasoning },
    { IN, "status", REGULAR(0600), .kind = &kind_text, .text = &text_request_status },
    { IN, "error", REGULAR(0600), .kind = &kind_text, .text = &text_request_error },
    { IN, "attempts", REGULAR(0600), .kind = &kind_text, .text = &text_attempts },
    { IN, "wait", REGULAR(0600), .kind = &kind_wait },
    { IN, "cancel", REGULAR(0600), .kind = &kind_cancel },
    { IN, "request.json", REGULAR(0600), .kind = &kind_text, .text = &text_body },
    { IN, "response.json", REGULAR(0600), .kind = &kind_text, .text = &text_message },
#undef IN
};

enum { ENTRY_COUNT = sizeof(entries) / sizeof(*entries) };

size_t layout_count(void) {
    return ENTRY_COUNT - 1;
}

const struct entry *layout_entry(size_t number) {
    return number >= 1 && number < ENTRY_COUNT ? &entries[number] : NULL;
}

size_t layout_number(const struct entry *entry) {
    return (size_t)(entry - entries);
}

const struct entry *layout_find(enum directory in, const char *name) {
    const struct entry *nameless = NULL;
    for (size_t i = LAYOUT_ROOT + 1; i < ENTRY_COUNT; i++) {
        if (entries[i].in != in) continue;
        if (!entries[i].name)
            nameless = &entries[i];
        else if (strcmp(entries[i].name, name) == 0)
            return &entries[i];
    }
    return nameless;
}

const struct entry *layout_directory(enum directory holds) {
    for (size_t i = LAYOUT_ROOT; i < ENTRY_COUNT; i++)
        if (entries[i].holds == holds) return &entries[i];
    return NULL;
}

bool entry_is_directory(const struct entry *entry) {
    return S_ISDIR(entry->mode);
}

bool entry_is_file(const struct entry *entry) {
    return S_ISREG(entry->mode);
}
