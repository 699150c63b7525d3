/*
 * Texts that end an answer. They may begin in one token and end in another, so that text which may
 * be the beginning of one is held back until it is known not to be. Found by the automaton of
 * Knuth, Morris and Pratt (1977), byte by byte: the result does not depend on how text is cut.
 */
#ifndef LCAL_EVAL_STOP_TEXT_H
#define LCAL_EVAL_STOP_TEXT_H

#include "base/strbuf.h"

typedef struct lcal__stop_text {
    char *text;
    size_t length;
    size_t *fallback; /* [length]: of text[0..i], the longest proper end that begins the text */
} lcal__stop_text;

/* Immutable once made; may serve many answers. Zeroed is valid and empty. */
typedef struct lcal__stop_texts {
    lcal__stop_text *items;
    size_t count;
} lcal__stop_texts;

/* Copies the texts. LCAL_INVALID: an empty one or one that is no UTF-8. */
lcal_status lcal__stop_texts_init(lcal__stop_texts *stops, const char *const *texts, size_t count,
                                  lcal_error *err);
void lcal__stop_texts_free(lcal__stop_texts *stops);

/* The stop texts in one answer. Zeroed is valid where there are none. */
typedef struct lcal__stop_watch {
    const lcal__stop_texts *stops; /* NULL: none */
    size_t *matched;               /* [stops->count]: bytes of each that the answer now ends in */
    lcal__strbuf held;
} lcal__stop_watch;

lcal_status lcal__stop_watch_init(lcal__stop_watch *watch, const lcal__stop_texts *stops,
                                  lcal_error *err);
void lcal__stop_watch_free(lcal__stop_watch *watch);
/* For another answer. */
void lcal__stop_watch_clear(lcal__stop_watch *watch);

/* Takes more of the answer, whole characters, and appends to out what became certain. *found: a
 * stop text was completed; it and all behind it is left out, and the answer is over. */
lcal_status lcal__stop_watch_add(lcal__stop_watch *watch, const char *text, size_t length,
                                 lcal__strbuf *out, bool *found, lcal_error *err);
/* The answer ended otherwise: what is held back was none. */
lcal_status lcal__stop_watch_end(lcal__stop_watch *watch, lcal__strbuf *out, lcal_error *err);

#endif
