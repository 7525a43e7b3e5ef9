/*
 * place: where prompts are written and answers read: a provider's directory. It knows which prompts
 * are open for writing, because whoever opens `response` then waits for them.
 *
 *   opened while nobody writes ───────────────> request
 *   opened while a prompt is open ─> writer ──> its request, else the newest, else nothing
 */
#ifndef ASKFS_FS_PLACE_H
#define ASKFS_FS_PLACE_H

#include "core/engine/request.h"
#include "fs/tree.h"

struct place;

/* A prompt that is open for writing. Embedded in its owner. */
struct writer {
    struct place *place;
    struct writer *older, *newer;
    struct follower *followers;
};

/* Whom a reader listens to. Embedded in its owner; zeroed storage follows nobody. */
struct follower {
    struct request *request; /* with a reference; NULL: none, or none yet */
    struct writer *writer;   /* the prompt it waits for */
    struct follower *next, *previous;
    struct watcher watcher;
};

/* The place that the file of this node belongs to. NULL: no memory. */
struct place *place_of(struct fs *fs, const struct node *node);
void places_destroy(struct fs *fs);

/* A prompt is, or would be, coming: somebody has it open for writing. */
bool place_is_being_written(const struct fs *fs, const struct node *node);
/* What is about the newest request has one inode as long as all who have it open read the same
 * text, because the kernel has one size and one set of pages for an inode. The round counts the
 * inodes: whoever opens it now belongs to this one, a new one when the last is open for another
 * text. */
uint64_t place_round(const struct fs *fs, const struct node *node);
/* For stat: when a prompt was written here last; before the first, when the tree was mounted. */
int64_t place_written_ns(const struct fs *fs, const struct node *node);
void place_note_write(struct place *place, int64_t wall_ns);

/* The newest prompt was no text: whoever reads gets this errno, until there is a better one (0). */
void place_refuse(struct place *place, int error);
/* Why there is no request to read of: the errno of a refused prompt, or that nobody asked. */
int place_problem(const struct fs *fs, const struct node *node);

void writer_open(struct writer *writer, struct place *place);
/* Its followers follow request from now on (NULL: nobody ever asked here) and are told. */
void writer_close(struct writer *writer, struct request *request);

/* changed is called whenever there may be more to read; it may stop following. */
void follower_init(struct follower *follower, void (*changed)(void *owner), void *owner);
/* Follows what an open of node binds to. False: nothing was ever asked here, or the newest prompt
 * was refused: place_problem. */
bool follower_bind(struct follower *follower, struct place *place, const struct node *node);
/* Follows what the other does. False: it follows nothing. */
bool follower_join(struct follower *follower, const struct follower *other);
void follower_follow(struct follower *follower, struct request *request);
void follower_finish(struct follower *follower);
/* It follows what an open of node would bind to now. */
bool follower_is_newest(const struct follower *follower, const struct fs *fs,
                        const struct node *node);
/* Is it one writer alone that it waits for? */
bool follower_awaits_one(const struct follower *follower);
/* It waits no longer for its writer, and follows what was asked before. */
void follower_look_back(struct follower *follower, const struct node *node);

/* Nothing more will come. */
bool follower_has_ended(const struct follower *follower);

#endif
