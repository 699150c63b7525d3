/* Words of a text by the tokenizer 13a of NIST's mteval script, as sacreBLEU has it. */
#ifndef LCAL_EVAL_METRICS_BLEU_WORDS_H
#define LCAL_EVAL_METRICS_BLEU_WORDS_H

#include "eval/metrics/words.h"

/* Appends the words of text[0..size). */
lcal_status lcal__bleu_words(const char *text, size_t size, lcal__lexicon *lexicon,
                             lcal__words *out, lcal_error *err);

#endif
