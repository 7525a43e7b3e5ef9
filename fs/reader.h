/*
 * reader: an open file whose text may still be coming: response, reasoning, wait, models. A read
 * that finds nothing is parked, and answered when there is something, or the end.
 *
 * Every handle reads from byte 0 by the offsets that the kernel gives; who reads the same text
 * elsewhere does not matter.
 */
#ifndef ASKFS_FS_READER_H
#define ASKFS_FS_READER_H

#include "fs/handle.h"
#include "fs/place.h"

struct fuse_pollhandle;
struct parked;
struct reader;

/* The text behind a reader. */
struct reader_source {
    size_t (*length)(struct reader *reader); /* of what is there now */
    /* From offset on, at most size bytes, within length; borrowed for the answer. Empty: it could
     * not be read. */
    struct slice (*read)(struct reader *reader, size_t offset, size_t size);
    /* What the end of the text is: 0 or an errno. Asked after follower_has_ended only. */
    int (*error)(struct reader *reader);
};

struct reader {
    struct handle handle;
    const struct reader_source *source;
    struct follower follower;
    struct parked *parked;
    struct fuse_pollhandle *pollhandle; /* who wants to be told; NULL: nobody */
    size_t read_to;                     /* the furthest that was read: poll asks beyond */
};

/* A reader that follows nobody yet. size: of the struct that begins with it. NULL: no memory. */
struct reader *reader_create(struct fs *fs, const struct node *node,
                             const struct reader_source *source, size_t size);
/* The open of a kind whose readers are bound to a request. 0 or an errno. */
int reader_open(struct fs *fs, const struct node *node, const struct reader_source *source,
                struct handle **handle_out);
/* The request whose text stat tells of: that which whoever has the file open reads, else that which
 * an open would. NULL: none, or none yet. */
struct request *reader_shown_request(const struct fs *fs, const struct node *node);
int reader_failure(struct reader *reader); /* the errno of the request's end */

void reader_refuse(struct parked *parked, int error);

/* For struct kind. */
bool reader_is_newest(const struct handle *handle);
void reader_read(struct handle *handle, struct fuse_req *request, size_t size, size_t offset,
                 int flags);
unsigned reader_poll(struct handle *handle, struct fuse_pollhandle *pollhandle);
void reader_abandon(struct handle *handle);
void reader_close(struct handle *handle);

#endif
