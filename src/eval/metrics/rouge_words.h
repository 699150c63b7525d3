/* Words of a text as ROUGE's packages see them. */
#ifndef LCAL_EVAL_METRICS_ROUGE_WORDS_H
#define LCAL_EVAL_METRICS_ROUGE_WORDS_H

#include "eval/metrics/words.h"

/* Zeroed is valid and empty. */
typedef struct lcal__rouge_text {
    lcal__words words; /* of the whole text */
    size_t *ends;      /* [line_count] where in words each line that is not empty ends */
    size_t line_count, line_capacity;
} lcal__rouge_text;

/* Reads a text as rouge_score's tokenizer does. */
lcal_status lcal__rouge_read(const char *text, size_t size, bool stem, lcal__lexicon *lexicon,
                             lcal__rouge_text *out, lcal_error *err);
void lcal__rouge_text_free(lcal__rouge_text *text);
lcal__sequence lcal__rouge_line(const lcal__rouge_text *text, size_t line);

/* Appends words as the package rouge sees them: between white space, full stops parting sentences.
 */
lcal_status lcal__rouge_reply_words(const char *text, size_t size, lcal__lexicon *lexicon,
                                    lcal__words *out, lcal_error *err);

#endif
