/*
 * Timing whole training steps (forward, backward, AdamW) on random weights and tokens of a named
 * shape: the figure to compare with other programs on the same machine.
 */
#ifndef LCAL_BENCH_H
#define LCAL_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "lcal/log.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed but for shape and method is valid. Strings are borrowed. */
typedef struct lcal_bench_options {
    const char *shape;       /* "mini", "small", "135m", "1b", "1.5b", "1.6b" */
    const char *method;      /* "lc", "lcpp" */
    const char *precision;   /* "f32"; NULL: f32 */
    size_t batch, length;    /* sequences a step, tokens each; 0: the shape's own */
    size_t loss_last;        /* loss on the last N positions of a sequence; 0: on all */
    size_t threads;          /* 0: all processors */
    size_t steps;            /* timed steps after one warm-up; 0: 7 */
    size_t recompute_blocks; /* layers whose activations are recomputed */
    const lcal_log *log;
} lcal_bench_options;

typedef struct lcal_bench_result {
    double tokens_per_s, best_tokens_per_s; /* from the median and the fastest step */
    double step_s;                          /* median */
    double gflops; /* of the median step: matrix products that the step cannot do without */
    uint64_t peak_rss, planned_bytes; /* measured, and what the plan expected */
    size_t tokens, threads;
    double loss; /* of the last step */
} lcal_bench_result;

LCAL_API lcal_status lcal_bench(const lcal_bench_options *options, lcal_bench_result *result,
                                lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
