#include "core/providers/tool_calls.h"

#include <stdlib.h>
#include <string.h>

#include "core/providers/json.h"

enum { CALLS_MAX = 1024, NO_INDEX = -1 };

struct tool_call {
    int64_t index;
    struct bytes id;
    struct bytes name;
    struct bytes arguments;
    struct half half;
};

void tool_calls_finish(struct tool_calls *calls) {
    for (size_t i = 0; i < calls->count; i++) {
        bytes_finish(&calls->calls[i].id);
        bytes_finish(&calls->calls[i].name);
        bytes_finish(&calls->calls[i].arguments);
    }
    free(calls->calls);
    *calls = (struct tool_calls){ 0 };
}

static struct tool_call *add_call(struct tool_calls *calls, struct decoder *decoder,
                                  int64_t index) {
    if (calls->count == CALLS_MAX) {
        decoder_fail_stream(decoder, STREAM_TOO_LONG, slice_of("tool calls"));
        return NULL;
    }
    if (!decoder_keeps(decoder, sizeof(*calls->calls))) return NULL;
    struct tool_call *grown = realloc(calls->calls, (calls->count + 1) * sizeof(*grown));
    if (!grown) {
        decoder_fail_memory(decoder);
        return NULL;
    }
    calls->calls = grown;
    struct tool_call *call = &grown[calls->count++];
    *call = (struct tool_call){ .index = index };
    bytes_init(&call->id, DECODER_KEPT_MAX);
    bytes_init(&call->name, DECODER_KEPT_MAX);
    bytes_init(&call->arguments, DECODER_KEPT_MAX);
    return call;
}

static bool is_known(const struct tool_call *call, struct slice id) {
    return call->id.length == id.length && memcmp(call->id.data, id.data, id.length) == 0;
}

static struct tool_call *find_call(struct tool_calls *calls, int64_t index, struct slice id) {
    for (size_t i = calls->count; i-- > 0;) {
        struct tool_call *call = &calls->calls[i];
        if (index != NO_INDEX && call->index == index) return call;
        if (index == NO_INDEX && id.length && is_known(call, id)) return call;
    }
    bool goes_on = index == NO_INDEX && id.length == 0 && calls->count;
    return goes_on ? &calls->calls[calls->count - 1] : NULL;
}

static bool keep(struct decoder *decoder, struct bytes *out, struct half *half, struct slice text) {
    if (!decoder_keeps(decoder, text.length)) return false;
    bool good = decoder->marked ? json_unmark(text, half, out) : bytes_append_slice(out, text);
    if (!good) decoder_fail_memory(decoder);
    return good;
}

static void keep_once(struct decoder *decoder, struct bytes *out, struct slice text) {
    struct half half = { 0 };
    if (out->length == 0 && text.length) keep(decoder, out, &half, text);
}

// Arguments are a string; Ollama's own API sends the object itself.
static void keep_arguments(struct decoder *decoder, struct tool_call *call,
                           const json_t *function) {
    const json_t *arguments = json_object_get(function, "arguments");
    struct slice text = json_slice_of(arguments);
    char *whole = json_is_object(arguments) ? json_text(arguments) : NULL;
    if (whole) text = slice_of(whole);
    if (text.length) keep(decoder, &call->arguments, &call->half, text);
    free(whole);
}

// Named, but without the number that it should have: none, or that of the call before.
static bool begins_anew(const struct tool_call *call, int64_t index, struct slice id,
                        struct slice name) {
    if (name.length == 0) return false;
    if (id.length == 0) return index == NO_INDEX;
    return call->id.length && call->name.length && !is_known(call, id);
}

static void add_piece(struct tool_calls *calls, struct decoder *decoder, const json_t *piece) {
    const json_t *function = json_object_get(piece, "function");
    struct slice id = json_slice(piece, "id");
    int64_t index = json_whole(piece, "index", NO_INDEX);
    struct slice name = json_slice(function, "name");
    struct tool_call *call = find_call(calls, index, id);
    if (!call || begins_anew(call, index, id, name)) call = add_call(calls, decoder, index);
    if (!call) return;
    keep_once(decoder, &call->id, id);
    keep_once(decoder, &call->name, name);
    keep_arguments(decoder, call, function);
}

static void note(struct decoder *decoder) {
    decoder->facts.has_tools = true;
    decoder_note_content(decoder);
}

void tool_calls_add(struct tool_calls *calls, struct decoder *decoder, const json_t *pieces) {
    size_t i;
    const json_t *piece;
    bool alone = json_is_object(pieces); // TGI's
    if (!alone && json_array_size(pieces) == 0) return;
    note(decoder);
    if (alone) add_piece(calls, decoder, pieces);
    json_array_foreach(pieces, i, piece) {
        if (decoder->status == DECODER_FAILED) return;
        add_piece(calls, decoder, piece);
    }
}

void tool_calls_add_function(struct tool_calls *calls, struct decoder *decoder,
                             const json_t *function) {
    if (!json_is_object(function)) return;
    note(decoder);
    struct tool_call *call = calls->count ? &calls->calls[0] : add_call(calls, decoder, 0);
    if (!call) return;
    keep_once(decoder, &call->name, json_slice(function, "name"));
    keep_arguments(decoder, call, function);
}

static json_t *call_json(const struct tool_call *call) {
    const struct bytes *arguments = &call->arguments;
    return json_pack("{s:s%, s:s, s:{s:s%, s:s%}}", "id", call->id.data ? call->id.data : "",
                     call->id.length, "type", "function", "function", "name",
                     call->name.data ? call->name.data : "", call->name.length, "arguments",
                     arguments->data ? arguments->data : "", arguments->length);
}

json_t *tool_calls_json(const struct tool_calls *calls) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < calls->count; i++) {
        if (json_array_append_new(list, call_json(&calls->calls[i])) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}
