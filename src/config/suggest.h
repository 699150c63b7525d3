/* "Did you mean": the nearest of some words to a misspelt one. */
#ifndef LCAL_CONFIG_SUGGEST_H
#define LCAL_CONFIG_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* Longer words are never misspelt keys of ours; they get no suggestion. */
#define LCAL__SUGGEST_LENGTH_MAX 64

/*
 * Damerau-Levenshtein distance in its restricted form (optimal string alignment): insertions,
 * deletions, substitutions and swaps of neighbours, no byte edited twice. SIZE_MAX where a word is
 * longer than LCAL__SUGGEST_LENGTH_MAX.
 */
size_t lcal__edit_distance(const char *a, const char *b);

/* Whether `candidate` is a better guess for `word` than one at distance *best (start with
 * SIZE_MAX), which it then sets. Near enough: at most one edit for every three characters. */
bool lcal__is_near_miss(const char *word, const char *candidate, size_t *best);

#endif
