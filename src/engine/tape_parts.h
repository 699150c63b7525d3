/* The parts of a tape, shared by recording, planning and running. */
#ifndef LCAL_ENGINE_TAPE_PARTS_H
#define LCAL_ENGINE_TAPE_PARTS_H

#include "engine/place.h"
#include "engine/tape.h"

#define LCAL__NONE ((size_t)-1)

/* A matrix that one node writes and others read. */
typedef struct lcal__tape_value {
    size_t cols;
    bool of_rows;  /* one row a wanted prediction instead of one a token */
    bool grad;     /* a trained leaf needs its gradient */
    bool boundary; /* read in another block than written: kept when its block is recomputed */
    size_t producer, block;
    size_t consumers, last_consumer; /* nodes that read it; the last of them */
    size_t home;      /* value whose place this one lives in (itself, unless in place) */
    bool grad_over;   /* its gradient takes the place of the value itself */
    size_t grad_home; /* value whose gradient's place its gradient lives in */
} lcal__tape_value;

typedef struct lcal__tape_node {
    const lcal__op_kind *kind;
    lcal__op_attr attr;
    size_t in[LCAL__OP_INPUTS]; /* values; LCAL__NONE */
    size_t out;
    size_t block; /* 0..layers-1; layers: what stands outside any layer */
    bool back;    /* takes part in backward */
    bool again;   /* is run again when its block is recomputed */
    lcal__op_plan plan;
} lcal__tape_node;

typedef enum lcal__phase { LCAL__FORWARD, LCAL__AGAIN, LCAL__BACKWARD } lcal__phase;

/* One step of the schedule, its operands resolved to byte offsets in the workspace. */
typedef struct lcal__tape_step {
    size_t node;
    lcal__phase phase;
    size_t x[LCAL__OP_INPUTS], dx[LCAL__OP_INPUTS]; /* LCAL__NONE: NULL */
    bool add[LCAL__OP_INPUTS];
    size_t out_x, out_dx, aux, scratch;
} lcal__tape_step;

struct lcal__tape {
    lcal__exec exec;
    lcal__tape_options options;
    const lcal__network *network;
    lcal__tape_node *nodes;
    lcal__tape_value *values;
    size_t node_count, value_count;
    lcal__tape_step *steps;
    size_t step_count;
    size_t workspace; /* bytes */
    float *rope_cos, *rope_sin;
    unsigned char *memory; /* bound workspace */
};

/* tape_record.c: fills nodes and values, and every node's plan. */
lcal_status lcal__tape_build(lcal__tape *tape, lcal_error *err);

/* tape_plan.c: fills steps and workspace from nodes and values. */
lcal_status lcal__tape_plan(lcal__tape *tape, lcal_error *err);

#endif
