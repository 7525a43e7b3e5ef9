/*
 * parse: a command line being read; what options and mount_options share.
 */
#ifndef ASKFS_MOUNT_PARSE_H
#define ASKFS_MOUNT_PARSE_H

#include <stdio.h>

#include "core/base/bytes.h"
#include "mount/options.h"

struct parse {
    struct options *options;
    struct bytes fuse_options; /* for libfuse, as far as they are known */
    bool has_fsname;
    bool has_subtype;
    char *problem;
    size_t problem_size;
};

/* Ends the parse: something was said, or is wrong. */
enum step { GO_ON, SAID, WRONG };

/* Always WRONG, with the problem for people. */
enum step parse_wrong(struct parse *parse, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum step parse_no_memory(struct parse *parse);

/* Copies text to *kept, in place of what was there. */
enum step parse_keep_text(struct parse *parse, char **kept, const char *text);

/* One line of --help: name and value, with the separator between, and what it is for. */
void parse_help_line(FILE *out, const char *name, const char *separator, const char *value,
                     const char *help);

#endif
