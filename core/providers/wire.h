/*
 * wire: how one API looks on the network: the body to send, the stream to decode, the list of
 * models. One file behind it for each API; core/providers/types.c says who speaks which.
 *
 * Pure: bytes in, bytes out. Nothing here sends anything.
 */
#ifndef ASKFS_CORE_PROVIDERS_WIRE_H
#define ASKFS_CORE_PROVIDERS_WIRE_H

#include <jansson.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/policy/failure.h"

/* How a server is given the beginning of the assistant's turn. */
enum prefill_kind {
    PREFILL_NONE,
    PREFILL_PLAIN,  /* a last message of the assistant; some take it, others refuse or begin anew */
    PREFILL_PREFIX, /* the same, with "prefix": true (Mistral, DeepSeek's beta) */
    PREFILL_CONTINUE_FINAL /* the same, with continue_final_message (vLLM, SGLang) */
};

extern const char *const prefill_kind_names[]; /* as the configuration has them; NULL-ended */

/* What differs between servers that speak the same API; flags, not copies. */
struct dialect {
    bool sends_stream_options; /* accepts stream_options.include_usage */
    enum prefill_kind prefill;
    bool finish_required; /* false: [DONE] without a finish_reason is complete */
};

/* How a broken answer is gone on with: the answer so far as the beginning of the assistant's turn,
 * or shown to the model with the request to continue. */
enum continuation { CONTINUATION_NONE, CONTINUATION_PREFILL, CONTINUATION_INSTRUCTED };

/* What a request is made of. All borrowed. */
struct question {
    const char *model;
    struct slice prompt;   /* valid UTF-8 */
    struct slice system;   /* may be empty */
    const json_t *options; /* object merged into the body, or NULL */
    enum continuation continuation;
    struct slice partial; /* of a continuation: the answer so far; valid UTF-8 */
    bool background;      /* Responses only: may be resumed by cursor */
};

enum { USAGE_UNKNOWN = -1 };
struct usage {
    int64_t input_tokens; /* USAGE_UNKNOWN until told */
    int64_t output_tokens;
    int64_t reasoning_tokens;
    int64_t cached_tokens; /* input tokens read from the provider's cache */
};

/* What an answer gained from one feed: scratch, cleared by the caller between feeds. */
struct gain {
    struct bytes text;
    struct bytes reasoning;
};

enum decoder_status {
    DECODER_MORE,      /* feed further */
    DECODER_FINISHING, /* complete; usage may still follow, wait a second or two for DONE */
    DECODER_DONE,      /* complete; feed nothing further, what follows is ignored */
    DECODER_FAILED     /* see facts.failure; feed nothing further */
};

/* What is known of the answer so far. Strings are printable, cut to fit, "" when unknown. */
struct decoder_facts {
    char response_id[96];
    char model[96];          /* as the provider names what answered */
    char finish_reason[48];  /* in the API's own word */
    int64_t sequence_number; /* newest seen; -1: none (only Responses has them) */
    bool has_content; /* text, reasoning or tool fragments arrived: the first token is here */
    bool has_tools;
    uint64_t progress; /* rises with each event that brought content of any kind; keep-alives
                          and bookkeeping do not count */
    bool filtered;     /* complete, but refused or cut by policy: ENOTSUP after its text */
    struct usage usage;
    struct failure failure; /* valid after DECODER_FAILED */
};

struct wire;
struct decoder; /* the life of one reply, from its first body byte; begins with its wire's facts */

struct wire {
    const char *name;        /* "openai-responses", "openai-chat", "anthropic-messages" */
    const char *path;        /* after the base URL with its /v1: "/chat/completions" */
    const char *models_path; /* "/models" */
    bool trims_prefill;      /* white space at the end of a prefill is left out */

    /* Appends the path behind the base URL under which a response in the background is attached to
     * behind facts->sequence_number, and that which stops it. False: no memory, or an id that does
     * not belong into a URL. NULL: the API has no such thing. */
    bool (*write_resume_path)(const struct decoder_facts *facts, struct bytes *out);
    bool (*write_cancel_path)(const struct decoder_facts *facts, struct bytes *out);

    /* Appends the JSON body. False: no memory, or the body would pass out's maximum. */
    bool (*write_request)(const struct question *question, const struct dialect *dialect,
                          struct bytes *out);

    /* content_type: of the 200 reply, may be empty. NULL: no memory. */
    struct decoder *(*decoder_create)(const struct dialect *dialect, struct slice content_type);

    /* The models in one page of the list, one a line, in the order given. next_out: the query for
     * the following page ("after_id=…") to be freed, or NULL. False: not a list of models. */
    bool (*read_models)(struct slice body, struct bytes *out, char **next_out);
};

/* Decoders, whatever their wire. Feed bytes as they come; split them anywhere, the result is the
 * same. gain collects what was gained; when memory is short DECODER_FAILED with class internal. */
enum decoder_status decoder_feed(struct decoder *decoder, struct slice bytes, struct gain *gain);
/* The body ended properly. Never DECODER_MORE. */
enum decoder_status decoder_end(struct decoder *decoder, struct gain *gain);
const struct decoder_facts *decoder_facts(const struct decoder *decoder);
/* The answer as the provider's own message object (response.json), new reference; text and
 * reasoning: all that the decoder gave to gain. NULL: no memory, or nothing arrived. */
json_t *decoder_message(const struct decoder *decoder, struct slice text, struct slice reasoning);
/* Goes on with the bytes of a stream that was attached to again: what of an event had come is
 * forgotten, events that were here before are skipped. */
void decoder_resume(struct decoder *decoder, struct slice content_type);
/* Its answer is the end of a longer one: its text from offset x on is at x + shift there. What
 * decoder_message is given then is the whole. */
void decoder_shift_text(struct decoder *decoder, ptrdiff_t shift);
/* Its reasoning is not kept: what decoder_message is given is that of another answer, which may not
 * stand under this one's signature. */
void decoder_leave_out_reasoning(struct decoder *decoder);
void decoder_destroy(struct decoder *decoder);

extern const struct wire wire_openai_responses;
extern const struct wire wire_openai_chat;
extern const struct wire wire_anthropic_messages;

#endif
