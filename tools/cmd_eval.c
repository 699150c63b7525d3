#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "commands.h"
#include "eval_report.h"
#include "exit.h"
#include "interrupt.h"
#include "progress.h"

typedef struct values {
    const char *method, *dump, *judge_out, *judge_in;
    const char *shared;
    cli_texts with;
    size_t limit, seed;
    bool overwrite, dry_run, json, quiet;
} values;

static bool should_stop(void *user)
{
    (void)user;
    return interrupt_wanted();
}

/* --- the configuration ------------------------------------------------------------------ */

#define EXTRA 3 /* overrides that options stand for */

/* The command line's key=value, then what its options stand for. texts: their memory. */
static lcal_status open_config(const cli_call *call, lcal_config **out, lcal_error *err)
{
    const values *v = call->values;
    char texts[EXTRA][64];
    size_t count = 0;
    const char **all = calloc(call->override_count + EXTRA, sizeof(*all));
    if (!all)
        return exit_error(err, LCAL_NOMEM, "out of memory: the overrides");
    for (; count < call->override_count; count++)
        all[count] = call->overrides[count];
    if (cli_given(call, "limit")) {
        snprintf(texts[0], sizeof(texts[0]), "eval.limit=%zu", v->limit);
        all[count++] = texts[0];
    }
    if (cli_given(call, "seed")) {
        snprintf(texts[1], sizeof(texts[1]), "train.seed=%zu", v->seed);
        snprintf(texts[2], sizeof(texts[2]), "merge.seed=%zu", v->seed);
        all[count++] = texts[1];
        all[count++] = texts[2];
    }
    lcal_status status = lcal_config_open_for(
        LCAL_FOR_EVAL, call->operand_count ? call->operands[0] : NULL, all, count, out, err);
    free(all);
    return status;
}

/* --- the method ------------------------------------------------------------------------- */

#define METHODS_MAX 64

static int check_method(const cli_call *call)
{
    const values *v = call->values;
    const char *names[METHODS_MAX];
    size_t count = 0;
    for (const lcal_method *m; count < METHODS_MAX && (m = lcal_method_at(count)); count++) {
        names[count] = m->name;
        if (strcmp(m->name, v->method) == 0)
            return 0;
    }
    const char *near = lcal_nearest_word(v->method, names, count);
    return cli_usage_error(call->command,
                           "--method %s: there is no such row%s%s%s; `lcal methods` "
                           "lists them",
                           v->method, near ? "; did you mean " : "", near ? near : "",
                           near ? "?" : "");
}

static lcal_status evaluate(const cli_call *call, const lcal_config *config, progress *shown,
                            lcal_eval_report *report, lcal_error *err)
{
    const values *v = call->values;
    const lcal_log log = {progress_log, shown};
    const lcal_eval_options options = {
        .method = v->method,
        .dump = v->dump,
        .judge_out = v->judge_out,
        .judge_in = v->judge_in,
        .with = v->with.items,
        .with_count = v->with.count,
        .shared = v->shared,
        .overwrite = v->overwrite,
        .plan_only = v->dry_run,
        .cache = cache_directory(),
        .hooks = {progress_step, should_stop, shown, &log},
        .answered = progress_answers,
    };
    interrupt_catch();
    lcal_status status = lcal_evaluate(config, &options, report, err);
    progress_end(shown);
    return status;
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    lcal_error err = {0};
    lcal_config *config = NULL;
    lcal_eval_report report = {0};
    progress shown = progress_init(v->quiet);
    if (!call->operand_count && !call->override_count)
        return cli_usage_error(call->command, "CONFIG is missing");
    const int usage = check_method(call);
    if (usage)
        return usage;
    lcal_status status = open_config(call, &config, &err);
    if (status == LCAL_OK)
        status = evaluate(call, config, &shown, &report, &err);
    lcal_config_close(&config);
    const bool interrupted = report.interrupted;
    if (status == LCAL_OK && v->json)
        eval_report_json(&report);
    else if (status == LCAL_OK && !interrupted)
        eval_report_print(&report);
    lcal_eval_report_free(&report);
    if (status != LCAL_OK)
        return exit_failure("eval", &err);
    if (interrupted)
        fputs("lcal eval: interrupted; the same command goes on\n", stderr);
    return interrupted ? EXIT_INTERRUPTED : 0;
}

static const cli_option options[] = {
    {"method", CLI_TEXT, offsetof(values, method), "NAME", .required = true,
     .help = "Which row: a name that `lcal methods` lists."},
    {"limit", CLI_COUNT, offsetof(values, limit), "N", .low = 0, .high = 4294967295,
     .help = "Answer only the first N test examples, as eval.limit; 0: all."},
    {"seed", CLI_COUNT, offsetof(values, seed), "N", .low = 0, .high = 9223372036854775807,
     .help = "Seed of everything random, as train.seed and merge.seed."},
    {"dump", CLI_TEXT, offsetof(values, dump), "FILE",
     .help = "Write one JSON line an answer: id, what else the example says, prompt, reference, "
             "output, scores, verdicts."},
    {"judge-out", CLI_TEXT, offsetof(values, judge_out), "FILE",
     .help = "Write the same without scores, for a judge outside lcal."},
    {"judge-in", CLI_TEXT, offsetof(values, judge_in), "FILE",
     .help = "Read what a judge says, one JSON line an answer: its id and any true, false or "
             "numbers, which the report averages. Without ids the lines are in order."},
    {"with", CLI_TEXTS, offsetof(values, with), "CONFIG",
     .help = "Of shared rows: the configuration of another sub-task that shares the calibration; "
             "its adapters and data count. May be given several times."},
    {"shared", CLI_TEXT, offsetof(values, shared), "DIR",
     .help = "Of shared rows: where the calibration is trained, once for all sub-tasks that name "
             "it; without it below out."},
    {"overwrite", CLI_FLAG, offsetof(values, overwrite),
     .help = "Train and answer anew what is there already."},
    {"dry-run", CLI_FLAG, offsetof(values, dry_run),
     .help = "Check everything, print what would be trained and the memory it would take, and "
             "exit."},
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print the report as one JSON object."},
    {"quiet", CLI_FLAG, offsetof(values, quiet), .help = "No progress, only notices and errors."},
    {0},
};

const cli_command cmd_eval = {
    .name = "eval",
    .summary = "Evaluate one method on the test examples of a composed task",
    .arguments = "CONFIG [key=value ...]",
    .operand = "CONFIG",
    .details =
        "CONFIG is a configuration of `lcal train` with eval.test; its first adapter is the main "
        "task's, its second the auxiliary task's. The row brings its own method and merge rule. "
        "What it trains and the answers are kept below out, in METHOD-SEED: the same command goes "
        "on where it was interrupted, and scores again without a model's work, so that a judge's "
        "verdicts can be read in a second call.",
    .options = options,
    .values_size = sizeof(values),
    .operands_max = 1,
    .overrides = true,
    .config_keys = true,
    .run = run,
};
