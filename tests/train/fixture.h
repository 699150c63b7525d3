/* Short training runs on the shipped tiny models, in a temporary directory (model/scratch.h). */
#ifndef LCAL_TESTS_TRAIN_FIXTURE_H
#define LCAL_TESTS_TRAIN_FIXTURE_H

#include "lcal/train.h"

/* cmocka fixtures: a temporary directory with train.jsonl (40 examples of 6 to 20 tokens, the later
 * half of each labelled) and valid.jsonl (9). */
int train_open(void **state);
int train_close(void **state);

#define JOB_KEYS 48

/* key=value overrides of a run; later ones win. */
typedef struct job {
    char keys[JOB_KEYS][512];
    size_t count;
} job;

/* Six steps of lcpp on tiny-llama3 with both adapters, checkpoints every 2, rows every step, into
 * directory NAME. */
job job_new(const char *name);
/* Seven steps, each of two batches, validated every third and in the end. */
job job_full(const char *name);
void job_set(job *j, const char *format, ...);

/* Its configuration, which the caller closes. */
lcal_config *job_config(const job *j, lcal_purpose purpose);

/* Fails the test where the run fails. */
lcal_train_result job_run(const job *j, lcal_existing existing, const lcal_train_hooks *hooks);

/* For runs that shall fail; err may not be NULL. */
lcal_status job_try(const job *j, lcal_existing existing, const lcal_train_hooks *hooks,
                    lcal_train_result *result, lcal_error *err);

/* Resumes the run in directory NAME with overrides. */
lcal_train_result run_resume(const char *name, const char *const *overrides, size_t count);

/* Hooks that stop before step `stop_after` + 1 is taken. */
typedef struct stopper {
    uint64_t stop_after, steps;
} stopper;
lcal_train_hooks stopper_hooks(stopper *s);

/* Content of a file below the temporary directory, zero-terminated; free with lcal__free. */
char *read_whole(const char *path, size_t *size);

void assert_same_file(const char *run_a, const char *run_b, const char *name);

/* A number of every row of a run's metrics, NAN where it is null or absent; returns how many. */
size_t run_metric(const char *run, const char *key, double *out, size_t capacity);

/* All rows equal but for tokens_per_s and peak_rss. */
void assert_same_metrics(const char *run_a, const char *run_b);

/* checkpoint.h5, calibration.h5, its twin, and the metrics. */
void assert_same_run(const char *run_a, const char *run_b);

#endif
