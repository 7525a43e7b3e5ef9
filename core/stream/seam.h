#ifndef ASKFS_CORE_STREAM_SEAM_H
#define ASKFS_CORE_STREAM_SEAM_H
#include "core/base/bytes.h"
#include <string.h>
enum seam_kind { SEAM_EXACT, SEAM_REPLAY, SEAM_PREFILL, SEAM_CONTINUE };
enum seam_status { SEAM_HOLDING, SEAM_JOINED, SEAM_REFUSED, SEAM_NO_MEMORY };
struct seam_facts { size_t overlap; bool restarted; ptrdiff_t shift; };
struct seam { size_t length, at; struct slice (*read)(void *, size_t, size_t); void *owner; struct seam_facts facts; };
static inline bool seam_init(struct seam *s, enum seam_kind k, size_t length, struct slice (*read)(void *, size_t, size_t), void *owner){ *s = (struct seam){ .length = length, .read = read, .owner = owner }; return true; }
static inline void seam_finish(struct seam *s){}
static inline const struct seam_facts *seam_facts(const struct seam *s){ return &s->facts; }
static inline enum seam_status seam_feed(struct seam *s, struct slice t, struct bytes *out){
 while (t.length && s->at < s->length) { struct slice d = s->read(s->owner, s->at, t.length); if (memcmp(d.data, t.data, d.length)) return SEAM_REFUSED; s->at += d.length; t.data += d.length; t.length -= d.length; }
 if (s->at < s->length) return SEAM_HOLDING;
 bytes_append_slice(out, t); return SEAM_JOINED; }
static inline enum seam_status seam_end(struct seam *s, struct bytes *out){ return s->at < s->length ? SEAM_REFUSED : SEAM_JOINED; }
#endif
