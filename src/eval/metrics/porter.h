/*
 * The Porter stemmer (Porter 1980, "An algorithm for suffix stripping") with the departures of
 * NLTK 3.8's default mode, which ROUGE with stemming is reported with.
 */
#ifndef LCAL_EVAL_METRICS_PORTER_H
#define LCAL_EVAL_METRICS_PORTER_H

#include <stddef.h>

/* Stems word[0..length), lower-case, in place; returns its new length, never more than before. */
size_t lcal__porter_stem(char *word, size_t length);

#endif
