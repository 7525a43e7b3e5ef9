/*
 * Any bytes give the same text, reasoning and facts, whole or cut anywhere, and a message that can
 * be built. FUZZ_WIRE names the wire.
 */
#include <stdio.h>

#include "core/providers/wire.h"
#include "tests/fuzz/cuts.h"

enum { OUT_MAX = 64 << 20 };

struct run {
    struct decoder *decoder;
    struct gain gain; // never cleared: all that was gained
    enum decoder_status status;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_over(struct run *run, const uint8_t *data, size_t size, bool cut) {
    static const struct dialect dialect = { .sends_stream_options = true, .finish_required = true };
    struct cuts cuts;
    struct slice piece;
    run->decoder = FUZZ_WIRE.decoder_create(&dialect, slice_of("text/event-stream"));
    if (!run->decoder) abort();
    bytes_init(&run->gain.text, OUT_MAX);
    bytes_init(&run->gain.reasoning, OUT_MAX);
    cuts_begin(&cuts, data, size);
    if (!cut) decoder_feed(run->decoder, (struct slice){ (const char *)data, size }, &run->gain);
    while (cut && cuts_next(&cuts, &piece))
        decoder_feed(run->decoder, piece, &run->gain);
    run->status = decoder_end(run->decoder, &run->gain);
    json_decref(decoder_message(run->decoder, bytes_slice(&run->gain.text),
                                bytes_slice(&run->gain.reasoning)));
}

static void finish(struct run *run) {
    decoder_destroy(run->decoder);
    bytes_finish(&run->gain.text);
    bytes_finish(&run->gain.reasoning);
}

static bool same_bytes(const struct bytes *a, const struct bytes *b) {
    return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

static bool same_counts(const struct usage *a, const struct usage *b) {
    return a->input_tokens == b->input_tokens && a->output_tokens == b->output_tokens &&
           a->reasoning_tokens == b->reasoning_tokens && a->cached_tokens == b->cached_tokens;
}

static bool same_facts(const struct decoder_facts *a, const struct decoder_facts *b) {
    return strcmp(a->response_id, b->response_id) == 0 && strcmp(a->model, b->model) == 0 &&
           strcmp(a->finish_reason, b->finish_reason) == 0 &&
           a->sequence_number == b->sequence_number && a->has_content == b->has_content &&
           a->has_tools == b->has_tools && a->progress == b->progress &&
           a->filtered == b->filtered && same_counts(&a->usage, &b->usage) &&
           a->failure.class == b->failure.class &&
           strcmp(a->failure.message, b->failure.message) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct run whole, cut;
    run_over(&whole, data, size, false);
    run_over(&cut, data, size, true);
    if (whole.status != cut.status || !same_bytes(&whole.gain.text, &cut.gain.text) ||
        !same_bytes(&whole.gain.reasoning, &cut.gain.reasoning) ||
        !same_facts(decoder_facts(whole.decoder), decoder_facts(cut.decoder)))
        abort();
    finish(&whole);
    finish(&cut);
    return 0;
}
