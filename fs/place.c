#include "fs/place.h"

#include <assert.h>
#include <stdlib.h>

#include "fs/errors.h"
#include "fs/kind.h"
#include "fs/state.h"

struct place {
    struct writer *newest;
    int64_t written_wall_ns;
    int refusal; // of the newest prompt; 0: none
    uint64_t round;
};

static struct place *find_place(const struct fs *fs, const struct node *node) {
    return node->provider_index < fs->place_count ? fs->places[node->provider_index] : NULL;
}

// Room for the places of all providers that there are.
static bool grow(struct fs *fs) {
    size_t count = engine_provider_count(fs->parts.engine);
    struct place **places = realloc(fs->places, count * sizeof(*places));
    if (!places) return false;
    for (size_t i = fs->place_count; i < count; i++)
        places[i] = NULL;
    fs->places = places;
    fs->place_count = count;
    return true;
}

struct place *place_of(struct fs *fs, const struct node *node) {
    assert(node->provider);
    if (node->provider_index >= fs->place_count && !grow(fs)) return NULL;
    struct place **place = &fs->places[node->provider_index];
    if (*place) return *place;
    *place = calloc(1, sizeof(**place));
    if (*place) (*place)->written_wall_ns = fs->mounted_wall_ns;
    return *place;
}

void places_destroy(struct fs *fs) {
    for (size_t i = 0; i < fs->place_count; i++)
        free(fs->places[i]);
    free(fs->places);
}

bool place_is_being_written(const struct fs *fs, const struct node *node) {
    const struct place *place = find_place(fs, node);
    return place && place->newest;
}

// All who have an inode open read the same: it is enough to look at one of them.
uint64_t place_round(const struct fs *fs, const struct node *node) {
    struct place *place = find_place(fs, node);
    if (!place) return 0;
    struct node now = *node;
    now.round = place->round;
    const struct handle *open = handles_find(fs, tree_inode(&now));
    const struct kind *kind = node->entry->kind;
    if (open && !(kind->is_newest && kind->is_newest(open))) place->round++;
    return place->round;
}

int64_t place_written_ns(const struct fs *fs, const struct node *node) {
    const struct place *place = find_place(fs, node);
    return place ? place->written_wall_ns : fs->mounted_wall_ns;
}

void place_note_write(struct place *place, int64_t wall_ns) {
    place->written_wall_ns = wall_ns;
}

void place_refuse(struct place *place, int error) {
    place->refusal = error;
}

int place_problem(const struct fs *fs, const struct node *node) {
    const struct place *place = node->request ? NULL : find_place(fs, node);
    return place && place->refusal ? place->refusal : ERROR_NO_REQUEST;
}

// ---- writers ----

void writer_open(struct writer *writer, struct place *place) {
    *writer = (struct writer){ .place = place, .older = place->newest };
    if (place->newest) place->newest->newer = writer;
    place->newest = writer;
}

static void leave_writer(struct follower *follower) {
    struct writer *writer = follower->writer;
    if (follower->previous)
        follower->previous->next = follower->next;
    else
        writer->followers = follower->next;
    if (follower->next) follower->next->previous = follower->previous;
    follower->next = follower->previous = NULL;
    follower->writer = NULL;
}

void writer_close(struct writer *writer, struct request *request) {
    if (writer->newer)
        writer->newer->older = writer->older;
    else
        writer->place->newest = writer->older;
    if (writer->older) writer->older->newer = writer->newer;
    while (writer->followers) {
        struct follower *follower = writer->followers;
        leave_writer(follower);
        if (request) follower_follow(follower, request);
        // It may have ended before anybody watched it.
        follower->watcher.changed(follower->watcher.owner);
    }
}

// ---- followers ----

void follower_init(struct follower *follower, void (*changed)(void *owner), void *owner) {
    *follower = (struct follower){ .watcher = { .changed = changed, .owner = owner } };
}

void follower_follow(struct follower *follower, struct request *request) {
    follower->request = request_keep(request);
    request_watch(request, &follower->watcher);
}

static void join_writer(struct follower *follower, struct writer *writer) {
    follower->writer = writer;
    follower->next = writer->followers;
    if (writer->followers) writer->followers->previous = follower;
    writer->followers = follower;
}

bool follower_join(struct follower *follower, const struct follower *other) {
    if (other->writer)
        join_writer(follower, other->writer);
    else if (other->request)
        follower_follow(follower, other->request);
    return other->writer || other->request;
}

bool follower_bind(struct follower *follower, struct place *place, const struct node *node) {
    if (!node->request && place->newest) {
        join_writer(follower, place->newest);
        return true;
    }
    struct request *request = node_request(node);
    if (!request || (!node->request && place->refusal)) return false;
    follower_follow(follower, request);
    return true;
}

void follower_finish(struct follower *follower) {
    if (follower->writer) leave_writer(follower);
    if (!follower->request) return;
    request_unwatch(follower->request, &follower->watcher);
    request_release(follower->request);
    follower->request = NULL;
}

bool follower_is_newest(const struct follower *follower, const struct fs *fs,
                        const struct node *node) {
    const struct place *place = find_place(fs, node);
    if (place->newest || follower->writer) return follower->writer == place->newest;
    return !place->refusal && follower->request == node_request(node);
}

bool follower_awaits_one(const struct follower *follower) {
    const struct writer *writer = follower->writer;
    return writer && !writer->older && !writer->newer;
}

void follower_look_back(struct follower *follower, const struct node *node) {
    struct request *request = node_request(node);
    leave_writer(follower);
    if (request) follower_follow(follower, request);
}

bool follower_has_ended(const struct follower *follower) {
    if (follower->request) return request_has_ended(follower->request);
    return !follower->writer;
}
