#include "core/config/source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"

const char *source_variable(const struct source *source, const char *name) {
    const char *value = source->get(source->get_owner, name);
    return value && value[0] ? value : NULL;
}

void source_path(char path[SOURCE_PATH_SIZE], const char *parent, const char *key) {
    char shown[256];
    text_printable(shown, sizeof(shown), slice_of(key));
    int printed = snprintf(path, SOURCE_PATH_SIZE, "%s%s%s", parent, parent[0] ? "." : "", shown);
    if (printed >= SOURCE_PATH_SIZE) memcpy(path + SOURCE_PATH_SIZE - 4, "...", 4);
}

bool source_problem(const struct source *source, const char *path, const char *format, ...) {
    char *text = source->error_out->text;
    size_t size = sizeof(source->error_out->text);
    const char *const places[] = { source->file, path };
    size_t length = 0;
    va_list arguments;
    for (size_t i = 0; i < 2; i++)
        if (places[i] && places[i][0] && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s: ", places[i]);
    if (length >= size) return false;
    va_start(arguments, format);
    vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
    return false;
}

bool source_out_of_memory(const struct source *source) {
    return source_problem(source, NULL, "out of memory");
}

char *source_join_file(const char *folder, const char *name) {
    char *joined;
    if (asprintf(&joined, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name) < 0) return NULL;
    return joined;
}

char *source_absolute_file(const char *name) {
    if (name[0] == '/') return strdup(name);
    char *here = getcwd(NULL, 0);
    char *joined = here ? source_join_file(here, name) : NULL;
    free(here);
    return joined;
}

char *source_file(const struct source *source, const char *path, const char *name) {
    char *file = NULL;
    if (name[0] == '~' && name[1] != '/') {
        source_problem(source, path, "only ~/ is understood: write the whole path");
        return NULL;
    }
    if (name[0] == '~') {
        const char *home = source_variable(source, "HOME");
        if (!home) {
            source_problem(source, path, "HOME is not set: write the whole path instead of ~/");
            return NULL;
        }
        file = source_join_file(home, name + 2);
    } else {
        file = name[0] == '/' ? strdup(name) : source_join_file(source->folder, name);
    }
    if (!file) source_out_of_memory(source);
    return file;
}
