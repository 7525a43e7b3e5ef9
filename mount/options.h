/*
 * options: the command line. One table gives parsing, --help and the manual's list; another, in
 * mount_options, does the same for what stands behind -o.
 */
#ifndef ASKFS_MOUNT_OPTIONS_H
#define ASKFS_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct options {
    bool foreground;
    bool debug;         /* implies foreground */
    bool check;         /* read the configuration, say what would be mounted, and end */
    bool faults;        /* every provider has the file faults */
    char *config_file;  /* NULL: look for it */
    char *source;       /* NULL: none was given */
    char *mountpoint;   /* as given; NULL only with check */
    char *fuse_options; /* for libfuse, after -o: always nosuid,nodev,default_permissions */
};

enum options_verdict {
    OPTIONS_RUN,
    OPTIONS_DONE, /* --help, --version: all was said */
    OPTIONS_BAD   /* problem says what, for people */
};

/* options is filled, and to be finished, whatever the verdict. */
enum options_verdict options_parse(struct options *options, int argc, char **argv, char *problem,
                                   size_t problem_size);
void options_finish(struct options *options); /* accepts zeroed storage */

/* What --help says. */
void options_help(FILE *out);

#endif
