#include "completion.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "lcal/config.h"

/*
 * What may stand somewhere is one line: "files", "dirs", "any" (nothing can be said), or words,
 * which may follow "files" or "dirs". The tables hold letters, digits, ".", "_" and "-" only: no
 * word needs a quote.
 */

static const char head[] =
    "# Completion of lcal for bash 4.3 and later. Made by `lcal completion bash`.\n"
    "\n"
    "# Adds what begins with $2 of \"files\", \"dirs\", \"any\" and words to COMPREPLY, after $3.\n"
    "_lcal_offer() {\n"
    "    local word found=()\n"
    "    for word in $1; do\n"
    "        case $word in\n"
    "        files) mapfile -t found < <(compgen -f -- \"$2\") ;;\n"
    "        dirs) mapfile -t found < <(compgen -d -- \"$2\") ;;\n"
    "        any) ;;\n"
    "        *) [[ $word != \"$2\"* ]] || COMPREPLY+=(\"$3$word\") ;;\n"
    "        esac\n"
    "    done\n"
    "    [[ ${#found[@]} -eq 0 ]] && return\n"
    "    [[ -n $3 ]] || compopt -o filenames 2>/dev/null\n"
    "    COMPREPLY+=(\"${found[@]/#/$3}\")\n"
    "}\n";

static const char tail[] =
    "\n"
    "_lcal() {\n"
    "    local words=() i current previous='' value before='' option\n"
    "    COMPREPLY=()\n"
    "    # bash breaks words at \"=\": they are put together again.\n"
    "    for ((i = 1; i <= COMP_CWORD; i++)); do\n"
    "        if [[ ${#words[@]} -gt 1 && ( ${COMP_WORDS[i]} == = || ${COMP_WORDS[i - 1]} == = ) "
    "]]; "
    "then\n"
    "            words[-1]+=${COMP_WORDS[i]}\n"
    "        else\n"
    "            words+=(\"${COMP_WORDS[i]}\")\n"
    "        fi\n"
    "    done\n"
    "    current=${words[-1]}\n"
    "    if [[ ${#words[@]} -eq 1 ]]; then\n"
    "        _lcal_offer \"$_lcal_commands --help --version\" \"$current\" ''\n"
    "        return\n"
    "    fi\n"
    "    previous=${words[-2]}\n"
    "    value=${current#*=}\n"
    "    # What stands before a \"=\" is part of the word only where bash does not break there.\n"
    "    [[ $COMP_WORDBREAKS == *=* ]] || before=${current%%=*}=\n"
    "    if [[ $current == -*=* ]]; then\n"
    "        option=$(_lcal_value \"${words[0]}\" \"${current%%=*}\") && "
    "_lcal_offer \"$option\" \"$value\" \"$before\"\n"
    "    elif [[ ${#words[@]} -gt 2 && $previous == -* ]] && "
    "option=$(_lcal_value \"${words[0]}\" \"$previous\"); then\n"
    "        _lcal_offer \"$option\" \"$current\" ''\n"
    "    elif [[ $current == -* ]]; then\n"
    "        _lcal_offer \"$(_lcal_options \"${words[0]}\") --help\" \"$current\" ''\n"
    "    elif [[ $current == *=* ]] && _lcal_takes_keys \"${words[0]}\"; then\n"
    "        _lcal_offer \"$(_lcal_key \"${current%%=*}\")\" \"$value\" \"$before\"\n"
    "    else\n"
    "        _lcal_offer \"$(_lcal_operands \"${words[0]}\")\" \"$current\" ''\n"
    "        if [[ -n $current || ${#words[@]} -gt 2 ]] && _lcal_takes_keys \"${words[0]}\"; then\n"
    "            i=${#COMPREPLY[@]}\n"
    "            _lcal_offer \"${_lcal_keys// /= }=\" \"$current\" ''\n"
    "            [[ $i -gt 0 || ${#COMPREPLY[@]} -eq 0 ]] || compopt -o nospace 2>/dev/null\n"
    "        fi\n"
    "    fi\n"
    "}\n"
    "complete -F _lcal lcal\n";

/* --- what may stand where -------------------------------------------------------------------- */

/* By the name that help has for it: "DIR[:WEIGHT]", "FILE", "MODEL.bin". */
static const char *places(const char *name)
{
    if (strstr(name, "FILE") || strstr(name, "CONFIG") || strstr(name, "MODEL."))
        return "files";
    return strstr(name, "DIR") || strstr(name, "RUN") ? "dirs" : NULL;
}

static void put_option_value(const cli_option *o)
{
    const char *place = o->kind == CLI_CHOICE ? NULL : places(o->value);
    if (o->kind != CLI_CHOICE) {
        fputs(place ? place : "any", stdout);
        return;
    }
    for (size_t i = 0; o->words[i]; i++)
        printf("%s%s", i ? " " : "", o->words[i]);
}

/* "[COMMAND | config | KEY]", "CONFIG [key=value ...]": small words stand for themselves. */
static void put_operands(const char *arguments)
{
    const char *place = places(arguments);
    fputs(place ? place : "any", stdout);
    for (const char *at = arguments; *at;) {
        size_t length = 0;
        while (islower((unsigned char)at[length]) || (length && isdigit((unsigned char)at[length])))
            length++;
        if (length && at[length] != '=' && (at == arguments || strchr(" [|", at[-1])))
            printf(" %.*s", (int)length, at);
        at += length ? length : 1;
    }
}

/* "cosine | linear", "default | an existing file": words up to what is described. */
static void put_key_value(const lcal_option *o)
{
    const bool words = strcmp(o->type, "choice") == 0 || strcmp(o->type, "boolean") == 0;
    if (strcmp(o->type, "path") == 0)
        fputs(strstr(o->range, "file") ? "files" : "dirs", stdout);
    else
        fputs(strstr(o->range, "DIR") ? "dirs" : "any", stdout);
    for (const char *at = o->range; *at;) {
        const size_t length = strcspn(at, " ");
        const bool alone = at[length] == '\0' || strncmp(at + length, " |", 2) == 0;
        if (!alone || strcmp(o->type, "integer") == 0 || strcmp(o->type, "number") == 0)
            return;
        if (words || strcmp(o->type, "path") == 0)
            printf(" %.*s", (int)length, at);
        at += length;
        at += strspn(at, " |");
    }
}

/* --- the script ------------------------------------------------------------------------------ */

static void put_lists(void)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    fputs("\n_lcal_commands='", stdout);
    for (size_t i = 0; cli_commands[i]; i++)
        printf("%s%s", i ? " " : "", cli_commands[i]->name);
    fputs("'\n_lcal_keys='", stdout);
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i ? " " : "", options[i].key);
    puts("'");
}

static void put_options(void)
{
    puts("\n# Options of command $1.\n_lcal_options() {\n    case $1 in");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("    %s) echo '", cli_commands[i]->name);
        for (const cli_option *o = cli_commands[i]->options; o->name; o++)
            printf("%s--%s", o == cli_commands[i]->options ? "" : " ", o->name);
        puts("' ;;");
    }
    puts("    esac\n}");
}

static void put_option_values(void)
{
    puts("\n# What option $2 of command $1 takes; fails where it takes nothing.\n"
         "_lcal_value() {\n    case $1:$2 in");
    for (size_t i = 0; cli_commands[i]; i++)
        for (const cli_option *o = cli_commands[i]->options; o->name; o++) {
            if (o->kind == CLI_FLAG)
                continue;
            printf("    %s:--%s) echo '", cli_commands[i]->name, o->name);
            put_option_value(o);
            puts("' ;;");
        }
    puts("    *) return 1 ;;\n    esac\n}");
}

static void put_key_values(void)
{
    size_t count;
    const lcal_option *options = lcal_options(&count);
    puts("\n# What key $1 takes.\n_lcal_key() {\n    case $1 in");
    for (size_t i = 0; i < count; i++) {
        printf("    %s) echo '", options[i].key);
        put_key_value(&options[i]);
        puts("' ;;");
    }
    puts("    esac\n}");
}

static void put_operand_rules(void)
{
    puts("\n# What command $1 takes besides options.\n_lcal_operands() {\n    case $1 in");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("    %s) echo \"", cli_commands[i]->name);
        put_operands(cli_commands[i]->arguments);
        if (strstr(cli_commands[i]->arguments, "COMMAND"))
            fputs(" $_lcal_commands", stdout);
        if (strstr(cli_commands[i]->arguments, "KEY"))
            fputs(" $_lcal_keys", stdout);
        puts("\" ;;");
    }
    puts("    esac\n}");
    puts("\n# Whether command $1 takes key=value.\n_lcal_takes_keys() {\n    case $1 in");
    for (size_t i = 0; cli_commands[i]; i++)
        if (cli_commands[i]->overrides)
            printf("    %s) return 0 ;;\n", cli_commands[i]->name);
    puts("    *) return 1 ;;\n    esac\n}");
}

void completion_bash(void)
{
    fputs(head, stdout);
    put_lists();
    put_options();
    put_option_values();
    put_key_values();
    put_operand_rules();
    fputs(tail, stdout);
}
