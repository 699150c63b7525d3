/* A trained BPE as the files that lcal and Hugging Face's tokenizers read. */
#ifndef LCAL_DATA_BPE_WRITE_H
#define LCAL_DATA_BPE_WRITE_H

#include "base/strbuf.h"
#include "data/bpe_train.h"

/* What a tokenizer is besides its merges. */
typedef struct lcal__bpe_design {
    const char *regex;
    bool nfc;
    const char *const *special; /* [special_count] ids 0, 1, ... in this order */
    size_t special_count;
    const char *bos, *eos, *pad; /* among the special ones */
    bool add_bos;                /* BOS stands in front of every text */
    const char *chat_template;   /* Jinja; NULL: none */
} lcal__bpe_design;

/* tokenizer.json: special tokens, the 256 bytes in order of their characters, the rest as learnt.
 */
void lcal__bpe_write_tokenizer(const lcal__bpe_design *design, const lcal__bpe_learnt *learnt,
                               lcal__strbuf *out);
/* tokenizer_config.json. */
void lcal__bpe_write_config(const lcal__bpe_design *design, lcal__strbuf *out);

#endif
