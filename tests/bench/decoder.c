/*
 * decoder: how long an ordinary event takes, and what a live stream weighs. A measurement, not a
 * test: prints nanoseconds an event for each wire, fed in reads of 16 KiB.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/providers/wire.h"

enum { EVENTS = 1000, ROUNDS = 2000, LIVE = 10000, READ_BYTES = 16384 };

static const struct dialect dialect = { .finish_required = true };

static const struct {
    const struct wire *wire;
    const char *begin;
    const char *event;
} cases[] = {
    { &wire_openai_chat, "",
      "data: "
      "{\"id\":\"chatcmpl-D8ZFN477TMm6AoQohx2jSTOJMh60M\",\"object\":\"chat.completion.chunk\","
      "\"created\":1770934485,\"model\":\"gpt-5.2-2026-01-01\",\"service_tier\":\"default\","
      "\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
      "\" "
      "sky\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"a1b2\"}"
      "\n\n" },
    { &wire_openai_responses, "",
      "event: response.output_text.delta\ndata: "
      "{\"type\":\"response.output_text.delta\",\"item_id\":"
      "\"msg_0a63f40a2632b74300699f8819a5e08196ac270722d369af5a\",\"output_index\":0,"
      "\"content_index\":0,\"delta\":\" "
      "sky\",\"logprobs\":[],\"obfuscation\":\"a1b2c3d4e5f6\"}\n\n" },
    { &wire_anthropic_messages,
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":1,"
      "\"output_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,"
      "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
      "{\"type\":\"text_delta\",\"text\":\" blue because air scatters\"}     }\n\n" },
};

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void feed_all(struct decoder *decoder, const struct bytes *stream, struct gain *gain) {
    for (size_t at = 0; at < stream->length; at += READ_BYTES) {
        size_t length = stream->length - at < READ_BYTES ? stream->length - at : READ_BYTES;
        decoder_feed(decoder, (struct slice){ stream->data + at, length }, gain);
        bytes_clear(&gain->text);
    }
}

static void measure_speed(size_t i, struct gain *gain) {
    struct bytes stream;
    bytes_init(&stream, (size_t)1 << 30);
    for (size_t n = 0; n < EVENTS; n++)
        bytes_append_text(&stream, cases[i].event);
    struct decoder *decoder =
        cases[i].wire->decoder_create(&dialect, slice_of("text/event-stream"));
    decoder_feed(decoder, slice_of(cases[i].begin), gain);
    double start = now_ns();
    for (size_t n = 0; n < ROUNDS; n++)
        feed_all(decoder, &stream, gain);
    double taken = (now_ns() - start) / ROUNDS;
    printf("%-20s %4zu bytes an event  %6.1f ns an event  progress %llu\n", cases[i].wire->name,
           strlen(cases[i].event), taken / EVENTS,
           (unsigned long long)decoder_facts(decoder)->progress);
    decoder_destroy(decoder);
    bytes_finish(&stream);
}

static void measure_memory(size_t i, struct gain *gain) {
    static struct decoder *live[LIVE];
    size_t before = mallinfo2().uordblks;
    for (size_t n = 0; n < LIVE; n++) {
        live[n] = cases[i].wire->decoder_create(&dialect, slice_of("text/event-stream"));
        decoder_feed(live[n], slice_of(cases[i].begin), gain);
        decoder_feed(live[n], slice_of(cases[i].event), gain);
        bytes_clear(&gain->text);
    }
    printf("%-20s %4zu bytes a live stream\n", cases[i].wire->name,
           (mallinfo2().uordblks - before) / LIVE);
    for (size_t n = 0; n < LIVE; n++)
        decoder_destroy(live[n]);
}

int main(void) {
    struct gain gain;
    bytes_init(&gain.text, 1 << 24);
    bytes_init(&gain.reasoning, 1 << 24);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        measure_speed(i, &gain);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        measure_memory(i, &gain);
    bytes_finish(&gain.text);
    bytes_finish(&gain.reasoning);
    return 0;
}
