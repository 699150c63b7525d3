/* What a merge of adapters does, in numbers. Writing one: lcal_export with format PEFT. */
#ifndef LCAL_MERGE_H
#define LCAL_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "lcal/model.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Norms are Frobenius norms. Of one module, or of all of them as one long matrix. */
typedef struct lcal_merge_facts {
    char name[96];   /* "model.layers.0.self_attn.q_proj"; "" for all */
    size_t adapters; /* that change it */
    size_t rank;     /* of the merged pairs together; 0: dense */
    double norm;     /* of the merged update D */
    double sum_norm; /* of the exact sum S of w_i D_i */
    /* Norm of D - S over that of S: what the rule adds to the sum or leaves out of it, for
     * peft-linear the cross terms B_i A_j; 0 for concat. */
    double apart;
    double cosine;     /* the largest magnitude, with its sign, of <D_i, D_j> / (|D_i| |D_j|) */
    double truncation; /* norm of what a rule's own rank cut off, over that of the whole */
} lcal_merge_facts;

/* Zeroed is valid and empty; free with lcal_merge_explanation_free. */
typedef struct lcal_merge_explanation {
    char *rule;          /* the rule with its options: "ties, density 0.3, ..." */
    const char *formula; /* what it computes, a sentence; static */
    bool factored;       /* low-rank pairs; false: updates of full rank */
    lcal_merge_facts all;
    lcal_merge_facts *modules; /* [count] that an adapter changes */
    size_t count;
} lcal_merge_explanation;

LCAL_API void lcal_merge_explanation_free(lcal_merge_explanation *explanation);

/* Explains the merge of the model's adapters (those on top of it, and a calibration, left out).
 * Reads every update twice; no dense update is held. LCAL_INVALID: no adapters, or ones that do not
 * suit the rule. */
LCAL_API lcal_status lcal_merge_explain(lcal_model *model, lcal_merge_explanation *out,
                                        lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
