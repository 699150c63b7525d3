/*
 * Runs one op by itself, as the tape would: plan, forward, backward, in buffers of exactly the
 * planned size (so that the address sanitizer sees every overrun), filled with NaN where the op may
 * not read, and NULL where its plan said that it will not. Failures end the test.
 */
#ifndef LCAL_TESTS_ENGINE_OP_HARNESS_H
#define LCAL_TESTS_ENGINE_OP_HARNESS_H

#include "engine/op.h"

#define OP_PARAMS 8

/* A gradient that lives outside the values: the op adds to it. */
typedef struct op_param {
    float *grad;
    size_t count;
} op_param;

typedef struct op_case {
    const lcal__op_kind *kind;
    lcal__op_attr attr; /* cols included */
    lcal__batch *batch;
    size_t rows;                      /* of out */
    size_t in_rows;                   /* of inputs; 0: as many as out */
    size_t in_cols[LCAL__OP_INPUTS];  /* 0: no such input */
    const float *in[LCAL__OP_INPUTS]; /* [in_rows, in_cols] */
    bool in_grad[LCAL__OP_INPUTS];    /* which gradients are wanted */
    bool add[LCAL__OP_INPUTS];        /* they hold op_prior already */
    const float *dy;                  /* [rows, attr.cols]; NULL: not training */
    bool share_place;                 /* out takes in[plan.in_place]'s place */
    bool share_grad;                  /* in[plan.pass_grad].dx is out.dx itself */
    bool training;                    /* with dy NULL: for ops whose gradient is in forward */
    const float *rope_cos, *rope_sin;
    float row_weight;
    lcal__logits_fn *logits;
    void *logits_user;
    op_param params[OP_PARAMS]; /* zeroed before the run */
    size_t param_count;
    size_t threads; /* 0: 1 */
} op_case;

/* Free with op_result_free. */
typedef struct op_result {
    lcal__op_plan plan;
    float *out;                 /* [rows, attr.cols] */
    float *dx[LCAL__OP_INPUTS]; /* [in_rows, in_cols], NULL where not wanted */
    float *params[OP_PARAMS];   /* copies of the gradients */
    float *nll;                 /* [rows] */
    double loss_sum;
} op_result;

op_result op_run(const op_case *c);
void op_result_free(op_result *result);

/* What an `add` gradient holds before the run. */
float op_prior(size_t index);

/* All of it again on 2, 3 and 4 threads: every byte the same. */
void op_check_threads(const op_case *c);

/* Each document of a batch whose rows are its tokens alone: the same bytes of out and dx. */
void op_check_packed(const op_case *c);

/* count numbers from a normal distribution, the same for the same seed. Free with free. */
float *op_random(unsigned seed, size_t count, double spread);

/* Room for exactly count floats at LCAL_ALIGN, all NaN. Free with free. */
float *op_floats(size_t count);
double *op_doubles(size_t count);

/*
 * Documents of these lengths with ids below vocab; every `stride`-th token is a row, every fifth
 * row has no target. Free with op_batch_free.
 */
lcal__batch *op_batch(const size_t *lengths, size_t documents, size_t vocab, size_t stride);
void op_batch_free(lcal__batch *batch);

/* Norm of (got - prior - want) over norm of want is at most bar; prior only where add. Where all
 * that is wanted is 0, numbers of order one count as the reference. */
void op_check_close(const char *what, const float *got, const double *want, size_t count, bool add,
                    double bar);

/* An op whose row r of out depends on rows r of its inputs only, in double. */
typedef void op_row_fn(const void *context, size_t row, double *const in[LCAL__OP_INPUTS],
                       double *out);

/* out, and by central differences of sum(dy o out) every gradient, compared with the op's. */
void op_check_rows(const op_case *c, op_row_fn *fn, const void *context, double bar_forward,
                   double bar_gradient);

/* grad[i] of loss(context) by central differences in x[i], which context sees. */
typedef double op_loss_fn(const void *context);
void op_difference(double *x, size_t count, op_loss_fn *loss, const void *context, double *grad);

#endif
