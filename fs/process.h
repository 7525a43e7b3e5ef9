/*
 * process: what /proc says about a thread that is waiting for us. The readings of texts are pure.
 */
#ifndef ASKFS_FS_PROCESS_H
#define ASKFS_FS_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "core/base/bytes.h"

/* Is the thread being ended by a signal? Ask while it waits for the answer to its FLUSH. False when
 * that cannot be known. */
bool process_is_killed(pid_t thread);
bool process_stat_is_killed(struct slice stat_text); /* of /proc/THREAD/stat */

/* Does the thread, alone in its process, hold this file open for writing? Then nobody closes it
 * while the thread waits for us. False when that cannot be known. */
bool process_holds_alone(pid_t thread, uint64_t inode);
bool process_status_is_alone(struct slice status_text);               /* /proc/THREAD/status */
bool process_fdinfo_writes(struct slice fdinfo_text, uint64_t inode); /* /proc/THREAD/fdinfo/N */

enum process_signals {
    PROCESS_NO_SIGNAL,   /* nothing is pending: it was taken, or it is the freezer */
    PROCESS_STOP_SIGNAL, /* only what stops and continues: no tool need hear of it */
    PROCESS_SIGNAL,      /* anything else, or the thread is gone */
};

/* Which signals wait to be delivered to the thread? */
enum process_signals process_signals(pid_t thread);
enum process_signals process_status_signals(struct slice status_text); /* /proc/THREAD/status */

#endif
