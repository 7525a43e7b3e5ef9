/*
 * lookup: which file is the configuration, and what is in it.
 */
#ifndef ASKFS_CORE_CONFIG_LOOKUP_H
#define ASKFS_CORE_CONFIG_LOOKUP_H

#include "core/config/source.h"

struct found_file {
    char *name; /* as the user or the rule names it; NULL: there is no configuration */
    struct bytes text;
};

/* Finds and reads the first of the files that config_load names. False: the error tells; it names
 * source->file, which is set to whatever was tried. */
bool lookup_file(const char *explicit_file, struct source *source, struct found_file *found_out);
void lookup_finish(struct found_file *found);

#endif
