#define _POSIX_C_SOURCE 200809L /* access */
#include "train_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json_out.h"

/* --- the plan ------------------------------------------------------------------------------- */

typedef struct plan_item {
    const char *name; /* in JSON */
    const char *text;
    uint64_t value;
    enum { COUNT, BYTES, THOUSANDTHS } unit;
} plan_item;

#define PLAN_ITEMS 18

static void list_plan(const lcal_train_plan *p, plan_item items[PLAN_ITEMS])
{
    const plan_item list[PLAN_ITEMS] = {
        {"trained_parameters", "trained parameters", p->trained_parameters, COUNT},
        {"frozen_parameters", "frozen parameters", p->frozen_parameters, COUNT},
        {"train_examples", "training examples", p->train_examples, COUNT},
        {"train_tokens", "  their tokens", p->train_tokens, COUNT},
        {"train_labels", "  their labelled tokens", p->train_labels, COUNT},
        {"valid_examples", "validation examples", p->valid_examples, COUNT},
        {"batch_tokens_max", "tokens of the largest batch", p->batch_tokens_max, COUNT},
        {"steps", "steps", p->steps, COUNT},
        {"epochs", "  passes over the data", p->epochs_milli, THOUSANDTHS},
        {"mapped_bytes", "weight files, mapped read only", p->mapped_bytes, BYTES},
        {"weight_bytes", "weights folded or widened", p->weight_bytes, BYTES},
        {"state_bytes", "trained values, gradients, moments", p->state_bytes, BYTES},
        {"workspace_bytes", "activations and scratch", p->workspace_bytes, BYTES},
        {"data_bytes", "examples", p->data_bytes, BYTES},
        {"other_bytes", "libraries and buffers, estimated", p->other_bytes, BYTES},
        {"peak_bytes", "expected peak", p->peak_bytes, BYTES},
        {"blocks", "layers", p->blocks, COUNT},
        {"recomputed_blocks", "  of them recomputed", p->recomputed_blocks, COUNT},
    };
    memcpy(items, list, sizeof(list));
}

void report_plan(const lcal_train_plan *plan)
{
    plan_item items[PLAN_ITEMS];
    list_plan(plan, items);
    for (size_t i = 0; i < PLAN_ITEMS; i++) {
        const double value = (double)items[i].value;
        printf("%-36s", items[i].text);
        if (items[i].unit == BYTES)
            printf("%14.1f MiB\n", value / 1048576.0);
        else if (items[i].unit == THOUSANDTHS)
            printf("%14.3f\n", value / 1000.0);
        else
            printf("%12llu\n", (unsigned long long)items[i].value);
    }
}

void report_plan_json(const lcal_train_plan *plan)
{
    plan_item items[PLAN_ITEMS];
    list_plan(plan, items);
    for (size_t i = 0; i < PLAN_ITEMS; i++) {
        printf("%s\"%s\": ", i ? ", " : "{", items[i].name);
        if (items[i].unit == THOUSANDTHS)
            printf("%.3f", (double)items[i].value / 1000.0);
        else
            printf("%llu", (unsigned long long)items[i].value);
    }
    puts("}");
}

/* --- the result ----------------------------------------------------------------------------- */

/* What a run directory may hold, the result first. */
static const char *const run_files[] = {
    "calibration.h5", "calibration.safetensors", "adapter",       "model",
    "checkpoint.h5",  "config.resolved.yaml",    "metrics.jsonl", "log.txt",
};
#define RUN_FILES (sizeof(run_files) / sizeof(run_files[0]))

static bool is_there(const char *directory, const char *name)
{
    char path[8192];
    int length = snprintf(path, sizeof(path), "%s/%s", directory, name);
    return length > 0 && (size_t)length < sizeof(path) && access(path, F_OK) == 0;
}

static void print_loss(const char *name, double loss)
{
    if (!isnan(loss))
        printf("%-22s%.6f\n", name, loss);
}

void report_result(const lcal_config *config, const lcal_train_result *result)
{
    const char *directory = lcal_config_run_directory(config);
    if (result->interrupted)
        printf("interrupted after step %llu; `lcal train --resume %s` continues\n",
               (unsigned long long)result->step, directory);
    else if (result->already_finished)
        printf("finished before: step %llu was the last\n", (unsigned long long)result->step);
    else
        printf("finished after step %llu\n", (unsigned long long)result->step);
    print_loss("first loss", result->first_loss);
    print_loss("last loss", result->last_loss);
    print_loss("best validation loss", result->best_valid_loss);
    if (!isnan(result->best_valid_loss))
        printf("%-22s%llu\n", "  at step", (unsigned long long)result->best_step);
    printf("%-22s%s:", "files in", directory);
    for (size_t i = 0; i < RUN_FILES; i++)
        if (is_there(directory, run_files[i]))
            printf(" %s", run_files[i]);
    putchar('\n');
}

void report_result_json(const lcal_config *config, const lcal_train_result *result)
{
    const char *directory = lcal_config_run_directory(config);
    printf("{\"interrupted\": %s, \"already_finished\": %s, \"step\": %llu, \"first_loss\": ",
           result->interrupted ? "true" : "false", result->already_finished ? "true" : "false",
           (unsigned long long)result->step);
    json_number(result->first_loss);
    fputs(", \"last_loss\": ", stdout);
    json_number(result->last_loss);
    fputs(", \"best_valid_loss\": ", stdout);
    json_number(result->best_valid_loss);
    printf(", \"best_step\": %llu, \"out\": ", (unsigned long long)result->best_step);
    json_text(directory);
    fputs(", \"files\": [", stdout);
    bool first = true;
    for (size_t i = 0; i < RUN_FILES; i++)
        if (is_there(directory, run_files[i])) {
            fputs(first ? "" : ", ", stdout);
            json_text(run_files[i]);
            first = false;
        }
    puts("]}");
}
