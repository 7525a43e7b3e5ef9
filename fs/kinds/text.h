/*
 * text: a file that says something about the moment it is opened. Every read of one open comes from
 * the same rendering, and stat gives its exact size, so that tools which trust a size work.
 *
 * Other kinds that can also be read so (prompt, settings, breaker) borrow what is here.
 */
#ifndef ASKFS_FS_KINDS_TEXT_H
#define ASKFS_FS_KINDS_TEXT_H

#include "fs/handle.h"

size_t text_size(struct fs *fs, const struct node *node);

/* Renders what the entry says into handle->text. 0 or an errno. */
int text_render(struct handle *handle);

#endif
