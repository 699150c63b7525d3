#include "lcal/inspect.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "commands.h"
#include "exit.h"
#include "lcal/config.h"

typedef struct values {
    bool json;
} values;

static int run(const cli_call *call)
{
    const values *v = call->values;
    lcal_error err = {0};
    char *text = NULL;
    if (lcal_inspect(call->operands[0], v->json ? LCAL_INSPECT_JSON : LCAL_INSPECT_TEXT, &text,
                     &err)
        != LCAL_OK)
        return exit_failure("inspect", &err);
    fputs(text, stdout);
    lcal_text_free(text);
    return 0;
}

static const cli_option options[] = {
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print one JSON object."},
    {0},
};

const cli_command cmd_inspect = {
    .name = "inspect",
    .summary = "Describe a calibration, checkpoint, adapter, model, run or data file",
    .arguments = "FILE|DIR",
    .operand = "FILE or DIR",
    .details = "What it is is recognised by content, not by name. Every number of every tensor is "
               "read: checksums are verified where the format has them, and values that are not "
               "finite are counted.",
    .options = options,
    .values_size = sizeof(values),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
