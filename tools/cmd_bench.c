#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/bench.h"
#include "progress.h"

typedef struct values {
    size_t shape, method, precision, batch, length, threads, steps, recompute;
    const char *loss;
    bool json;
} values;

static const char *const shapes[] = {"mini", "small", "135m", "1b", "1.5b", "1.6b", NULL};
static const char *const methods[] = {"lc", "lcpp", NULL};
static const char *const precisions[] = {"f32", NULL};

#define MIB 1048576.0

static void print_text(const lcal_bench_result *r)
{
    printf("step         %.4f s (median)\n"
           "speed        %.1f tokens/s (fastest step: %.1f)\n"
           "arithmetic   %.1f GFLOP/s (products with weights that the step cannot do without)\n"
           "memory       %.1f MiB measured, %.1f MiB planned\n"
           "batch        %zu tokens a step on %zu threads, last loss %.4f\n",
           r->step_s, r->tokens_per_s, r->best_tokens_per_s, r->gflops, (double)r->peak_rss / MIB,
           (double)r->planned_bytes / MIB, r->tokens, r->threads, r->loss);
}

static void print_json(const lcal_bench_options *o, const lcal_bench_result *r)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"tokens_per_s", r->tokens_per_s},
        {"best_tokens_per_s", r->best_tokens_per_s},
        {"step_s", r->step_s},
        {"gflops", r->gflops},
        {"loss", r->loss},
    };
    fputs("{\"shape\":", stdout);
    json_text(o->shape);
    fputs(",\"method\":", stdout);
    json_text(o->method);
    fputs(",\"precision\":", stdout);
    json_text(o->precision);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        printf(",\"%s\":", numbers[i].name);
        json_number(numbers[i].value);
    }
    printf(",\"peak_rss\":%llu,\"planned_bytes\":%llu,\"tokens\":%zu,\"loss_last\":%zu,"
           "\"recompute_blocks\":%zu,\"threads\":%zu}\n",
           (unsigned long long)r->peak_rss, (unsigned long long)r->planned_bytes, r->tokens,
           o->loss_last, o->recompute_blocks, r->threads);
}

/* "all" or "lastN" */
static bool parse_loss(const char *text, size_t *last)
{
    *last = 0;
    if (!text || strcmp(text, "all") == 0)
        return true;
    return strncmp(text, "last", 4) == 0 && cli_count(text + 4, 1, 1048576, last);
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    lcal_error err = {0};
    progress shown = progress_init(v->json);
    const lcal_log log = {progress_log, &shown};
    lcal_bench_options options = {
        .shape = shapes[v->shape],
        .method = methods[v->method],
        .precision = precisions[v->precision],
        .batch = v->batch,
        .length = v->length,
        .threads = v->threads,
        .steps = v->steps,
        .recompute_blocks = v->recompute,
        .log = &log,
    };
    lcal_bench_result result;
    if (!parse_loss(v->loss, &options.loss_last))
        return cli_usage_error(call->command,
                               "--loss: expected all or lastN (last64), found \"%s\"", v->loss);
    if (lcal_bench(&options, &result, &err) != LCAL_OK)
        return exit_failure("bench", &err);
    if (!v->json)
        print_text(&result);
    print_json(&options, &result);
    return 0;
}

static const cli_option options[] = {
    {"shape", CLI_CHOICE, offsetof(values, shape), "NAME", .required = true, .words = shapes,
     .help = "Model shape: mini and small are for quick looks, 135m is SmolLM's, the others are "
             "LLaMA-3.2-1B's, Qwen2.5-1.5B's and StableLM-2-1.6B's."},
    {"method", CLI_CHOICE, offsetof(values, method), "NAME", .words = methods, .fallback = "lc",
     .help = "What is trained: one vector, or one pair of rank 4, per projection type."},
    {"precision", CLI_CHOICE, offsetof(values, precision), "TYPE", .words = precisions,
     .fallback = "f32", .help = "Arithmetic of weights and activations."},
    {"batch", CLI_COUNT, offsetof(values, batch), "B", .low = 0, .high = 65536, .fallback = "0",
     .help = "Sequences a step; 0: 32 (mini), 8 (small), 2 (135m), 1 (others)."},
    {"length", CLI_COUNT, offsetof(values, length), "T", .low = 0, .high = 1048576, .fallback = "0",
     .help = "Tokens of a sequence; 0: 64 (mini), 256 (others)."},
    {"loss", CLI_TEXT, offsetof(values, loss), "WHERE", .fallback = "all",
     .help = "Positions with a loss: all, or lastN (last64) of each sequence."},
    {"threads", CLI_COUNT, offsetof(values, threads), "N", .low = 0, .high = 1024, .fallback = "0",
     .help = "Threads to compute with; 0: all processors."},
    {"steps", CLI_COUNT, offsetof(values, steps), "N", .low = 1, .high = 100000, .fallback = "7",
     .help = "Timed steps, after one that warms up."},
    {"recompute", CLI_COUNT, offsetof(values, recompute), "N", .low = 0, .high = 1024,
     .fallback = "0", .help = "Layers whose activations are computed again instead of kept."},
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print the JSON object alone."},
    {0},
};

const cli_command cmd_bench = {
    .name = "bench",
    .summary = "Time training steps on random weights of a named shape",
    .arguments = "",
    .details = "A step is forward, backward and AdamW. Weights, tokens and targets are random. The "
               "last line of the output is one JSON object. gflops counts the products with weight "
               "matrices that no program can do without (forward; input gradients where something "
               "below is trained), not attention.",
    .options = options,
    .values_size = sizeof(values),
    .run = run,
};
