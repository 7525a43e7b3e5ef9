/*
 * daemon: goes to the background, and lets the shell have its prompt back only when it is known
 * whether the mount works.
 *
 *     the process that was started                its child, which runs the mount
 *     daemon_start ── fork ───────────────────────────> returns
 *        waits                                          mounts
 *        prints nothing, exits 0       <─────────────── daemon_ready
 *        prints "askfs: …", exits 1    <─────────────── daemon_failed, or it died
 */
#ifndef ASKFS_MOUNT_DAEMON_H
#define ASKFS_MOUNT_DAEMON_H

#include <stdbool.h>

struct daemon;

/* Returns in the process that is to run the mount; never NULL. Call it before any thread is
 * started. With foreground nothing is forked. */
struct daemon *daemon_start(bool foreground);

/* The tree is usable: the other process exits, this one lets go of terminal and folder. */
void daemon_ready(struct daemon *daemon);

/* Says on the user's standard error why not. The caller cleans up and exits with 1. After
 * daemon_ready there is nobody left to tell in the background. */
void daemon_failed(struct daemon *daemon, const char *problem);

void daemon_destroy(struct daemon *daemon); /* accepts NULL */

#endif
