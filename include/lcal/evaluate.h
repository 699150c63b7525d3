/*
 * Evaluation: the rows of a table of methods, each from one configuration to its answers on the
 * test examples and their scores (docs/methods.md).
 *
 * The configuration names the base, the main task's adapter and then the auxiliary task's, the
 * training and validation examples of the composed task, and eval.test.
 */
#ifndef LCAL_EVALUATE_H
#define LCAL_EVALUATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcal/config.h"
#include "lcal/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One row. All text is static. */
typedef struct lcal_method {
    const char *name;       /* "lcpp" */
    const char *paper;      /* what the paper's table calls it */
    const char *kind;       /* "no training", "few-shot weights", "trained", "two passes" */
    const char *formula;    /* what is computed */
    const char *source;     /* where the method is from */
    const char *parameters; /* keys of the configuration that steer it */
    const char *cost;       /* before the first answer, and for each */
} lcal_method;

/* The rows, in the order of the paper's table; NULL after the last. */
LCAL_API const lcal_method *lcal_method_at(size_t index);

/* Zeroed but for `method` is valid. Strings are borrowed. */
typedef struct lcal_eval_options {
    const char *method;    /* name of a row */
    const char *dump;      /* file for one JSON line an answer, scores included; NULL: none */
    const char *judge_out; /* file for the answers alone, to be judged by someone else */
    const char *judge_in;  /* file of what someone else says of them: JSON lines, one an answer */
    /* Of shared rows: configurations of the other sub-tasks that share the calibration, and the
     * directory it is trained in (NULL: below out); evaluations of the same sub-tasks that name
     * one directory train it once. */
    const char *const *with;
    size_t with_count;
    const char *shared;
    bool overwrite;    /* train anew, answer anew */
    bool plan_only;    /* open and check everything, train and answer nothing */
    const char *cache; /* directory for lcal_tokenizer_open_cached; may be NULL */
    /* Training reports and is interrupted by these; should_stop is asked between answers too. */
    lcal_train_hooks hooks;
    /* Called as answers come; may be NULL. user: hooks.user. */
    void (*answered)(void *user, size_t done, size_t count);
} lcal_eval_options;

/* Mean over the answers and its 95 % interval; 0..100, but verdicts that are numbers. */
typedef struct lcal_eval_score {
    char name[64];
    bool verdict; /* of judge_in */
    double mean, low, high;
} lcal_eval_score;

/* Free with lcal_eval_report_free. Zeroed is valid and empty. */
typedef struct lcal_eval_report {
    const lcal_method *method;
    uint64_t seed;
    bool planned;     /* plan_only: there are no scores */
    bool interrupted; /* should_stop; what was done is kept below out, if there is one */
    size_t examples, answered, reused; /* to answer; done; of them, from an earlier call */
    size_t inferences;                 /* generations for an answer: 1 or 2 */
    size_t searches;                   /* evaluations of the few-shot loss */
    uint64_t trained_parameters;
    uint64_t stored_bytes; /* of the files that the row adds to base and adapters */
    uint64_t tokens;       /* of the answers, all passes */
    double prepare_seconds, answer_seconds; /* of the calls that did the work */
    double *weights; /* [weight_count] of the adapters, where the row finds them */
    size_t weight_count;
    lcal_eval_score *scores; /* [score_count] metrics, then verdicts */
    size_t score_count;
    double corpus_bleu, corpus_chrf; /* of all answers together */
    lcal_train_plan plan;            /* of rows that train; zeroed for others */
} lcal_eval_report;

/*
 * Prepares the row (trains what it trains, below out/METHOD-SEED, unless that is there), answers
 * the test examples, greedily, and scores the answers. Those are kept in
 * out/METHOD-SEED/answers.jsonl and taken from there where nothing that they depend on has
 * changed; without out nothing is kept, and rows that train are refused.
 * LCAL_CONFIG: no such row, or keys that it needs are missing; else as training and generating.
 * *report is filled as far as it came, also on failure.
 */
LCAL_API lcal_status lcal_evaluate(const lcal_config *config, const lcal_eval_options *options,
                                   lcal_eval_report *report, lcal_error *err);
LCAL_API void lcal_eval_report_free(lcal_eval_report *report);

#ifdef __cplusplus
}
#endif
#endif
