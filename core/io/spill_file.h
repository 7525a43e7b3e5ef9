/*
 * spill_file: the spill in one file without a name, which is made when the first text is spilled.
 *
 * It lies in the folder that it was given; without one, in the first of $TMPDIR, /var/tmp and /tmp
 * that is on a disk (what a tmpfs holds is memory). It never has more than half of what was free
 * there when it was made. Space that is given back returns to the disk a little later, a piece at a
 * time, so that no reader waits for it.
 */
#ifndef ASKFS_CORE_IO_SPILL_FILE_H
#define ASKFS_CORE_IO_SPILL_FILE_H

#include "core/base/time.h"
#include "core/base/timers.h"
#include "core/store/spill.h"

struct spill_file;

struct spill_file_parts {
    struct clock *clock;   /* borrowed */
    struct timers *timers; /* borrowed */
    const char *folder;    /* borrowed; absolute; the only one to take; NULL: look for one */
    const char *temporary; /* borrowed; $TMPDIR, or NULL */
    uint64_t bytes_max;
};

/* Before the mount: it looks at folders, and makes no file yet. NULL: no memory. */
struct spill_file *spill_file_create(const struct spill_file_parts *parts);
void spill_file_destroy(struct spill_file *file); /* accepts NULL */
struct spill *spill_file_spill(struct spill_file *file);

#endif
