#include <stdio.h>

#include "cache.h"
#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/verify.h"
#include "model_args.h"
#include "progress.h"

typedef struct values {
    const char *against;
    size_t limit, memory, threads;
    double tolerance;
    bool json;
} values;

static void print_json(const lcal_verification *v)
{
    printf("{\"kind\":\"%s\",\"data\":\"%s\",\"examples\":%zu,\"positions\":%zu,\"logit\":",
           v->kind, v->data, v->examples, v->positions);
    json_number(v->logit);
    fputs(",\"relative\":", stdout);
    json_number(v->relative);
    fputs(",\"log_probability\":", stdout);
    json_number(v->log_probability);
    printf(",\"same_choice\":%zu,\"example\":%zu,\"position\":%zu,\"token\":%zu,\"run_loss\":",
           v->same_choice, v->example, v->position, v->token);
    json_number(v->run_loss);
    fputs(",\"export_loss\":", stdout);
    json_number(v->export_loss);
    puts("}");
}

static void print_text(const lcal_verification *v)
{
    printf("%s, %zu %s examples, %zu positions\n", v->kind, v->examples, v->data, v->positions);
    printf("largest difference of a logit            %.3g (%.3g of the spread; example %zu, "
           "position %zu, token %zu)\n",
           v->logit, v->relative, v->example, v->position, v->token);
    printf("largest difference of a log-probability  %.3g (where p > 1e-6)\n", v->log_probability);
    printf("same most likely token                   %zu of %zu\n", v->same_choice, v->positions);
    printf("loss of the run, of the export           %.6f %.6f\n", v->run_loss, v->export_loss);
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    progress shown = progress_init(false);
    const lcal_log log = {progress_log, &shown};
    const lcal_verify_options options = {
        .limit = v->limit,
        .model = {.threads = v->threads,
                  .low_memory = v->memory == 1,
                  .log = &log,
                  .cache = cache_directory()},
    };
    lcal_verification found;
    lcal_error err = {0};
    lcal_status status = lcal_verify(call->operands[0], v->against, &options, &found, &err);
    progress_end(&shown);
    if (status != LCAL_OK)
        return exit_failure(call->command->name, &err);
    if (v->json)
        print_json(&found);
    else
        print_text(&found);
    if (!cli_given(call, "tolerance") || found.relative <= v->tolerance)
        return 0;
    exit_error(&err, LCAL_NUMERIC, "%s: logits differ by %.3g of their spread, more than %g",
               call->operands[0], found.relative, v->tolerance);
    return exit_failure(call->command->name, &err);
}

static const cli_option options[] = {
    {"against", CLI_TEXT, offsetof(values, against), "RUN", .required = true,
     .help = "Run directory that the export was made from, with its result and its data."},
    {"limit", CLI_COUNT, offsetof(values, limit), "N", .low = 0, .high = (size_t)1 << 30,
     .fallback = "0", .help = "Compare the first N examples only; 0: all."},
    {"tolerance", CLI_NUMBER, offsetof(values, tolerance), "X", .from = 0.0, .to = 1e9,
     .help = "Exit with status 4 where a logit differs by more than X times the spread of its "
             "position's logits."},
    {"memory", CLI_CHOICE, offsetof(values, memory), "HOW", .words = model_args_memories,
     .fallback = "fast",
     .help = "fast folds adapters into private f32 copies of both models' weights; low keeps the "
             "weights as stored and the adapters apart."},
    {"threads", CLI_COUNT, offsetof(values, threads), "N", .low = 0, .high = 1024, .fallback = "0",
     .help = "Threads to compute with; 0: all processors. The result does not depend on it."},
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print one JSON object."},
    {0},
};

const cli_command cmd_verify = {
    .name = "verify",
    .summary = "Compare an export with the run it was made from",
    .arguments = "EXPORT",
    .operand = "EXPORT",
    .details =
        "EXPORT is anything that `lcal export` writes and lcal can load: a PEFT directory or GGUF "
        "adapter, which goes on top of the run's base, a model directory or GGUF model, or a "
        "calibration. Its logits and the run's are compared at every position of the run's "
        "validation examples (of its training examples where it has none).",
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
