/* What GGUF's readers and writers of tokenizers share. */
#ifndef LCAL_DATA_TOKENIZER_GGUF_H
#define LCAL_DATA_TOKENIZER_GGUF_H

#include <stdbool.h>

/* tokenizer.ggml.token_type */
enum {
    LCAL__GGUF_TOKEN_NORMAL = 1,
    LCAL__GGUF_TOKEN_UNKNOWN,
    LCAL__GGUF_TOKEN_CONTROL,
    LCAL__GGUF_TOKEN_USER_DEFINED,
    LCAL__GGUF_TOKEN_UNUSED,
    LCAL__GGUF_TOKEN_BYTE
};

/* A value of tokenizer.ggml.pre: a cut into words that llama.cpp knows by name. */
typedef struct lcal__gguf_pre {
    const char *name;
    const char *regex;    /* as llama.cpp cuts */
    const char *original; /* as tokenizer.json spells it */
    bool ignore_merges, add_bos;
} lcal__gguf_pre;

extern const lcal__gguf_pre lcal__gguf_pres[];
extern const unsigned lcal__gguf_pre_count;

#endif
