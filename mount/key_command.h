/*
 * key_command: runs the program that prints a key, such as pass.
 */
#ifndef ASKFS_MOUNT_KEY_COMMAND_H
#define ASKFS_MOUNT_KEY_COMMAND_H

#include <stddef.h>
#include <sys/types.h>

enum { KEY_COMMAND_SECONDS_MAX = 30 };

/* Runs command (argv, NULL-ended, no shell) with our terminal, and writes the first line that it
 * prints to text; what it says on standard error is seen by the user. The length of the line, which
 * is size when it is longer. -1: problem says why, and never what it printed. */
ssize_t key_command_run(char *const *command, char *text, size_t size, char *problem,
                        size_t problem_size);

#endif
