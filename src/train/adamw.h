/*
 * AdamW (Loshchilov and Hutter 2019) over one flat parameter block, with the gradient's global
 * norm and its clipping. Blocks of a fixed size run in parallel and sums are added in the order of
 * the blocks: the number of threads changes nothing.
 */
#ifndef LCAL_TRAIN_ADAMW_H
#define LCAL_TRAIN_ADAMW_H

#include <stdint.h>

#include "base/status.h"
#include "num/exec.h"

/* Zeroed is valid and empty. */
typedef struct lcal__adamw {
    size_t total;
    float *m, *v;     /* [total] first and second moment */
    double *partials; /* a sum of squares for each block */
} lcal__adamw;

typedef struct lcal__adamw_rates {
    double lr;
    double beta1, beta2, eps;
    double weight_decay; /* decoupled: every parameter also loses lr * weight_decay of itself */
    double scale;        /* of the gradient, from clipping */
    uint64_t time;       /* 1 at the first update, for the bias correction */
} lcal__adamw_rates;

/* Moments zero. Free with lcal__adamw_free. */
lcal_status lcal__adamw_init(lcal__adamw *adamw, size_t total, lcal_error *err);
void lcal__adamw_free(lcal__adamw *adamw);

/* Euclidean norm of grads [total]; not finite where one of them is not. */
double lcal__adamw_norm(const lcal__adamw *adamw, const lcal__exec *exec, const float *grads);

/* What brings a gradient of that norm to at most `limit`: min(1, limit / (norm + 1e-6)); 1 where
 * limit is 0. */
double lcal__clip_factor(double norm, double limit);

/* One update of values [total] from grads [total]. */
void lcal__adamw_step(lcal__adamw *adamw, const lcal__exec *exec, const lcal__adamw_rates *rates,
                      float *values, const float *grads);

#endif
