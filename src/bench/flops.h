/* Arithmetic of a training step that no program can do without. */
#ifndef LCAL_BENCH_FLOPS_H
#define LCAL_BENCH_FLOPS_H

#include "model/config.h"

/*
 * Floating point operations (a multiply-add counts two) of the products with weight matrices in one
 * step that trains a calibration on all projections: forward on `tokens` positions, past the last
 * attention on `rows` (those with a loss); the same again for the gradient of each product's input,
 * but for q, k and v of the first layer, below which nothing is trained. Attention, norms and the
 * calibration itself are not counted, nor what is computed twice to save memory.
 */
double lcal__step_flops(const lcal__model_config *config, size_t tokens, size_t rows);

#endif
