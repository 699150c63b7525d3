#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "commands.h"
#include "json_out.h"
#include "lcal/version.h"

typedef struct values {
    bool json;
} values;

static void print_json(const lcal_build *build)
{
    const struct {
        const char *name, *text;
    } facts[] = {
        {"version", lcal_version()},
        {"compiler", build->compiler},
        {"kernels", build->kernels},
        {"blas", build->blas},
    };
    putchar('{');
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        printf("%s\"%s\": ", i ? ", " : "", facts[i].name);
        json_text(facts[i].text);
    }
    fputs(", \"blas_complaint\": ", stdout);
    if (build->blas_complaint)
        json_text(build->blas_complaint);
    else
        fputs("null", stdout);
    printf(", \"threads\": %u}\n", build->threads);
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    const lcal_build build = lcal_build_info();
    if (v->json) {
        print_json(&build);
        return 0;
    }
    printf("lcal %s\ncompiler  %s\nkernels   %s\nBLAS      %s\nthreads   %u\n", lcal_version(),
           build.compiler, build.kernels, build.blas, build.threads);
    if (build.blas_complaint)
        fprintf(stderr, "notice: %s\n", build.blas_complaint);
    return 0;
}

static const cli_option options[] = {
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print one JSON object."},
    {0},
};

const cli_command cmd_version = {
    .name = "version",
    .summary = "Print the version, and the BLAS and kernels used on this machine",
    .arguments = "",
    .options = options,
    .values_size = sizeof(values),
    .run = run,
};
