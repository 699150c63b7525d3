/*
 * LoraHub's sum of adapters (Huang et al. 2023): A = sum w_i A_i and B = sum w_i B_i of every
 * module, so that the update is s (sum w_i B_i)(sum w_j A_j), cross terms included, s that of the
 * first adapter. Adapters that change a module must do so with one rank; one that leaves it alone
 * counts as zeros.
 */
#ifndef LCAL_METHODS_FACTORS_H
#define LCAL_METHODS_FACTORS_H

#include "calib/adapter_list.h"
#include "calib/composition.h"

/* Zeroed is valid and empty. */
typedef struct lcal__factors {
    lcal_model *model;           /* whose only adapter is the sum; borrowed */
    lcal__adapter_list adapters; /* that are summed */
    lcal__lora_pair *pairs;      /* the model's, whose a and b are in values */
    float *values;               /* of all sums */
    size_t count;                /* of values */
} lcal__factors;

/* Turns the only adapter of the model, the first of the settings', into the sum of all of them, for
 * now with weights 0. LCAL_INVALID: ranks differ. */
lcal_status lcal__factors_open(const lcal__settings *settings, lcal_model *model,
                               const lcal_log *log, lcal__factors *out, lcal_error *err);

/* Sums anew; weights: one an adapter. */
void lcal__factors_weigh(lcal__factors *factors, const double *weights);

/* Writes the sum as a PEFT directory. */
lcal_status lcal__factors_write(const lcal__factors *factors, const char *directory,
                                const char *base_name, lcal_error *err);

/* The model must be closed first: it reads the sums. */
void lcal__factors_close(lcal__factors *factors);

#endif
