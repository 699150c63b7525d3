/* The registry: one row for each row of the paper's table. */
#ifndef LCAL_METHODS_ROWS_H
#define LCAL_METHODS_ROWS_H

#include "methods/job.h"

/* What a row needs of the configuration. */
enum {
    LCAL__NEEDS_TRAIN = 1,     /* data.train */
    LCAL__NEEDS_OUT = 2,       /* out: it writes files */
    LCAL__NEEDS_TEMPLATES = 4, /* the prompts of both tasks */
    LCAL__NEEDS_OTHERS = 8,    /* configurations of other sub-tasks */
};

#define LCAL__ROW_RULES_MAX 4

struct lcal__row {
    lcal_method shown;
    lcal__prepare_fn *prepare;
    unsigned needs;
    size_t adapters_min, adapters_max;
    size_t first, count;  /* single adapters: which of them; count 0: the base alone */
    lcal__method method;  /* trained rows */
    bool frozen_adapters; /* trained rows: on top of the merged adapters */
    /* Merging rows: the rules that are this row, the first where merge.method is none of them. */
    lcal__merge_rule rules[LCAL__ROW_RULES_MAX];
    size_t rule_count;
};

/* NULL where there is none of that name. */
const lcal__row *lcal__row_find(const char *name);

/* The rule that a trained row's adapters are merged by: the configuration's; the exact sum where
 * the row trains the adapters' columns, or has no adapters. */
lcal__merge_rule lcal__row_rule(const lcal__job *job);

lcal__prepare_fn lcal__prepare_adapters; /* single.c: base and some adapters, unmerged */
lcal__prepare_fn lcal__prepare_shots;    /* shots.c: base, examples in the prompt */
lcal__prepare_fn lcal__prepare_merge;    /* single.c: adapters merged by a rule */
lcal__prepare_fn lcal__prepare_two;      /* single.c: one adapter after the other */
lcal__prepare_fn lcal__prepare_cocktail; /* cocktail.c */
lcal__prepare_fn lcal__prepare_lorahub;  /* lorahub.c */
lcal__prepare_fn lcal__prepare_shared;   /* shared.c */
lcal__prepare_fn lcal__prepare_columns;  /* shared.c */
lcal__prepare_fn lcal__prepare_trained;  /* trained.c */

#endif
