/*
 * Training: from a configuration to a run directory.
 *
 * The run directory holds config.resolved.yaml, metrics.jsonl, log.txt, checkpoint.h5 (everything
 * needed to go on bit-identically) and the result: calibration.h5 and its safetensors twin (lc,
 * lcpp, columns), adapter/ in PEFT layout (lora) or model/ in Hugging Face layout (base).
 */
#ifndef LCAL_TRAIN_H
#define LCAL_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcal/config.h"
#include "lcal/log.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What happens to a run directory that already holds a run. */
typedef enum lcal_existing {
    LCAL_EXISTING_REFUSE,
    LCAL_EXISTING_RESUME,
    LCAL_EXISTING_OVERWRITE,
} lcal_existing;

/* One row of metrics.jsonl. Losses are means over labelled tokens in nats; NAN: not known at this
 * step. */
typedef struct lcal_progress {
    uint64_t step, steps; /* steps taken, steps in all */
    double loss, lr, grad_norm, valid_loss;
    uint64_t tokens;     /* labelled tokens trained on so far */
    double tokens_per_s; /* all tokens of the batches, over the time since the last report */
    double seconds_left; /* estimate */
    uint64_t peak_rss;   /* bytes */
} lcal_progress;

typedef struct lcal_train_hooks {
    /* Called after every step; may be NULL. `logged`: this step is a row of metrics.jsonl. */
    void (*progress)(void *user, const lcal_progress *progress, bool logged);
    /* Asked between steps; true saves a checkpoint and ends the run early. May be NULL. */
    bool (*should_stop)(void *user);
    void *user;
    const lcal_log *log; /* may be NULL */
} lcal_train_hooks;

typedef struct lcal_train_result {
    bool interrupted;      /* should_stop ended it; the run can be resumed */
    bool already_finished; /* nothing was left to do */
    uint64_t step;
    double first_loss, last_loss, best_valid_loss; /* NAN: none */
    uint64_t best_step;
} lcal_train_result;

/*
 * Trains as the configuration says. For RESUME the configuration is the run's own with overrides
 * (see lcal_train_resume_config); with no checkpoint yet it starts from the beginning.
 * LCAL_CONFIG: the run directory holds a run and `existing` is REFUSE; LCAL_NUMERIC: the loss is
 * not finite.
 */
LCAL_API lcal_status lcal_train(const lcal_config *config, lcal_existing existing,
                                const lcal_train_hooks *hooks, lcal_train_result *result,
                                lcal_error *err);

/*
 * The configuration of an existing run with overrides applied. Keys that would change what is
 * computed are refused; threads, logging, saving and a larger number of steps may change.
 */
LCAL_API lcal_status lcal_train_resume_config(const char *run, const char *const *overrides,
                                              size_t count, lcal_config **out, lcal_error *err);

/* What training would do, without doing it: `--dry-run`. Bytes. */
typedef struct lcal_train_plan {
    uint64_t trained_parameters, frozen_parameters;
    uint64_t train_examples, train_tokens, train_labels, valid_examples;
    uint64_t batch_tokens_max, steps, epochs_milli; /* epochs in thousandths */
    uint64_t mapped_bytes;                          /* weight files, read only */
    uint64_t weight_bytes;                          /* folded and widened copies */
    uint64_t state_bytes;                           /* values, gradients, Adam moments, best copy */
    uint64_t workspace_bytes;                       /* activations and scratch */
    uint64_t data_bytes;                            /* examples */
    uint64_t other_bytes; /* libraries and buffers, measured once, an estimate */
    uint64_t peak_bytes;  /* expected peak resident memory */
    uint64_t recomputed_blocks, blocks;
} lcal_train_plan;

LCAL_API lcal_status lcal_train_dry_run(const lcal_config *config, const lcal_log *log,
                                        lcal_train_plan *plan, lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
