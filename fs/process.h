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

enum process_signals {
    PROCESS_NO_SIGNAL,   /* nothing is pending: it was taken, or it is the freezer */
    PROCESS_STOP_SIGNAL, /* only what stops and continues: no tool need hear of it */
    PROCESS_SIGNAL,      /* anything else, or the thread is gone */
};

/* Which signals wait to be delivered to the thread? */
enum process_signals process_signals(pid_t thread);
enum process_signals process_status_signals(struct slice status_text); /* /proc/THREAD/status */

#endif
