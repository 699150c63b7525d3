/* Handles of their own in several threads at once: each gets what it would get alone. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcal/lcal.h"

#define WORKERS 3
#define ROUNDS 4
#define IDS 12
#define STEPS 3

static char folder[64], calibration[128], rows[128];

static const char *shipped(void)
{
    static char path[1024];
    const char *tests = getenv("LCAL_TEST_SOURCE");
    snprintf(path, sizeof(path), "%s/golden/models/tiny-llama3", tests ? tests : "tests");
    return path;
}

/* What one thread does and finds; run by cmocka's thread too, so nothing here asserts. */
typedef struct worker {
    const char *model;
    size_t threads, rounds;
    float nll[IDS];
    double loss;
    lcal_error err;
} worker;

#define TRY(call) status = status == LCAL_OK ? (call) : status

static lcal_status train(worker *w)
{
    char keys[3][1100];
    const char *const list[] = {keys[0], keys[1], keys[2], "method=lc", "calibration.dtype=f32"};
    lcal_config *config = NULL;
    lcal_trainer *trainer = NULL;
    lcal_progress row = {0};
    lcal_status status = LCAL_OK;
    snprintf(keys[0], sizeof(keys[0]), "model=%s", w->model);
    snprintf(keys[1], sizeof(keys[1]), "data.train=%s", rows);
    snprintf(keys[2], sizeof(keys[2]), "train.threads=%zu", w->threads);
    TRY(lcal_config_open_for(LCAL_FOR_TRAINER, NULL, list, 5, &config, &w->err));
    TRY(lcal_trainer_open(config, LCAL_EXISTING_REFUSE, NULL, &trainer, &w->err));
    for (int i = 0; i < STEPS; i++)
        TRY(lcal_trainer_step(trainer, &row, &w->err));
    w->loss = row.loss;
    if (w->rounds == 0) /* the first one alone makes the calibration of all */
        TRY(lcal_trainer_save(trainer, LCAL_VALUES_NOW, calibration, &w->err));
    lcal_trainer_close(&trainer);
    lcal_config_close(&config);
    return status;
}

static lcal_status score(worker *w)
{
    const lcal_model_options options = {.threads = w->threads};
    const int32_t ids[IDS] = {1, 7, 300, 44, 2, 90, 511, 6, 17, 0, 255, 31};
    lcal_model *model = NULL;
    char *text = NULL;
    lcal_status status = LCAL_OK;
    TRY(lcal_model_open(w->model, &options, &model, &w->err));
    TRY(lcal_model_calibrate(model, calibration, &w->err));
    TRY(lcal_score_ids(model, ids, NULL, IDS, w->nll, NULL, &w->err));
    TRY(lcal_inspect(calibration, LCAL_INSPECT_JSON, &text, &w->err));
    lcal_text_free(text);
    lcal_model_close(&model);
    return status;
}

static void *work(void *user)
{
    worker *w = user;
    lcal_status status = train(w);
    for (size_t i = 0; status == LCAL_OK && i < w->rounds; i++)
        status = score(w);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    worker alone = {.model = shipped(), .threads = 1}, workers[WORKERS];
    pthread_t threads[WORKERS];
    work(&alone);
    assert_string_equal(alone.err.message, "");
    assert_int_equal(score(&alone), LCAL_OK);
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.model = shipped(), .threads = 1 + i % 2, .rounds = ROUNDS};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_string_equal(workers[i].err.message, "");
        assert_true(workers[i].loss == alone.loss);
        assert_memory_equal(workers[i].nll + 1, alone.nll + 1, (IDS - 1) * sizeof(float));
    }
}

static int open_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/lcal-threads-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(calibration, sizeof(calibration), "%s/result.h5", folder);
    snprintf(rows, sizeof(rows), "%s/rows.jsonl", folder);
    FILE *file = fopen(rows, "w");
    if (!file)
        return -1;
    for (int i = 0; i < 8; i++)
        fprintf(file, "{\"input_ids\":[1,%d,%d,%d],\"labels\":[-100,-100,%d,%d]}\n", i, i + 40,
                i + 80, i + 40, i + 80);
    return fclose(file);
}

static int close_folder(void **state)
{
    (void)state;
    return remove(rows) | remove(calibration) | rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads, open_folder, close_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
