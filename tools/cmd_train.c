#define _POSIX_C_SOURCE 200809L /* sigaction */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "exit.h"
#include "lcal/train.h"
#include "progress.h"
#include "train_report.h"

typedef struct values {
    const char *resume;
    bool overwrite, dry_run, json, quiet;
} values;

/* Set by the first signal, read between steps. */
static volatile sig_atomic_t stop_wanted;

static void on_signal(int number)
{
    (void)number;
    static const char text[] = "\nlcal train: saving after this step; once more to give up\n";
    if (stop_wanted)
        _exit(EXIT_INTERRUPTED);
    stop_wanted = 1;
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written; /* nothing can be done about it here */
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool should_stop(void *user)
{
    (void)user;
    return stop_wanted != 0;
}

/* What the options forbid together. */
static int check_usage(const cli_call *call)
{
    const values *v = call->values;
    if (v->resume && call->operand_count)
        return cli_usage_error(call->command,
                               "--resume takes the run's own configuration: leave CONFIG out; "
                               "key=value may follow");
    if (v->resume && v->overwrite)
        return cli_usage_error(call->command, "--resume continues a run, --overwrite starts it "
                                              "anew: give one of them");
    if (!v->resume && !call->operand_count && !call->override_count)
        return cli_usage_error(call->command, "CONFIG is missing");
    return 0;
}

static lcal_status open_config(const cli_call *call, lcal_config **out, lcal_error *err)
{
    const values *v = call->values;
    const char *const *overrides = call->overrides;
    if (v->resume)
        return lcal_train_resume_config(v->resume, overrides, call->override_count, out, err);
    return lcal_config_open(call->operand_count ? call->operands[0] : NULL, overrides,
                            call->override_count, out, err);
}

static lcal_status dry_run(const lcal_config *config, const values *v, const lcal_log *log,
                           lcal_error *err)
{
    lcal_train_plan plan;
    lcal_status status = lcal_train_dry_run(config, log, &plan, err);
    if (status != LCAL_OK)
        return status;
    if (v->json)
        report_plan_json(&plan);
    else
        report_plan(&plan);
    return LCAL_OK;
}

static lcal_status train(const lcal_config *config, const values *v, progress *shown, bool *stopped,
                         lcal_error *err)
{
    const lcal_log log = {progress_log, shown};
    const lcal_train_hooks hooks = {progress_step, should_stop, shown, &log};
    const lcal_existing existing = v->resume      ? LCAL_EXISTING_RESUME
                                   : v->overwrite ? LCAL_EXISTING_OVERWRITE
                                                  : LCAL_EXISTING_REFUSE;
    lcal_train_result result = {0};
    catch_signals();
    lcal_status status = lcal_train(config, existing, &hooks, &result, err);
    progress_end(shown);
    if (status != LCAL_OK)
        return status;
    *stopped = result.interrupted;
    if (v->json)
        report_result_json(config, &result);
    else
        report_result(config, &result);
    return LCAL_OK;
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    int usage = check_usage(call);
    if (usage)
        return usage;
    lcal_error err = {0};
    lcal_config *config = NULL;
    progress shown = progress_init(v->quiet);
    const lcal_log log = {progress_log, &shown};
    bool stopped = false;
    lcal_status status = open_config(call, &config, &err);
    if (status == LCAL_OK && v->dry_run)
        status = dry_run(config, v, &log, &err);
    else if (status == LCAL_OK)
        status = train(config, v, &shown, &stopped, &err);
    lcal_config_close(&config);
    if (status != LCAL_OK)
        return exit_failure("train", &err);
    return stopped ? EXIT_INTERRUPTED : 0;
}

static const cli_option options[] = {
    {"resume", CLI_TEXT, offsetof(values, resume), "RUN",
     .help = "Continue the run in this directory with its own configuration; from the start where "
             "it has no checkpoint yet. key=value may change threads, logging, saving and raise "
             "train.steps."},
    {"overwrite", CLI_FLAG, offsetof(values, overwrite),
     .help = "Start anew where the run directory already holds a run."},
    {"dry-run", CLI_FLAG, offsetof(values, dry_run),
     .help = "Print what would be trained and the memory it would take, and exit."},
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print the result as one JSON object."},
    {"quiet", CLI_FLAG, offsetof(values, quiet), .help = "No progress, only notices and errors."},
    {0},
};

const cli_command cmd_train = {
    .name = "train",
    .summary = "Train a calibration, column mergers, a LoRA or a base model",
    .arguments = "CONFIG [key=value ...]",
    .operand = "CONFIG",
    .details = "The run directory (key out) gets the result and everything needed to continue. "
               "Ctrl-C saves a checkpoint and exits with status 130; a second one exits at once. "
               "A run directory that holds a run is refused without --resume or --overwrite.",
    .options = options,
    .values_size = sizeof(values),
    .operands_max = 1,
    .overrides = true,
    .config_keys = true,
    .run = run,
};
