/* A tokenizer as the keys of a GGUF model: tokenizer.ggml.model "gpt2" with merges, or "llama" with
 * scores. */
#ifndef LCAL_DATA_TOKENIZER_GGUF_WRITE_H
#define LCAL_DATA_TOKENIZER_GGUF_WRITE_H

#include "data/tokenizer.h"
#include "format/gguf_write.h"

/* What a tokenizer does not know of itself. */
typedef struct lcal__tokenizer_gguf {
    const char *source;  /* what messages call it */
    size_t vocab;        /* of the model: ids that no token has are filled up */
    bool stablelm;       /* of this architecture, whose cut has a name of its own */
    const int64_t *ends; /* [end_count] ids that end a text, the model's */
    size_t end_count;
    const char *chat_template; /* NULL: none */
} lcal__tokenizer_gguf;

/* LCAL_UNSUPPORTED: it does what llama.cpp has no name for. Failed allocations of the writer's own
 * are told when it begins. */
lcal_status lcal__tokenizer_put_gguf(const lcal__tokenizer *tokenizer,
                                     const lcal__tokenizer_gguf *facts, lcal__gguf_writer *out,
                                     lcal_error *err);

#endif
