#include "core/io/spill_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Space goes back to the disk so many blocks at a time, so often: a few milliseconds of each. */
enum { RETURNED_BLOCKS = 16, PLACES = 3, NAMES_TRIED = 100 };
static const int64_t return_pause_ns = 50 * TIME_MS;

/* A set of block numbers. None below first is in it. */
struct block_set {
    uint64_t *words;
    uint32_t first;
    size_t count;
};

struct spill_file {
    struct spill spill; /* first */
    struct spill_file_parts parts;
    int places[PLACES]; /* folders to try, until the file is made */
    size_t place_count;
    int place_error;         /* why there is none */
    int descriptor;          /* -1: not made yet */
    uint64_t blocks_max;     /* once it is made */
    uint32_t length;         /* in blocks; what lies behind was never used */
    uint32_t capacity;       /* of both sets */
    struct block_set unused; /* of those before length */
    struct block_set dirty;  /* the unused ones that still have space on the disk */
    struct timer return_timer;
};

// ---- sets ----

static bool set_has(const struct block_set *set, uint32_t block) {
    return set->words[block / 64] >> block % 64 & 1;
}

static void set_add(struct block_set *set, uint32_t block) {
    assert(!set_has(set, block));
    set->words[block / 64] |= UINT64_C(1) << block % 64;
    if (block < set->first || set->count == 0) set->first = block;
    set->count++;
}

static void set_remove(struct block_set *set, uint32_t block) {
    assert(set_has(set, block));
    set->words[block / 64] &= ~(UINT64_C(1) << block % 64);
    set->count--;
}

// The lowest one of a set that is not empty.
static uint32_t set_lowest(struct block_set *set) {
    assert(set->count > 0);
    uint32_t word = set->first / 64;
    while (!set->words[word])
        word++;
    set->first = word * 64 + (uint32_t)__builtin_ctzll(set->words[word]);
    return set->first;
}

static bool set_grow(struct block_set *set, uint32_t from, uint32_t to) {
    uint64_t *words = realloc(set->words, to / 64 * sizeof(*words));
    if (!words) return false;
    set->words = words;
    for (uint32_t word = from / 64; word < to / 64; word++)
        words[word] = 0;
    return true;
}

// ---- the file ----

static bool is_memory(int place) {
    struct statfs facts;
    if (fstatfs(place, &facts) != 0) return false;
    return facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC;
}

// Held from the start, so that a mount that comes to lie over the folder, ours above all, is never
// asked for it.
static void hold_place(struct spill_file *file, const char *folder, bool is_wanted) {
    if (!folder || folder[0] != '/') return;
    int place = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place >= 0 && (is_wanted || !is_memory(place)))
        file->places[file->place_count++] = place;
    else if (place >= 0)
        close(place);
    else
        file->place_error = errno;
}

static void let_places_go(struct spill_file *file) {
    while (file->place_count)
        close(file->places[--file->place_count]);
}

static int make_named_file(int place) {
    for (int try = 0; try < NAMES_TRIED; try++) {
        char name[64];
        snprintf(name, sizeof(name), "askfs-%d-%d", (int)getpid(), try);
        int descriptor = openat(place, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (descriptor >= 0) unlinkat(place, name, 0);
        if (descriptor >= 0 || errno != EEXIST) return descriptor;
    }
    return -1;
}

static int make_file(int place) {
    int descriptor = openat(place, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    bool is_refused = descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR);
    return is_refused ? make_named_file(place) : descriptor;
}

static void share_the_disk(struct spill_file *file) {
    struct statvfs facts;
    uint64_t bytes_max = file->parts.bytes_max;
    if (fstatvfs(file->descriptor, &facts) == 0) {
        uint64_t share = (uint64_t)facts.f_bavail * facts.f_frsize / 2;
        if (share < bytes_max) bytes_max = share;
    }
    file->blocks_max = bytes_max / SPILL_BLOCK_BYTES;
}

// 0, or why there is no file.
static int open_file(struct spill_file *file) {
    for (size_t i = 0; i < file->place_count && file->descriptor < 0; i++) {
        file->descriptor = make_file(file->places[i]);
        if (file->descriptor < 0) file->place_error = errno;
    }
    if (file->descriptor < 0) return file->place_error;
    share_the_disk(file);
    let_places_go(file);
    return 0;
}

// Room in the sets for one more block at the end.
static int lengthen(struct spill_file *file) {
    if (file->length >= file->blocks_max) return ENOSPC;
    if (file->length < file->capacity) return 0;
    uint32_t capacity = file->capacity ? file->capacity * 2 : 1024;
    if (capacity < file->capacity || !set_grow(&file->unused, file->capacity, capacity) ||
        !set_grow(&file->dirty, file->capacity, capacity))
        return ENOMEM;
    file->capacity = capacity;
    return 0;
}

// The lowest one, so that the file stays short and what is written together lies together.
static int allocate(struct spill *spill, uint32_t *block_out) {
    struct spill_file *file = (struct spill_file *)spill;
    int error = file->descriptor < 0 ? open_file(file) : 0;
    if (error) return error;
    if (file->unused.count) {
        *block_out = set_lowest(&file->unused);
        set_remove(&file->unused, *block_out);
        if (set_has(&file->dirty, *block_out)) set_remove(&file->dirty, *block_out);
        return 0;
    }
    error = lengthen(file);
    if (!error) *block_out = file->length++;
    return error;
}

static int write_bytes(struct spill *spill, uint32_t block, size_t offset, struct slice slice) {
    struct spill_file *file = (struct spill_file *)spill;
    assert(offset + slice.length <= SPILL_BLOCK_BYTES);
    off_t at = (off_t)block * SPILL_BLOCK_BYTES + (off_t)offset;
    while (slice.length) {
        ssize_t written = pwrite(file->descriptor, slice.data, slice.length, at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return written < 0 ? errno : ENOSPC;
        slice.data += written;
        slice.length -= (size_t)written;
        at += written;
    }
    return 0;
}

static int read_bytes(struct spill *spill, uint32_t block, size_t offset, char *into,
                      size_t length) {
    struct spill_file *file = (struct spill_file *)spill;
    assert(offset + length <= SPILL_BLOCK_BYTES);
    off_t at = (off_t)block * SPILL_BLOCK_BYTES + (off_t)offset;
    while (length) {
        ssize_t got = pread(file->descriptor, into, length, at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? errno : EIO; // shorter than what was written
        into += got;
        length -= (size_t)got;
        at += got;
    }
    return 0;
}

// ---- giving back ----

static void return_later(struct spill_file *file) {
    if (!file->dirty.count || timer_is_armed(&file->return_timer)) return;
    timer_arm(file->parts.timers, &file->return_timer,
              time_after(file->parts.clock->now_ns, return_pause_ns));
}

static void release(struct spill *spill, const uint32_t *blocks, size_t count) {
    struct spill_file *file = (struct spill_file *)spill;
    for (size_t i = 0; i < count; i++) {
        set_add(&file->unused, blocks[i]);
        set_add(&file->dirty, blocks[i]);
    }
    return_later(file);
}

// The next dirty blocks in a row, at most count. They are clean then, whatever the disk says: a
// file system that cannot make holes keeps its space until the blocks are used again.
static uint32_t return_row(struct spill_file *file, uint32_t count) {
    uint32_t first = set_lowest(&file->dirty);
    uint32_t end = first;
    for (; end - first < count && end < file->length && set_has(&file->dirty, end); end++)
        set_remove(&file->dirty, end);
    fallocate(file->descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (off_t)first * SPILL_BLOCK_BYTES, (off_t)(end - first) * SPILL_BLOCK_BYTES);
    return end - first;
}

static void return_some(void *owner) {
    struct spill_file *file = owner;
    for (uint32_t left = RETURNED_BLOCKS; left && file->dirty.count;)
        left -= return_row(file, left);
    return_later(file);
}

// ---- life ----

static void hold_places(struct spill_file *file) {
    const struct spill_file_parts *parts = &file->parts;
    if (parts->folder) {
        hold_place(file, parts->folder, true);
        return;
    }
    hold_place(file, parts->temporary, false);
    hold_place(file, "/var/tmp", false);
    hold_place(file, "/tmp", false);
}

struct spill_file *spill_file_create(const struct spill_file_parts *parts) {
    struct spill_file *file = calloc(1, sizeof(*file));
    if (!file) return NULL;
    if (!timers_reserve(parts->timers, 1)) {
        free(file);
        return NULL;
    }
    file->spill = (struct spill){ allocate, release, write_bytes, read_bytes };
    file->parts = *parts;
    file->descriptor = -1;
    file->place_error = ENODEV;
    hold_places(file);
    timer_init(&file->return_timer, return_some, file);
    return file;
}

void spill_file_destroy(struct spill_file *file) {
    if (!file) return;
    timer_disarm(file->parts.timers, &file->return_timer);
    timers_release(file->parts.timers, 1);
    let_places_go(file);
    if (file->descriptor >= 0) close(file->descriptor);
    free(file->unused.words);
    free(file->dirty.words);
    free(file);
}

struct spill *spill_file_spill(struct spill_file *file) {
    return &file->spill;
}
