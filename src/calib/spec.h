/*
 * What is trained on top of the frozen base and adapters, as a value: the method, its shape, and
 * the named tensors this comes to for a model (METHODS.md 0.1, A.8, B).
 *
 *   lc       NAME.p  [d_out]                       output: y += scale p; broadcast: y += scale p
 * sum(x) lcpp     NAME.P1 [rank, d_in], NAME.P2 [d_out, rank]       y += scale P2 (P1 x) columns
 * adapters.I.layers.N.NAME.m [d_in]     adapter I sees m o x lora     layers.N.NAME.A [rank, d_in],
 * .B [d_out, rank]    y += (alpha / rank) B (A x) base     every weight under its Hugging Face name
 *
 * NAME is "q_proj" ... "down_proj"; with share none, lc and lcpp have "layers.N." before it.
 */
#ifndef LCAL_CALIB_SPEC_H
#define LCAL_CALIB_SPEC_H

#include "config/settings.h"
#include "engine/params.h"
#include "model/adapter.h"

typedef struct lcal__calib_spec {
    lcal__method method;
    lcal__form form;       /* lc */
    lcal__share share;     /* lc, lcpp */
    size_t rank;           /* lcpp, lora */
    double scale;          /* lc, lcpp: factor of what is added; lora: alpha / rank; else 1 */
    lcal__targets targets; /* lc, lcpp, lora, columns: bit (1 << lcal__proj) */
} lcal__calib_spec;

lcal__calib_spec lcal__calib_spec_from(const lcal__settings *settings);

/* True where the method trains this projection. */
bool lcal__calib_targets(const lcal__calib_spec *spec, lcal__proj proj);

/*
 * Adds the method's tensors, in a fixed order, to an empty parameter block (not base, whose tensors
 * come from a model). uses: the frozen adapters in order, `count` of them; columns has one tensor
 * for every pair of every adapter, the other methods do not look at them.
 */
lcal_status lcal__calib_layout(const lcal__calib_spec *spec, const lcal__model_config *config,
                               const lcal__adapter_use *uses, size_t count, lcal__params *params,
                               lcal_error *err);

/*
 * The default start, written into an allocated block: p, P2 and B zero; P1 and A uniform in
 * +-1/sqrt(d_in), a stream for each name; m one. Step 0 is then the merged model exactly.
 */
void lcal__calib_init(const lcal__calib_spec *spec, uint64_t seed, lcal__params *params);

#endif
