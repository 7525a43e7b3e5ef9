#include "mount/key_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/key_command.h"

enum { PIPE_SECONDS_MAX = 10 };

static bool refuse(struct key_slot *slot, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct key_slot *slot, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(slot->problem, sizeof(slot->problem), format, arguments);
    va_end(arguments);
    return false;
}

static bool read_variable(struct key_slot *slot, const char *name, const char *value) {
    if (!value || !value[0])
        return refuse(slot, "environment variable %s is not set: set it and mount again", name);
    size_t length = strnlen(value, KEY_BYTES_MAX + 1);
    memcpy(slot->text, value, length);
    slot->length = length;
    return true;
}

static bool read_descriptor(struct key_slot *slot, int fd) {
    while (slot->length <= KEY_BYTES_MAX) {
        ssize_t got = read(fd, slot->text + slot->length, KEY_BYTES_MAX + 1 - slot->length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;
        slot->length += (size_t)got;
    }
    return true;
}

// Others who may read a key file have the key, so it is refused until that is repaired.
static bool check_file(struct key_slot *slot, int fd, const char *name, bool is_private) {
    struct stat attributes;
    if (fstat(fd, &attributes) < 0)
        return refuse(slot, "key file %s cannot be read: %s", name, strerror(errno));
    if (S_ISDIR(attributes.st_mode)) return refuse(slot, "key file %s is a directory", name);
    if (is_private && attributes.st_mode & (S_IRGRP | S_IROTH))
        return refuse(slot, "key file %s may be read by others: chmod 600 %s", name, name);
    return true;
}

// Of a pipe somebody has to write into; then it is read like any file.
static bool wait_for_writer(struct key_slot *slot, int fd, const char *name) {
    struct stat attributes;
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    bool is_pipe = fstat(fd, &attributes) == 0 && S_ISFIFO(attributes.st_mode);
    if (is_pipe && poll(&polled, 1, PIPE_SECONDS_MAX * 1000) == 0)
        return refuse(slot, "key file %s is a pipe, and nobody wrote into it for %d s", name,
                      PIPE_SECONDS_MAX);
    return fcntl(fd, F_SETFL, 0) == 0;
}

static bool read_file(struct key_slot *slot, const char *name, bool is_private) {
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return refuse(slot, "key file %s cannot be read: %s", name, strerror(errno));
    bool read_whole = check_file(slot, fd, name, is_private) && wait_for_writer(slot, fd, name);
    if (read_whole && !read_descriptor(slot, fd))
        read_whole = refuse(slot, "key file %s cannot be read: %s", name, strerror(errno));
    close(fd);
    return read_whole;
}

// systemd keeps the folder to the service; whom a file in it belongs to is systemd's business.
static bool read_credential(struct key_slot *slot, const char *name) {
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char *file;
    if (!folder || !folder[0])
        return refuse(slot,
                      "credential %s: CREDENTIALS_DIRECTORY is not set: start askfs from a "
                      "systemd unit with LoadCredential=%s:FILE",
                      name, name);
    if (asprintf(&file, "%s/%s", folder, name) < 0) return refuse(slot, "out of memory");
    bool read_whole = read_file(slot, file, false);
    free(file);
    return read_whole;
}

static bool read_command(struct key_slot *slot, char *const *command) {
    ssize_t length = key_command_run(command, slot->text, KEY_BYTES_MAX + 1, slot->problem,
                                     sizeof(slot->problem));
    if (length < 0) return false;
    slot->length = (size_t)length;
    return true;
}

static bool read_text(struct key_slot *slot, const struct key_config *key, const char *variable) {
    switch (key->source) {
    case KEY_NONE:
        return false;
    case KEY_ENV:
        return read_variable(slot, key->name, variable);
    case KEY_FILE:
        return read_file(slot, key->name, true);
    case KEY_COMMAND:
        return read_command(slot, key->command);
    case KEY_CREDENTIAL:
        return read_credential(slot, key->name);
    }
    return false;
}

static const char *place_name(const struct key_config *key) {
    return key->source == KEY_COMMAND ? key->command[0] : key->name;
}

// A header is one line of printable ASCII; a key of several words is most likely no key.
static bool check_key(struct key_slot *slot, const char *place) {
    while (slot->length && strchr("\r\n", slot->text[slot->length - 1]) &&
           slot->text[slot->length - 1])
        slot->length--;
    if (slot->length == 0) return refuse(slot, "the key from %s is empty", place);
    if (slot->length > KEY_BYTES_MAX)
        return refuse(slot, "the key from %s is longer than %d bytes", place, KEY_BYTES_MAX);
    for (size_t i = 0; i < slot->length; i++)
        if (slot->text[i] <= ' ' || slot->text[i] >= 0x7f)
            return refuse(slot,
                          "the key from %s holds a space, a line end or another character "
                          "that no key has",
                          place);
    return true;
}

bool key_source_read(struct key_slot *slot, const struct key_config *key, const char *variable) {
    return read_text(slot, key, variable) && check_key(slot, place_name(key));
}
