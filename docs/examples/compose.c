/*
 * A base, two adapters and the calibration that was trained for them as one model: how well it
 * expects a text, and how it goes on.
 *
 *     compose MODEL ADAPTER ADAPTER CALIBRATION TEXT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lcal/lcal.h>

/* Calls a function where all before it went well. */
#define TRY(call) status = status == LCAL_OK ? (call) : status

static lcal_status print_perplexity(lcal_model *model, const char *text, lcal_error *err)
{
    const lcal_tokenizer *tokenizer = NULL;
    const size_t length = strlen(text);
    lcal_status status = LCAL_OK;
    int32_t *ids = NULL;
    size_t count = 0;
    double sum = 0.0;
    TRY(lcal_model_tokenizer(model, &tokenizer, err));
    TRY(lcal_tokenizer_encode(tokenizer, text, length, LCAL_ADD_SPECIAL, &ids, &count, err));
    float *nll = calloc(count + 1, sizeof(*nll));
    TRY(nll ? lcal_score_ids(model, ids, NULL, count, nll, NULL, err) : LCAL_NOMEM);
    for (size_t t = 1; status == LCAL_OK && t < count; t++) /* nothing predicts the first */
        sum += nll[t];
    if (status == LCAL_OK && count > 1)
        printf("perplexity %.4f\n", exp(sum / (double)(count - 1)));
    free(nll);
    lcal_ids_free(ids);
    return status;
}

static bool print_piece(void *user, const lcal_piece *piece)
{
    (void)user;
    fwrite(piece->text, 1, piece->length, stdout);
    return fflush(stdout) == 0; /* false ends the generation */
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: %s MODEL ADAPTER ADAPTER CALIBRATION TEXT\n", argv[0]);
        return 2;
    }
    const char *text = argv[5];
    const lcal_generate_options options = {.max_tokens = 32};
    lcal_error err = {0};
    lcal_model *model = NULL;
    lcal_status status = LCAL_OK;
    TRY(lcal_model_open(argv[1], NULL, &model, &err));
    TRY(lcal_model_add_adapter(model, argv[2], 1.0, &err));
    TRY(lcal_model_add_adapter(model, argv[3], 1.0, &err));
    /* Last: a calibration belongs to the adapters that it was trained with. */
    TRY(lcal_model_calibrate(model, argv[4], &err));
    TRY(print_perplexity(model, text, &err));
    TRY(lcal_generate(model, &text, 1, &options, print_piece, NULL, &err));
    putchar('\n');
    if (status != LCAL_OK)
        fprintf(stderr, "%s: %s\n", argv[0], *err.message ? err.message : lcal_status_text(status));
    lcal_model_close(&model);
    return status == LCAL_OK ? 0 : 1;
}
