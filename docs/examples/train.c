/*
 * Trains step by step with a report and an early stop of its own, keeps the best calibration, and
 * uses it. Nothing is written but the file that is named.
 *
 *     train RESULT.h5 VALID.jsonl model=DIR data.train=FILE data.valid=VALID.jsonl [KEY=VALUE ...]
 */
#include <math.h>
#include <stdio.h>

#include <lcal/lcal.h>

#define PATIENCE 3 /* validations in a row without a better one */

/* Calls a function where all before it went well. */
#define TRY(call) status = status == LCAL_OK ? (call) : status

static lcal_status train(lcal_trainer *trainer, lcal_error *err)
{
    double best = INFINITY;
    unsigned worse = 0;
    while (lcal_trainer_steps_taken(trainer) < lcal_trainer_steps(trainer) && worse < PATIENCE) {
        lcal_progress row;
        lcal_status status = lcal_trainer_step(trainer, &row, err);
        if (status != LCAL_OK)
            return status;
        if (isnan(row.valid_loss)) /* not due at this step */
            continue;
        worse = row.valid_loss < best ? 0 : worse + 1;
        best = fmin(best, row.valid_loss);
        printf("step %d: loss %.4f, validation %.4f\n", (int)row.step, row.loss, row.valid_loss);
    }
    return LCAL_OK;
}

typedef struct totals {
    double nll, labels;
} totals;

static lcal_status add_row(void *user, const lcal_score_row *row, lcal_error *err)
{
    totals *sum = user;
    (void)err; /* a callback that fails would fill it */
    for (size_t i = 0; i < row->count; i++)
        sum->nll += row->nll[i];
    sum->labels += (double)row->count;
    return LCAL_OK;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s RESULT.h5 VALID.jsonl KEY=VALUE ...\n", argv[0]);
        return 2;
    }
    const char *const *keys = (const char *const *)argv + 3;
    const lcal_score_options options = {.file = argv[2]};
    totals sum = {0};
    lcal_error err = {0};
    lcal_config *config = NULL;
    lcal_trainer *trainer = NULL;
    lcal_model *model = NULL;
    lcal_status status = LCAL_OK;
    TRY(lcal_config_open_for(LCAL_FOR_TRAINER, NULL, keys, (size_t)argc - 3, &config, &err));
    TRY(lcal_trainer_open(config, LCAL_EXISTING_REFUSE, NULL, &trainer, &err));
    TRY(train(trainer, &err));
    TRY(lcal_trainer_save(trainer, LCAL_VALUES_BEST, argv[1], &err));
    lcal_trainer_close(&trainer);
    TRY(lcal_model_open_config(config, NULL, &model, &err)); /* the same base and adapters */
    TRY(lcal_model_calibrate(model, argv[1], &err));
    TRY(lcal_score(model, &options, add_row, &sum, &err));
    if (status == LCAL_OK)
        printf("%s: validation %.4f\n", argv[1], sum.nll / sum.labels);
    else
        fprintf(stderr, "%s: %s\n", argv[0], err.message);
    lcal_model_close(&model);
    lcal_config_close(&config);
    return status == LCAL_OK ? 0 : 1;
}
