/*
 * The vector kernels of kernels.h, in plain C that the compilers vectorise. meson.build compiles
 * this file once per instruction set, each time with LCAL_KERNELS naming it; all else is static.
 */
#include <math.h>
#include <string.h>

#include "num/kernels_tables.h"

#include "num/kernels_vector.inc.c"

#include "num/kernels_activation.inc.c"
#include "num/kernels_dots.inc.c"
#include "num/kernels_norm.inc.c"
#include "num/kernels_optimiser.inc.c"
#include "num/kernels_panel.inc.c"

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)
#define JOIN(a, b) a##b
#define JOIN_OF(a, b) JOIN(a, b)

const lcal__kernels JOIN_OF(lcal__kernels_, LCAL_KERNELS) = {.name = TEXT_OF(LCAL_KERNELS),
                                                             .add = add,
                                                             .axpy = axpy,
                                                             .scale = scale,
                                                             .mul = mul,
                                                             .mul_add = mul_add,
                                                             .sum = sum,
                                                             .dot = dot,
                                                             .sum_squares = sum_squares,
                                                             .rms_forward = rms_forward,
                                                             .rms_backward = rms_backward,
                                                             .layer_forward = layer_forward,
                                                             .layer_backward = layer_backward,
                                                             .swiglu_forward = swiglu_forward,
                                                             .swiglu_backward = swiglu_backward,
                                                             .rotate = rotate,
                                                             .max = max,
                                                             .exp_sum = exp_sum,
                                                             .adamw = adamw,
                                                             .dots = dots,
                                                             .widen_bf16 = widen_bf16,
                                                             .widen_f16 = widen_f16,
                                                             PANEL_KERNELS};
