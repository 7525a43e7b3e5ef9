/*
 * A main for compilers without libFuzzer: runs the files of the folders given, then mutations of
 * them, so many as the first argument says. What libFuzzer does better, where clang is.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 1000, FILE_BYTES_MAX = 1 << 20, CHANGES_MAX = 8 };

struct file {
    uint8_t *data;
    size_t size;
};

static struct file load(const char *path) {
    struct file file = { malloc(FILE_BYTES_MAX), 0 };
    FILE *stream = fopen(path, "rb");
    if (!file.data) abort();
    if (stream) file.size = fread(file.data, 1, FILE_BYTES_MAX, stream);
    if (stream) fclose(stream);
    return file;
}

static size_t load_folder(const char *folder, struct file files[FILES_MAX], size_t count) {
    struct dirent *entry;
    DIR *directory = opendir(folder);
    while (directory && count < FILES_MAX && (entry = readdir(directory))) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        files[count++] = load(path);
    }
    if (directory) closedir(directory);
    return count;
}

static void change(struct file *file, struct random *random) {
    static const char odd[] = "\"\\{}[]:,\r\n \xf0\xff\0u0d8";
    size_t at = file->size ? (size_t)random_between(random, 0, (int64_t)file->size - 1) : 0;
    switch (random_between(random, 0, 3)) {
    case 0: // another byte
        if (file->size) file->data[at] = (uint8_t)random_next(random);
        break;
    case 1: // one that means something
        if (file->size) file->data[at] = (uint8_t)odd[random_between(random, 0, sizeof(odd) - 1)];
        break;
    case 2: // cut short
        file->size = at;
        break;
    default: // a piece taken out
        if (file->size - at > 4) {
            size_t gone = (size_t)random_between(random, 1, 4);
            memmove(file->data + at, file->data + at + gone, file->size - at - gone);
            file->size -= gone;
        }
    }
}

static void run_changed(const struct file *file, struct random *random) {
    struct file copy = { malloc(file->size + 1), file->size };
    if (!copy.data) abort();
    memcpy(copy.data, file->data, file->size);
    for (int64_t i = random_between(random, 1, CHANGES_MAX); i > 0; i--)
        change(&copy, random);
    LLVMFuzzerTestOneInput(copy.data, copy.size);
    free(copy.data);
}

int main(int argc, char **argv) {
    static struct file files[FILES_MAX];
    struct random random = { 1 };
    size_t count = 0;
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    for (int i = 2; i < argc; i++)
        count = load_folder(argv[i], files, count);
    for (size_t i = 0; i < count; i++)
        LLVMFuzzerTestOneInput(files[i].data, files[i].size);
    for (long i = 0; count && i < rounds; i++)
        run_changed(&files[(size_t)random_between(&random, 0, (int64_t)count - 1)], &random);
    printf("%zu files and %ld mutations held\n", count, rounds);
    for (size_t i = 0; i < count; i++)
        free(files[i].data);
    return count == 0;
}
