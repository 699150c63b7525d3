/* Whether an export answers as the run it was made from. */
#ifndef LCAL_VERIFY_H
#define LCAL_VERIFY_H

#include <stddef.h>

#include "lcal/model.h"
#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed is valid. */
typedef struct lcal_verify_options {
    size_t limit;             /* most examples compared; 0: all */
    lcal_model_options model; /* both models are opened with these */
} lcal_verify_options;

/* What was compared: the logits at every position of every example. */
typedef struct lcal_verification {
    const char *kind; /* what the export is: "adapter", "model", "calibration"; static */
    const char *data; /* "validation" or "training": which examples of the run; static */
    size_t examples, positions;
    double logit;    /* largest difference of a logit */
    double relative; /* the same over the spread (largest less smallest) of the position's logits */
    double log_probability; /* largest difference of a log-probability in nats, where either
                               probability is above 1e-6 */
    size_t same_choice;     /* positions where the most likely token is the same */
    size_t example, position, token; /* of the largest logit difference; example from 0, in the
                                        order compared */
    double run_loss, export_loss;    /* nats a labelled token */
} lcal_verification;

/*
 * Opens `path` (a PEFT directory or GGUF adapter on the run's base, a model directory or GGUF
 * model, a calibration with the run's base and adapters) and `run`, and compares their logits on
 * the run's validation examples, or on its training examples where it has none. options may be
 * NULL.
 * LCAL_SHAPE: another vocabulary than the run's; LCAL_NUMERIC: logits that are not finite; else as
 * lcal_model_open_run.
 */
LCAL_API lcal_status lcal_verify(const char *path, const char *run,
                                 const lcal_verify_options *options, lcal_verification *out,
                                 lcal_error *err);

#ifdef __cplusplus
}
#endif
#endif
