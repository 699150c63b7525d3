/* The merges of a BPE: pairs of neighbouring tokens that become one, the lowest rank first. */
#ifndef LCAL_DATA_MERGES_H
#define LCAL_DATA_MERGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/vocab.h"

typedef struct lcal__merge {
    uint32_t left, right; /* ids of the neighbours */
    uint32_t rank;        /* lower goes first; equal ranks from left to right */
    uint32_t id;          /* what they become */
} lcal__merge;

/* Zeroed is valid and empty. */
typedef struct lcal__merges {
    lcal__merge *slots; /* open addressing by (left, right); empty: rank UINT32_MAX */
    size_t slot_count;  /* a power of two */
    size_t count;
} lcal__merges;

/* A pair that is there already takes the new rank. */
lcal_status lcal__merges_add(lcal__merges *merges, lcal__merge merge, lcal_error *err);

/* Merge number `rank` by the texts of its parts; LCAL_FORMAT where the vocabulary lacks a part or
 * the whole. */
lcal_status lcal__merges_add_texts(lcal__merges *merges, const lcal__vocab *vocab, size_t rank,
                                   const char *left, size_t left_length, const char *right,
                                   size_t right_length, lcal_error *err);

/* As above from "LEFT RIGHT". */
lcal_status lcal__merges_add_line(lcal__merges *merges, const lcal__vocab *vocab, size_t rank,
                                  const char *line, size_t length, lcal_error *err);

/*
 * SentencePiece's BPE: any two neighbours merge whose joined text is a normal token; the higher its
 * score, the sooner. scores: [vocab->count], none of them NaN.
 */
lcal_status lcal__merges_from_scores(lcal__merges *merges, const lcal__vocab *vocab,
                                     const float *scores, lcal_error *err);

void lcal__merges_free(lcal__merges *merges);

/* NULL: this pair does not merge. */
const lcal__merge *lcal__merges_find(const lcal__merges *merges, uint32_t left, uint32_t right);

#endif
