/*
 * xattr: the one extended attribute there is: user.askfs.recovery of an answer says how it went on
 * after its stream had broken. Its value is a text: the way of the newest reconnect, or "none",
 * then each seam, the way and the byte where it is: "prefill prefill@1234".
 *
 * Each open that empties a file, and each file of ls -l, makes the kernel or the tool ask for
 * attributes of other kinds. They are answered by their name alone.
 */
#ifndef ASKFS_FS_XATTR_H
#define ASKFS_FS_XATTR_H

#include "core/base/bytes.h"
#include "fs/tree.h"

/* False: no file has it, and error_out says so. */
bool xattr_is_known(const char *name, int *error_out);

/* The value of the known one, and the names that a file has, each with its NUL; appended to out.
 * 0 or an errno. */
int xattr_get(const struct node *node, struct bytes *out);
int xattr_list(const struct node *node, struct bytes *out);

#endif
