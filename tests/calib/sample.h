/* A calibration to write, of random values, and reading bytes back. Failures end the test. */
#ifndef LCAL_TESTS_CALIB_SAMPLE_H
#define LCAL_TESTS_CALIB_SAMPLE_H

#include "calib/file.h"

#define SAMPLE_ADAPTERS 2

/* Adapters with pairs everywhere (0) and on q and up of odd layers (1). */
typedef struct sample {
    lcal__calib_facts facts;
    lcal__params params;
    lcal__lora_pair *pairs[SAMPLE_ADAPTERS];
    lcal__adapter adapters[SAMPLE_ADAPTERS];
    lcal__adapter_use uses[SAMPLE_ADAPTERS];
} sample;

/* Values as a file of that dtype can hold them, so that they must come back exactly. */
void sample_open(sample *s, const lcal__calib_spec *spec, const char *shape, lcal__store dtype,
                 uint64_t seed);
void sample_close(sample *s);
void sample_save(const sample *s, bool safetensors, lcal__store dtype, const char *path);

/* Free with lcal__free. */
void read_bytes(const char *path, unsigned char **bytes, size_t *size);

/* Fails with the message unless the status is LCAL_OK. */
void check(lcal_status status, const lcal_error *err);

#endif
