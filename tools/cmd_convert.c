#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exit.h"
#include "lcal/convert.h"

typedef struct values {
    const char *tokenizer;
    size_t dtype;
    bool overwrite;
} values;

static const char *const dtypes[] = {"f32", "f16", "bf16", NULL}; /* as lcal_weight_type */

static int run(const cli_call *call)
{
    const values *v = call->values;
    const char *format = call->operands[0], *model = call->operands[1], *out = call->operands[2];
    if (strcmp(format, "llama2c") != 0)
        return cli_usage_error(call->command, "expected the format llama2c, found \"%s\"", format);
    const lcal_convert_options options = {
        .tokenizer = v->tokenizer, .type = (lcal_weight_type)v->dtype, .overwrite = v->overwrite};
    lcal_error err = {0};
    if (lcal_convert_llama2c(model, out, &options, &err) != LCAL_OK)
        return exit_failure(call->command->name, &err);
    fprintf(stderr, "lcal convert: wrote %s\n", out);
    return 0;
}

static const cli_option options[] = {
    {"tokenizer", CLI_TEXT, offsetof(values, tokenizer), "FILE",
     .help = "The model's tokenizer in llama2.c's format, copied to OUT/tokenizer.bin."},
    {"dtype", CLI_CHOICE, offsetof(values, dtype), "TYPE", .words = dtypes, .fallback = "f32",
     .help = "Type of the weights written; f16 and bf16 round to the nearest."},
    {"overwrite", CLI_FLAG, offsetof(values, overwrite), .help = "Replace a model that OUT holds."},
    {0},
};

const cli_command cmd_convert = {
    .name = "convert",
    .summary = "Turn a model of llama2.c into a model directory",
    .arguments = "llama2c MODEL.bin OUT",
    .operand = "\"llama2c\", the model's file or the directory OUT",
    .details = "Reads a model that llama2.c's export.py wrote in its legacy format (version 0) and "
               "writes OUT/config.json and OUT/model.safetensors in Hugging Face layout.",
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 3,
    .operands_max = 3,
    .run = run,
};
