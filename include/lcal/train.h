/*
 * Training: from a configuration to a run directory, as a whole (lcal_train) or step by step
 * (lcal_trainer).
 *
 * The run directory holds config.resolved.yaml, metrics.jsonl, log.txt, checkpoint.h5 (everything
 * needed to go on bit-identically) and the result: calibration.h5 and its safetensors twin (lc,
 * lcpp, columns), adapter/ in PEFT layout (lora) or model/ in Hugging Face layout (base).
 *
 * The same configuration and seed give the same bytes, taken as a whole, step by step, or resumed,
 * for any number of threads.
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

/* One step, and a row of metrics.jsonl where it is logged. Losses are means over labelled tokens in
 * nats; NAN: not known at this step. */
typedef struct lcal_progress {
    uint64_t step, steps; /* steps taken, steps in all */
    double loss, lr, grad_norm, valid_loss;
    uint64_t tokens;     /* labelled tokens trained on so far */
    double tokens_per_s; /* all tokens of the batches, over the time since the last report */
    double seconds_left; /* estimate */
    uint64_t peak_rss;   /* bytes, at the last row */
    bool logged;         /* this step is a row of metrics.jsonl */
} lcal_progress;

typedef struct lcal_train_hooks {
    /* Called after every step; may be NULL. */
    void (*progress)(void *user, const lcal_progress *progress);
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
 * (see lcal_train_resume_config); with no checkpoint yet it starts from the beginning. hooks may be
 * NULL. *result is filled on failure too, as far as the run came.
 * LCAL_CONFIG: no run directory is given, or it holds a run and `existing` is REFUSE; LCAL_NUMERIC:
 * the loss is not finite.
 */
LCAL_API lcal_status lcal_train(const lcal_config *config, lcal_existing existing,
                                const lcal_train_hooks *hooks, lcal_train_result *result,
                                lcal_error *err);

/*
 * The configuration of an existing run with overrides applied. Keys that would change what is
 * computed are refused (LCAL_CONFIG); threads, logging, saving and a larger number of steps may
 * change. Close *out with lcal_config_close.
 */
LCAL_API lcal_status lcal_train_resume_config(const char *run, const char *const *overrides,
                                              size_t count, lcal_config **out, lcal_error *err);

/* --- step by step ------------------------------------------------------------------------
 *
 *     lcal_trainer_open() -> lcal_trainer_step() ... -> lcal_trainer_finish() ->
 * lcal_trainer_close()
 *
 * A configuration opened with LCAL_FOR_TRAINER need not name a run directory: then nothing is
 * written but what lcal_trainer_save is asked for. A trainer serves one thread at a time.
 */

typedef struct lcal_trainer lcal_trainer;

/* Opens model, data and, where the configuration names one, the run directory; for RESUME as the
 * newest checkpoint left it. config and log (may be NULL) must outlive the trainer. Errors as
 * lcal_train. */
LCAL_API lcal_status lcal_trainer_open(const lcal_config *config, lcal_existing existing,
                                       const lcal_log *log, lcal_trainer **out, lcal_error *err);

/* Steps since the last checkpoint are lost. NULL is allowed. */
LCAL_API void lcal_trainer_close(lcal_trainer **trainer);

/*
 * One optimiser step with what is due after it: validation, the row of metrics, a checkpoint. *row
 * (may be NULL) tells how it went. LCAL_INVALID: all train.steps are taken; LCAL_NUMERIC: the loss
 * is not finite, nothing was updated.
 */
LCAL_API lcal_status lcal_trainer_step(lcal_trainer *trainer, lcal_progress *row, lcal_error *err);

/* Steps taken and to take, resumed ones included. */
LCAL_API uint64_t lcal_trainer_steps_taken(const lcal_trainer *trainer);
LCAL_API uint64_t lcal_trainer_steps(const lcal_trainer *trainer);

/* Mean loss in nats over the labelled tokens of data.valid, as the trained values are now; changes
 * nothing. LCAL_INVALID: the configuration has no data.valid. */
LCAL_API lcal_status lcal_trainer_evaluate(lcal_trainer *trainer, double *loss, lcal_error *err);

/* Which trained values. */
typedef enum lcal_values {
    LCAL_VALUES_NOW,  /* after the last step */
    LCAL_VALUES_BEST, /* of the best validation so far (data.valid, train.keep_best) */
} lcal_values;

/*
 * Writes trained values: a calibration to a file that ends in .h5 or .safetensors (lc, lcpp,
 * columns), a new LoRA to a PEFT directory (lora), a model to a Hugging Face directory (base). What
 * is there is replaced. LCAL_INVALID: another ending, or nothing was validated and BEST is asked
 * for; LCAL_NUMERIC: a value is not finite or does not fit calibration.dtype.
 */
LCAL_API lcal_status lcal_trainer_save(lcal_trainer *trainer, lcal_values which, const char *path,
                                       lcal_error *err);

/* Writes checkpoint.h5 unless the newest is of this step. LCAL_INVALID: no run directory. */
LCAL_API lcal_status lcal_trainer_checkpoint(lcal_trainer *trainer, lcal_error *err);

/*
 * Writes the result into the run directory, of the best values where some are kept, and a
 * checkpoint; also before all steps are taken (then validated once more). LCAL_INVALID: no run
 * directory.
 */
LCAL_API lcal_status lcal_trainer_finish(lcal_trainer *trainer, lcal_error *err);

/* --- before training ----------------------------------------------------------------------- */

/* What training would do, without doing it: `--dry-run`. */
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

/* Opens model, adapters and data as training would and fills *plan; writes nothing. log may be
 * NULL. */
LCAL_API lcal_status lcal_train_dry_run(const lcal_config *config, const lcal_log *log,
                                        lcal_train_plan *plan, lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
