#include <stdio.h>

#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/export.h"
#include "lcal/merge.h"
#include "model_args.h"
#include "progress.h"

typedef struct values {
    model_args model;
    size_t dtype, rank;
    const char *base_name;
    bool explain, overwrite, json;
} values;

static const char *const dtypes[] = {"f32", "f16", "bf16", NULL}; /* from LCAL_EXPORT_F32 on */

/* --- what the user sees ---------------------------------------------------------------------- */

static void print_facts_json(const lcal_merge_facts *f)
{
    printf("{\"name\":\"%s\",\"adapters\":%zu,\"rank\":%zu,\"norm\":", f->name, f->adapters,
           f->rank);
    json_number(f->norm);
    fputs(",\"sum_norm\":", stdout);
    json_number(f->sum_norm);
    fputs(",\"apart\":", stdout);
    json_number(f->apart);
    fputs(",\"cosine\":", stdout);
    json_number(f->cosine);
    fputs(",\"truncation\":", stdout);
    json_number(f->truncation);
    putchar('}');
}

static void print_explanation_json(const lcal_merge_explanation *e)
{
    fputs("\"rule\":", stdout);
    json_text(e->rule);
    fputs(",\"formula\":", stdout);
    json_text(e->formula);
    printf(",\"factored\":%s,\"all\":", e->factored ? "true" : "false");
    print_facts_json(&e->all);
    fputs(",\"modules\":[", stdout);
    for (size_t i = 0; i < e->count; i++) {
        if (i)
            putchar(',');
        print_facts_json(&e->modules[i]);
    }
    putchar(']');
}

static void print_explanation(const lcal_merge_explanation *e)
{
    const lcal_merge_facts *worst = &e->modules[0];
    for (size_t i = 1; i < e->count; i++)
        if (e->modules[i].apart > worst->apart)
            worst = &e->modules[i];
    printf("%s\n%s (D_i = s_i B_i A_i)\n", e->rule, e->formula);
    printf("%zu adapters, %zu modules, ", e->all.adapters, e->count);
    if (e->factored)
        printf("pairs of rank up to %zu\n", e->all.rank);
    else
        puts("updates of full rank");
    printf("norm of the update           %.6g; of the exact sum %.6g\n", e->all.norm,
           e->all.sum_norm);
    printf("distance from the exact sum  %.4g of it; most in %s: %.4g\n", e->all.apart, worst->name,
           worst->apart);
    if (e->all.adapters > 1)
        printf("cosine between updates       %.4g\n", e->all.cosine);
    if (e->all.truncation > 0.0)
        printf("cut off by the rule's rank   %.4g of the norm\n", e->all.truncation);
}

static void print_report(const char *path, const lcal_export_report *report)
{
    const lcal_export_module *worst = NULL;
    for (size_t i = 0; i < report->module_count; i++)
        if (report->modules[i].truncation > (worst ? worst->truncation : 0.0))
            worst = &report->modules[i];
    printf("%s: %llu bytes, %s\n", path, (unsigned long long)report->bytes, report->type);
    if (worst)
        printf("cut to the rank: at most %.3g %% of an update (%s)\n", 100.0 * worst->truncation,
               worst->name);
}

/* --- the work -------------------------------------------------------------------------------- */

static lcal_status write_adapter(const values *v, lcal_model *model, const char *path,
                                 const lcal_log *log, lcal_export_report *report, lcal_error *err)
{
    const lcal_export_options options = {
        .format = LCAL_EXPORT_PEFT,
        .type = (lcal_export_type)(LCAL_EXPORT_F32 + v->dtype),
        .rank = v->rank,
        .base_name = v->base_name,
        .overwrite = v->overwrite,
        .log = log,
    };
    return lcal_export(model, path, &options, report, err);
}

static void print_all(const values *v, const char *path, const lcal_merge_explanation *explanation,
                      const lcal_export_report *report)
{
    if (!v->json) {
        if (explanation->rule)
            print_explanation(explanation);
        if (path)
            print_report(path, report);
        return;
    }
    putchar('{');
    if (path) {
        double truncation = 0.0;
        for (size_t i = 0; i < report->module_count; i++)
            if (report->modules[i].truncation > truncation)
                truncation = report->modules[i].truncation;
        fputs("\"path\":", stdout);
        json_text(path);
        printf(",\"bytes\":%llu,\"type\":\"%s\",\"truncation\":", (unsigned long long)report->bytes,
               report->type);
        json_number(truncation);
    }
    if (path && explanation->rule)
        putchar(',');
    if (explanation->rule)
        print_explanation_json(explanation);
    puts("}");
}

static int check(const cli_call *call, const values *v)
{
    if (!v->model.model)
        return cli_usage_error(call->command, "--model DIR is missing");
    if (!v->model.adapters.count)
        return cli_usage_error(call->command, "--adapter DIR is missing");
    if (!call->operand_count && !v->explain)
        return cli_usage_error(call->command, "OUT or --explain is missing");
    return 0;
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    const char *path = call->operand_count ? call->operands[0] : NULL;
    progress shown = progress_init(false);
    const lcal_log log = {progress_log, &shown};
    const int usage = check(call, v);
    if (usage)
        return usage;
    lcal_error err = {0};
    lcal_model *model = NULL;
    lcal_merge_explanation explanation = {0};
    lcal_export_report report = {0};
    lcal_status status = model_args_open(&v->model, &log, &model, &err);
    if (status == LCAL_OK && v->explain)
        status = lcal_merge_explain(model, &explanation, &err);
    if (status == LCAL_OK && path)
        status = write_adapter(v, model, path, &log, &report, &err);
    lcal_model_close(&model);
    progress_end(&shown);
    if (status == LCAL_OK)
        print_all(v, path, &explanation, &report);
    lcal_merge_explanation_free(&explanation);
    lcal_export_report_free(&report);
    return status == LCAL_OK ? 0 : exit_failure(call->command->name, &err);
}

static const cli_option options[] = {
    MODEL_ARGS_MERGE_OPTIONS(values, model),
    {"rank", CLI_COUNT, offsetof(values, rank), "K", .low = 1, .high = 1 << 16,
     .help = "Cut every update to this rank, the best a rank allows, and say how much was lost. "
             "Needed where the rule's updates have full rank."},
    {"dtype", CLI_CHOICE, offsetof(values, dtype), "TYPE", .words = dtypes, .fallback = "f32",
     .help = "Type of the numbers written."},
    {"base-name", CLI_TEXT, offsetof(values, base_name), "NAME",
     .help = "base_model_name_or_path; without it what the adapters say, else the base's "
             "directory."},
    {"explain", CLI_FLAG, offsetof(values, explain),
     .help = "Print what the rule computes, how far its result is from the exact sum (cross terms "
             "included), how alike the adapters are, and what a rank cuts off."},
    {"threads", CLI_COUNT, offsetof(values, model.threads), "N", .low = 0, .high = 1024,
     .fallback = "0",
     .help = "Threads to merge with; 0: all processors. The result does not depend on it."},
    {"overwrite", CLI_FLAG, offsetof(values, overwrite),
     .help = "Replace what an earlier merge left at OUT."},
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print one JSON object."},
    {0},
};

const cli_command cmd_merge = {
    .name = "merge",
    .summary = "Merge LoRA adapters into one",
    .arguments = "[OUT]",
    .operand = "OUT",
    .details = "Writes the adapters, merged by a rule with their weights, as one adapter in PEFT "
               "layout. Rules whose result is a sum of low-rank pairs are written exactly; the "
               "others need --rank. The base gives its shapes and its hash. The rule, its seed, the "
               "weights and the inputs' SHA-256 are in the metadata of adapter_model.safetensors.",
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 0,
    .operands_max = 1,
    .run = run,
};
