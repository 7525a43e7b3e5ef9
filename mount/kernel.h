/*
 * kernel: settings of this kernel that would end a mount whose readers wait, as readers here do.
 */
#ifndef ASKFS_MOUNT_KERNEL_H
#define ASKFS_MOUNT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

/* The kernel's own folder of FUSE settings. */
#define KERNEL_FUSE_SETTINGS "/proc/sys/fs/fuse"

/* True: warning says which setting, and what to do. Kernels before 6.14 have none. */
bool kernel_ends_waiting(const char *settings_folder, char *warning, size_t warning_size);

#endif
