/*
 * mount_options: what stands behind -o, on a command line or in fstab. One table says which are
 * ours, which libfuse gets, which mean nothing here, and which are refused.
 */
#ifndef ASKFS_MOUNT_MOUNT_OPTIONS_H
#define ASKFS_MOUNT_MOUNT_OPTIONS_H

#include <stdio.h>

#include "mount/parse.h"

/* text: "name,name=value,..."; a backslash takes the next character as it is. */
enum step mount_options_take(struct parse *parse, const char *text);
/* After the last one: what libfuse is told whatever was said, and options->fuse_options. */
enum step mount_options_complete(struct parse *parse);

/* Their lines of --help. */
void mount_options_help(FILE *out);

#endif
