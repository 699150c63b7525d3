#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exit.h"
#include "json_out.h"
#include "lcal/evaluate.h"

typedef struct values {
    bool json;
} values;

static void member(const char *before, const char *key, const char *text)
{
    printf("%s\"%s\":", before, key);
    json_text(text);
}

static void print_json(const lcal_method *m)
{
    member("{", "name", m->name);
    member(",", "paper", m->paper);
    member(",", "kind", m->kind);
    member(",", "formula", m->formula);
    member(",", "source", m->source);
    member(",", "parameters", m->parameters);
    member(",", "cost", m->cost);
    fputs("}\n", stdout);
}

static void print_whole(const lcal_method *m)
{
    printf("%s: %s (%s)\n", m->name, m->paper, m->kind);
    printf("  formula     %s\n  source      %s\n", m->formula, m->source);
    printf("  parameters  %s\n  cost        %s\n", m->parameters, m->cost);
}

/* NULL: all of them. */
static void print(const char *name, bool json)
{
    const lcal_method *m;
    for (size_t i = 0; (m = lcal_method_at(i)); i++) {
        if (name && strcmp(m->name, name) != 0)
            continue;
        if (json)
            print_json(m);
        else if (name)
            print_whole(m);
        else
            printf("%-16s%-26s%-18s%s\n", m->name, m->paper, m->kind, m->formula);
    }
}

static bool exists(const char *name)
{
    const lcal_method *m;
    for (size_t i = 0; (m = lcal_method_at(i)); i++)
        if (strcmp(m->name, name) == 0)
            return true;
    return false;
}

static int run(const cli_call *call)
{
    const values *v = call->values;
    const char *name = call->operand_count ? call->operands[0] : NULL;
    if (name && !exists(name))
        return cli_usage_error(call->command,
                               "%s: there is no such row; without a name all are "
                               "listed",
                               name);
    print(name, v->json);
    return 0;
}

static const cli_option options[] = {
    {"json", CLI_FLAG, offsetof(values, json), .help = "Print one JSON object a row."},
    {0},
};

const cli_command cmd_methods = {
    .name = "methods",
    .summary = "List the methods that `lcal eval` knows",
    .arguments = "[NAME]",
    .operand = "NAME",
    .details = "With NAME, all that there is to say of one: formula, source, keys of the "
               "configuration that steer it, cost.",
    .options = options,
    .values_size = sizeof(values),
    .operands_max = 1,
    .run = run,
};
