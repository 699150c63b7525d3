/*
 * Calibration files: the compact result of a training run, in HDF5 (DESIGN.md 5, METHODS.md D.8)
 * and in its safetensors twin.
 *
 *   HDF5         /calib/q_proj/p ("." of a tensor's name becomes "/"), facts as attributes of "/"
 *   safetensors  calib.q_proj.p, facts as strings in __metadata__
 *
 * No file holds a clock time, host, thread count or output path: equal runs write equal bytes.
 */
#ifndef LCAL_CALIB_FILE_H
#define LCAL_CALIB_FILE_H

#include "base/hash.h"
#include "calib/assembly.h"

#define LCAL__CALIB_FORMAT "lcal-calibration"
#define LCAL__CALIB_FORMAT_VERSION 1

/* Key of safetensors metadata where adapters and models that lcal made tell what from, as JSON. */
#define LCAL__PROVENANCE_KEY "lcal"

/* A frozen adapter that a calibration was trained with. */
typedef struct lcal__calib_adapter {
    char *name; /* last part of its path, for people; sha256 is what identifies it */
    char sha256[LCAL__SHA256_HEX];
    double weight;
} lcal__calib_adapter;

/* The facts that identify a calibration. Owns its strings. Zeroed is valid. */
typedef struct lcal__calib_facts {
    lcal__calib_spec spec;
    lcal__model_config
        config; /* arch, layers, hidden, heads, kv_heads, head_dim, ffn, vocab are stored */
    char base_sha256[LCAL__SHA256_HEX]; /* "" for a random model */
    lcal__merge_settings merge;         /* how the adapters were combined */
    lcal__calib_adapter *adapters;
    size_t adapter_count;
    uint64_t seed, step, tokens; /* of training: seed, steps taken, labels seen */
    double valid_loss;           /* NAN: none */
} lcal__calib_facts;

void lcal__calib_facts_free(lcal__calib_facts *facts);

/* The facts of a model, its adapters, their merge and a spec; seed, step, tokens and loss are left
 * to the caller. */
lcal_status lcal__calib_facts_from(const lcal__model *model, const lcal__adapter_use *uses,
                                   size_t count, const lcal__merge_settings *merge,
                                   const lcal__calib_spec *spec, lcal__calib_facts *out,
                                   lcal_error *err);

/* Refuses a calibration on another base, other adapters, weights or merge: LCAL_SHAPE where extents
 * differ, LCAL_INVALID where only hashes, weights or the merge do; says what was expected and
 * found. */
lcal_status lcal__calib_facts_check(const lcal__calib_facts *facts, const char *source,
                                    const lcal__model *model, const lcal__adapter_use *uses,
                                    size_t count, const lcal__merge_settings *merge,
                                    lcal_error *err);

/* A loaded file: facts and tensors (params.values filled; grads NULL). */
typedef struct lcal__calib_file {
    lcal__calib_facts facts;
    lcal__params params;
    lcal__store dtype; /* as stored */
    bool safetensors;  /* which of the two formats */
} lcal__calib_file;

/* Writes values [params->total] of the block under params' names; a value that does not fit the
 * dtype (f16 beyond 65504) or is not finite is LCAL_NUMERIC naming the tensor. */
lcal_status lcal__calib_save_h5(const char *path, const lcal__calib_facts *facts,
                                const lcal__params *params, const float *values, lcal__store dtype,
                                lcal_error *err);
lcal_status lcal__calib_save_safetensors(const char *path, const lcal__calib_facts *facts,
                                         const lcal__params *params, const float *values,
                                         lcal__store dtype, lcal_error *err);

/* Reads either format, recognised by content; every tensor's presence, name, shape and finiteness
 * is checked against what the facts' spec and shapes call for. */
lcal_status lcal__calib_load(const char *path, lcal__calib_file *out, lcal_error *err);
lcal_status lcal__calib_parse(const void *bytes, size_t size, const char *source,
                              lcal__calib_file *out, lcal_error *err);
void lcal__calib_file_free(lcal__calib_file *file);

/* Copies a file's tensors into a block of the same spec; LCAL_SHAPE names what differs. */
lcal_status lcal__calib_apply(const lcal__calib_file *file, const char *source,
                              lcal__params *params, lcal_error *err);

#endif
