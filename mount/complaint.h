/*
 * complaint: what libfuse and fusermount3 write to standard error when they cannot mount, caught
 * and made one line of ours that says what to do.
 */
#ifndef ASKFS_MOUNT_COMPLAINT_H
#define ASKFS_MOUNT_COMPLAINT_H

#include <stdbool.h>
#include <stddef.h>

/* Standard error, put aside. */
struct complaint {
    int stderr_before; /* -1: nothing is caught, they speak for themselves */
    int caught;
};

/* From here on nothing reaches the user. */
void complaint_begin(struct complaint *complaint);
/* It does again. Text that was caught is passed on when all went well, else it is put into problem:
 * "MOUNTPOINT: cannot be mounted: …". */
void complaint_end(struct complaint *complaint, bool all_went_well, const char *mountpoint,
                   char *problem, size_t problem_size);

/* The problem for what they said; text may hold several lines, or none. */
void complaint_explain(const char *text, const char *mountpoint, char *problem,
                       size_t problem_size);

#endif
