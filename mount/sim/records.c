#include "mount/sim/records.h"

#include <stdlib.h>
#include <string.h>

enum { FACTS_MAX = 64 << 10, PROMPT_SHOWN_MAX = 200 };

static const char *const state_names[] = { "open", "completed", "aborted" };

static void forget(struct record *record) {
    free(record->facts);
    *record = (struct record){ 0 };
}

void records_clear(struct records *records) {
    for (size_t i = 0; records->ring && i < RECORDS_KEPT; i++)
        forget(&records->ring[i]);
    records->oldest = records->added;
}

void records_finish(struct records *records) {
    records_clear(records);
    free(records->ring);
    free(records->hashes);
    *records = (struct records){ 0 };
}

struct record *records_get(struct records *records, uint64_t number) {
    if (!records->ring || number < records->oldest || number >= records->added) return NULL;
    return &records->ring[number % RECORDS_KEPT];
}

// ---- facts ----

static bool is_secret(const char *name) {
    static const char *const names[] = { "authorization", "proxy-authorization", "x-api-key",
                                         "api-key", "cookie" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

// Header bytes may be anything; what is not ASCII is not worth a conversion here.
static void write_ascii(struct out *out, const char *text) {
    char shown[512];
    size_t length = 0;
    for (; *text && length < sizeof(shown); text++)
        shown[length++] = (unsigned char)*text < 0x80 ? *text : '?';
    out_string(out, (struct slice){ shown, length });
}

static void write_headers(const struct request *request, struct out *out) {
    const char *name = NULL;
    const char *comma = "";
    out_text(out, ",\"headers\":{");
    while ((name = request_next_header(request, name))) {
        out_text(out, comma);
        write_ascii(out, name);
        out_text(out, ":");
        write_ascii(out, is_secret(name) ? "(present)" : request_value(name));
        comma = ",";
    }
    out_text(out, "}");
}

static struct slice beginning_of(struct slice prompt) {
    size_t length = 0;
    size_t characters = 0;
    while (length < prompt.length) {
        bool begins = ((unsigned char)prompt.data[length] & 0xc0) != 0x80;
        if (begins && characters++ == PROMPT_SHOWN_MAX) break;
        length++;
    }
    return (struct slice){ prompt.data, length };
}

static uint64_t hash_of(const struct request *request) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    const struct bytes *parts[] = { &request->target, &request->body };
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < parts[part]->length; i++)
            hash = (hash ^ (unsigned char)parts[part]->data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

// The how-manieth request of exactly this content it is.
static int attempt_of(const struct records *records, uint64_t hash) {
    int attempt = 1;
    for (uint64_t number = records->oldest; number < records->added; number++)
        attempt += records->hashes[number % RECORDS_KEPT] == hash;
    return attempt;
}

static bool make_ring(struct records *records) {
    if (records->ring) return true;
    records->ring = calloc(RECORDS_KEPT, sizeof(*records->ring));
    records->hashes = calloc(RECORDS_KEPT, sizeof(*records->hashes));
    if (records->ring && records->hashes) return true;
    free(records->ring);
    free(records->hashes);
    records->ring = NULL;
    records->hashes = NULL;
    return false;
}

static struct record *make_room(struct records *records) {
    if (records->added - records->oldest == RECORDS_KEPT) records->oldest++;
    struct record *record = &records->ring[records->added % RECORDS_KEPT];
    forget(record);
    return record;
}

uint64_t records_add(struct records *records, const struct request *request) {
    struct out facts;
    uint64_t hash = hash_of(request);
    if (!make_ring(records)) return records->added;
    int attempt = attempt_of(records, hash);
    struct record *record = make_room(records);
    out_init(&facts, FACTS_MAX);
    out_text(&facts, "\"method\":");
    write_ascii(&facts, request->method);
    out_text(&facts, ",\"path\":");
    write_ascii(&facts, request->target.data ? request->target.data : "");
    out_printf(&facts, ",\"attempt\":%d,\"body_bytes\":%zu", attempt, request->body.length);
    write_headers(request, &facts);
    record->facts = facts.good ? bytes_take(&facts.bytes) : NULL;
    out_finish(&facts);
    records->hashes[records->added % RECORDS_KEPT] = hash;
    return records->added++;
}

void records_explain(struct records *records, uint64_t number, const char *model, bool stream,
                     size_t turns, struct slice prompt) {
    struct record *record = records_get(records, number);
    struct out facts;
    if (!record || !record->facts) return;
    out_init(&facts, FACTS_MAX);
    out_text(&facts, record->facts);
    out_text(&facts, ",\"model\":");
    out_string(&facts, slice_of(model));
    out_printf(&facts, ",\"stream\":%s,\"turns\":%zu,\"prompt\":", stream ? "true" : "false",
               turns);
    out_string(&facts, beginning_of(prompt));
    if (facts.good) {
        free(record->facts);
        record->facts = bytes_take(&facts.bytes);
    }
    out_finish(&facts);
}

// ---- showing ----

static void write_record(const struct record *record, struct out *out) {
    out_printf(out, "{%s,\"status\":%d,\"state\":\"%s\",\"chunks\":%lld,\"fault\":", record->facts,
               record->status, state_names[record->state], (long long)record->chunks);
    if (record->fault)
        out_string(out, slice_of(record->fault));
    else
        out_text(out, "null");
    out_text(out, "}");
}

void records_write(const struct records *records, struct out *out) {
    const char *comma = "";
    out_text(out, "[");
    for (uint64_t number = records->oldest; number < records->added; number++) {
        const struct record *record = &records->ring[number % RECORDS_KEPT];
        if (!record->facts) continue;
        out_text(out, comma);
        write_record(record, out);
        comma = ",\n";
    }
    out_text(out, "]\n");
}
