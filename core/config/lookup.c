#include "core/config/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 4 << 20, CHUNK = 16384 };

void lookup_finish(struct found_file *found) {
    free(found->name);
    bytes_finish(&found->text);
}

/* 0, or what went wrong as an errno. */
static int read_whole(const char *name, struct bytes *text) {
    char chunk[CHUNK];
    int problem = 0;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) problem = errno;
        if (got > 0 && !bytes_append(text, chunk, (size_t)got)) problem = EFBIG;
        if (got <= 0 || problem) break;
    }
    close(fd);
    return problem;
}

enum outcome { FOUND, ABSENT, BROKEN };

static enum outcome try_file(const char *name, const char *named_by, struct source *source,
                             struct found_file *found) {
    bytes_clear(&found->text);
    int problem = read_whole(name, &found->text);
    bool is_absent = problem == ENOENT || problem == ENOTDIR;
    if (is_absent && !named_by) return ABSENT;
    if (problem) {
        source->file = NULL;
        source_problem(source, name, "cannot be read: %s%s", strerror(problem),
                       named_by ? named_by : "");
        return BROKEN;
    }
    found->name = strdup(name);
    if (found->name) return FOUND;
    source_out_of_memory(source);
    return BROKEN;
}

// A file that nobody named may be absent.
static enum outcome try_folder(const char *folder, const char *rest, struct source *source,
                               struct found_file *found) {
    char *name = source_join_file(folder, rest);
    if (!name) {
        source_out_of_memory(source);
        return BROKEN;
    }
    enum outcome outcome = try_file(name, NULL, source, found);
    free(name);
    return outcome;
}

static enum outcome try_all(const char *explicit_file, struct source *source,
                            struct found_file *found) {
    const char *named = source_variable(source, "ASKFS_CONFIG");
    if (explicit_file) return try_file(explicit_file, "; see -c FILE", source, found);
    if (named) return try_file(named, "; see the variable ASKFS_CONFIG", source, found);
    enum outcome outcome = ABSENT;
    const char *folder = source_variable(source, "XDG_CONFIG_HOME");
    const char *home = source_variable(source, "HOME");
    // The XDG specification: a relative folder is to be ignored.
    if (folder && folder[0] == '/')
        outcome = try_folder(folder, "askfs/config.json", source, found);
    else if (home)
        outcome = try_folder(home, ".config/askfs/config.json", source, found);
    if (outcome != ABSENT) return outcome;
    return try_file("/etc/askfs/config.json", NULL, source, found);
}

bool lookup_file(const char *explicit_file, struct source *source, struct found_file *found_out) {
    struct found_file found = { .name = NULL };
    bytes_init(&found.text, FILE_BYTES_MAX);
    if (try_all(explicit_file, source, &found) == BROKEN) {
        lookup_finish(&found);
        return false;
    }
    *found_out = found;
    return true;
}
