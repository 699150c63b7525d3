/*
 * The reference models with their adapters, and the batch and vectors computed for them in double
 * precision (tests/golden/README.md). Failures here end the test: cmocka asserts inside.
 */
#ifndef LCAL_TESTS_GOLDEN_FIXTURE_H
#define LCAL_TESTS_GOLDEN_FIXTURE_H

#include "base/file.h"
#include "calib/assembly.h"
#include "data/batch.h"
#include "engine/tape.h"
#include "format/json.h"
#include "format/safetensors.h"

#define FIXTURE_MODELS 4
extern const char *const fixture_names[FIXTURE_MODELS];

typedef struct fixture {
    const char *name;
    lcal__model model;
    lcal__adapter adapters[2];
    lcal__adapter_use uses[2]; /* both, weight 1 */
    lcal__batch batch;         /* of batch.safetensors: two documents, packed */
    json_t *golden;            /* golden.json */
} fixture;

void fixture_open(fixture *f, const char *name);
void fixture_close(fixture *f);

/* Path below tests/golden; valid until the next call. */
const char *fixture_path(const char *format, ...);

/* A safetensors file below tests/golden/vectors/MODEL. */
typedef struct vectors {
    lcal__map map;
    lcal__safetensors file;
} vectors;

void vectors_open(vectors *v, const char *model, const char *name);
void vectors_close(vectors *v);

/* An assembly with a training tape over the fixture's batch, ready to run. */
typedef struct rig {
    const fixture *fixture;
    lcal__exec exec;
    lcal__calib_spec spec;
    lcal__assembly assembly;
    lcal__tape *tape;
    void *workspace;
} rig;

void rig_open(rig *r, const fixture *f, const lcal__calib_spec *spec, const lcal__adapter_use *uses,
              size_t count, lcal__memory memory, size_t recompute_blocks, size_t threads);
void rig_close(rig *r);

/* Zeroes gradients, runs forward and backward; returns the mean loss. */
double rig_step(rig *r);

/* Norm of (a - b) over norm of b, b being `count` doubles or floats of a reference tensor. */
double relative_error(const float *a, const lcal__tensor *reference);

#endif
