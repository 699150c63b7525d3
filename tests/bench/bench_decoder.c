/*
 * Decoding random tokens with models of random weights: tokens/s of one text and of sixteen side by
 * side, and of reading a prompt, beside the tape's forward pass over the same prompt. Prints the
 * best of several; `bench_decoder SECONDS [SHAPE...]` sets the time spent on each measurement and
 * which shapes of `lcal bench` are tried.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/decoder.h"
#include "engine/tape.h"

#define TEXTS 16
#define PROMPT 512
#define LENGTH 1024

typedef struct bench {
    const char *shape;
    lcal__model model;
    lcal__network network;
    lcal__exec exec;
    double seconds;
    int32_t ids[LENGTH];
    float *logits; /* [TEXTS, vocab] */
} bench;

static double now(void)
{
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void need(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_decoder: %s\n", what);
    exit(1);
}

/* Seconds of one step of `texts` texts after 64 tokens each, the best of many. */
static double step_time(const bench *b, lcal__decoder *decoder, size_t texts, size_t count)
{
    lcal__decode_input inputs[TEXTS];
    double best = 1e9;
    for (size_t i = 0; i < texts; i++)
        inputs[i] = (lcal__decode_input){i, b->ids + i, count};
    size_t rounds = 0;
    for (double start = now(); now() - start < b->seconds || rounds < 3; rounds++) {
        if (lcal__decoder_length(decoder, 0) + count > LENGTH)
            for (size_t i = 0; i < texts; i++)
                lcal__decoder_truncate(decoder, i, count == 1 ? 64 : 0);
        const double before = now();
        lcal__decoder_run(decoder, inputs, texts, b->logits);
        const double spent = now() - before;
        best = spent < best ? spent : best;
        if (count > 1)
            lcal__decoder_truncate(decoder, 0, 0);
    }
    return best;
}

static double decode(const bench *b, size_t texts, size_t count)
{
    const lcal__decoder_options options = {texts, LENGTH, count > 1 ? count : TEXTS * 64};
    lcal__decoder *decoder;
    need(lcal__decoder_open(&b->network, &b->exec, &options, &decoder, NULL) == LCAL_OK, "memory");
    for (size_t i = 0; count == 1 && i < texts; i++)
        lcal__decoder_run(decoder, &(lcal__decode_input){i, b->ids, 64}, 1, NULL);
    const double best = step_time(b, decoder, texts, count);
    lcal__decoder_close(&decoder);
    return (double)(texts * count) / best;
}

static double forward(const bench *b, size_t count)
{
    const lcal__tape_options options = {.capacity = {count, 1, 1, count}};
    lcal__tape *tape;
    lcal__batch batch;
    int32_t labels[LENGTH];
    for (size_t i = 0; i < count; i++)
        labels[i] = i + 1 == count ? b->ids[i] : LCAL__LABEL_IGNORE;
    need(lcal__batch_init(&batch, count, 1, NULL) == LCAL_OK, "memory");
    lcal__batch_add(&batch,
                    &(lcal__example){.ids = (int32_t *)b->ids, .labels = labels, .length = count},
                    false);
    need(lcal__tape_record(&b->network, &b->exec, &options, &tape, NULL) == LCAL_OK, "memory");
    void *workspace = lcal__alloc_aligned(lcal__tape_workspace(tape), 1);
    need(workspace != NULL, "memory");
    lcal__tape_bind(tape, workspace);
    double best = 1e9;
    size_t rounds = 0;
    for (double start = now(); now() - start < b->seconds || rounds < 3; rounds++) {
        lcal__feed feed = {.batch = &batch};
        const double before = now();
        lcal__tape_run(tape, &feed);
        const double spent = now() - before;
        best = spent < best ? spent : best;
    }
    lcal__free(workspace);
    lcal__tape_close(&tape);
    lcal__batch_free(&batch);
    return (double)count / best;
}

static void measure(const char *shape, size_t threads, double seconds)
{
    static const size_t prompts[] = {64, PROMPT};
    bench *b = lcal__calloc(1, sizeof(*b));
    lcal__model_config config;
    need(b != NULL && lcal__model_config_shape(shape, &config), "unknown shape");
    *b = (bench){.shape = shape, .exec = lcal__exec_init(threads), .seconds = seconds};
    need(lcal__model_random(&config, 1, &b->model, NULL) == LCAL_OK, "memory");
    need(lcal__network_init(&b->model, &b->network, NULL) == LCAL_OK, "memory");
    b->logits = lcal__alloc_aligned(TEXTS * config.vocab, sizeof(float));
    need(b->logits != NULL, "memory");
    for (size_t i = 0; i < LENGTH; i++)
        b->ids[i] = (int32_t)(i * 2654435761u % config.vocab);
    printf("%-6s %zu threads, tokens/s: one text %.1f, %d texts %.1f\n", shape, threads,
           decode(b, 1, 1), TEXTS, decode(b, TEXTS, 1));
    for (size_t p = 0; p < sizeof(prompts) / sizeof(prompts[0]); p++)
        printf("%-6s %zu threads, tokens/s: prompt of %zu %.0f (tape %.0f)\n", shape, threads,
               prompts[p], decode(b, 1, prompts[p]), forward(b, prompts[p]));
    lcal__free(b->logits);
    lcal__network_free(&b->network);
    lcal__model_close(&b->model);
    lcal__free(b);
}

int main(int argc, char **argv)
{
    static const char *const usual[] = {"small", "135m"};
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    const size_t count = argc > 2 ? (size_t)argc - 2 : sizeof(usual) / sizeof(usual[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t threads = 1; threads <= 2; threads++)
            measure(argc > 2 ? argv[i + 2] : usual[i], threads, seconds);
    return 0;
}
