/*
 * version: program, libraries and kernel interface, for --version and the file version.
 */
#ifndef ASKFS_MOUNT_VERSION_H
#define ASKFS_MOUNT_VERSION_H

#include <stddef.h>

void version_text(char *text, size_t size);

#endif
