#include "config/merge_rule.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/number.h"
#include "config/suggest.h"
#include "config/value.h"

#define SECTION "merge."
#define SECTION_LENGTH (sizeof(SECTION) - 1)

/* Which options each rule has; the keys are those of options.inc. */
static const char *const rule_options[][6] = {
    [LCAL__MERGE_CONCAT] = {NULL},
    [LCAL__MERGE_LINEAR] = {NULL},
    [LCAL__MERGE_TIES] = {"density", "scope", "majority", "election", "lambda"},
    [LCAL__MERGE_DARE_LINEAR] = {"density", "seed"},
    [LCAL__MERGE_DARE_TIES] = {"density", "seed", "majority", "election", "lambda"},
    [LCAL__MERGE_SLERP] = {"t"},
    [LCAL__MERGE_MAGNITUDE_PRUNE] = {"density", "scope"},
    [LCAL__MERGE_SVD] = {"rank"},
    [LCAL__MERGE_PEFT_LINEAR] = {NULL},
    [LCAL__MERGE_PEFT_TIES] = {"density", "majority"},
    [LCAL__MERGE_PEFT_DARE_LINEAR] = {"density", "seed"},
    [LCAL__MERGE_PEFT_DARE_TIES] = {"density", "seed", "majority"},
    [LCAL__MERGE_PEFT_MAGNITUDE_PRUNE] = {"density"},
    [LCAL__MERGE_PEFT_SVD] = {"rank"},
};
#define RULES (sizeof(rule_options) / sizeof(rule_options[0]))

static const lcal__option *method_option(void)
{
    return &lcal__option_rows()[lcal__option_find(SECTION "method")];
}

const char *lcal__merge_rule_name(lcal__merge_rule rule)
{
    return (size_t)rule < RULES ? method_option()->words[rule] : "unknown";
}

/* The key of an option of the section without its prefix; NULL: another section, or the rule. */
static const char *option_key(const lcal__option *option)
{
    if (strncmp(option->shown.key, SECTION, SECTION_LENGTH) != 0 || option == method_option())
        return NULL;
    return option->shown.key + SECTION_LENGTH;
}

bool lcal__merge_rule_has(lcal__merge_rule rule, const lcal__option *option)
{
    const char *key = option_key(option);
    if (!key || (size_t)rule >= RULES)
        return false;
    for (size_t i = 0; rule_options[rule][i]; i++)
        if (strcmp(rule_options[rule][i], key) == 0)
            return true;
    return false;
}

lcal__merge_settings lcal__merge_defaults(lcal__merge_rule rule)
{
    lcal__settings settings = {0};
    for (size_t i = 0; i < LCAL__OPTION_COUNT; i++)
        if (option_key(&lcal__option_rows()[i]))
            (void)lcal__value_reset(&lcal__option_rows()[i], &settings); /* allocates nothing */
    settings.merge.method = rule;
    return settings.merge;
}

static lcal__merge_rule canonical(lcal__merge_rule rule)
{
    return rule == LCAL__MERGE_LINEAR ? LCAL__MERGE_CONCAT : rule;
}

bool lcal__merge_equal(const lcal__merge_settings *a, const lcal__merge_settings *b)
{
    if (canonical(a->method) != canonical(b->method))
        return false;
    const lcal__settings x = {.merge = *a}, y = {.merge = *b};
    for (size_t i = 0; i < LCAL__OPTION_COUNT; i++) {
        const lcal__option *option = &lcal__option_rows()[i];
        if (lcal__merge_rule_has(a->method, option) && !lcal__value_equal(option, &x, &y))
            return false;
    }
    return true;
}

/* --- from text --------------------------------------------------------------------------- */

/* The options of a rule as a list for messages; "" where it has none. */
static void list_options(lcal__merge_rule rule, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; rule_options[rule][i] && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", rule_options[rule][i]);
}

lcal_status lcal__merge_set(lcal__merge_settings *merge, const char *key, const char *value,
                            const char *source, lcal_error *err)
{
    char path[64], expected[LCAL__VALUE_EXPECTED_MAX], known[128];
    snprintf(path, sizeof(path), SECTION "%.40s", key);
    size_t index = lcal__option_find(path);
    const lcal__option *option = &lcal__option_rows()[index < LCAL__OPTION_COUNT ? index : 0];
    if (!lcal__merge_rule_has(merge->method, option)) {
        list_options(merge->method, known, sizeof(known));
        return lcal__fail(err, LCAL_CONFIG, "%s: rule %s has no option %.80s; it has %s", source,
                          lcal__merge_rule_name(merge->method), key, *known ? known : "none");
    }
    lcal__settings settings = {.merge = *merge};
    if (!lcal__value_parse(option, value, &settings))
        return lcal__fail(err, LCAL_CONFIG, "%s: option %s: expected %s, found \"%.80s\"", source,
                          key, lcal__value_expected(option, expected), value);
    *merge = settings.merge;
    return LCAL_OK;
}

static lcal_status parse_rule(const char *name, const char *source, lcal__merge_settings *out,
                              lcal_error *err)
{
    const lcal__option *option = method_option();
    size_t best = SIZE_MAX, index = lcal__value_word(option, name, strlen(name));
    if (index == SIZE_MAX) {
        const char *near = NULL;
        for (size_t i = 0; option->words[i]; i++)
            if (lcal__is_near_miss(name, option->words[i], &best))
                near = option->words[i];
        return lcal__fail(err, LCAL_CONFIG, "%s: expected one of %s, found \"%.80s\"%s%s%s", source,
                          option->shown.range, name, near ? "; did you mean " : "",
                          near ? near : "", near ? "?" : "");
    }
    *out = lcal__merge_defaults((lcal__merge_rule)index);
    return LCAL_OK;
}

/* Takes `text` apart in place. */
static lcal_status parse_parts(char *text, const char *source, lcal__merge_settings *out,
                               lcal_error *err)
{
    char *options = strchr(text, ':');
    if (options)
        *options++ = '\0';
    LCAL_TRY(parse_rule(text, source, out, err));
    while (options) {
        char *next = strchr(options, ',');
        char *equals = strchr(options, '=');
        if (next)
            *next++ = '\0';
        if (!equals || (next && equals >= next))
            return lcal__fail(err, LCAL_CONFIG, "%s: expected KEY=VALUE, found \"%.80s\"", source,
                              options);
        *equals = '\0';
        LCAL_TRY(lcal__merge_set(out, options, equals + 1, source, err));
        options = next;
    }
    return LCAL_OK;
}

lcal_status lcal__merge_parse(const char *text, const char *source, lcal__merge_settings *out,
                              lcal_error *err)
{
    lcal__merge_settings merge;
    char *copy = lcal__strdup(text);
    if (!copy)
        return lcal__fail_nomem(err, source);
    lcal_status status = parse_parts(copy, source, &merge, err);
    lcal__free(copy);
    if (status == LCAL_OK)
        *out = merge;
    return status;
}

/* --- to text ----------------------------------------------------------------------------- */

typedef void print_fn(const char *key, const char *value, bool word, lcal__strbuf *out);

static void print_options(const lcal__merge_settings *merge, print_fn *print, lcal__strbuf *out)
{
    const lcal__settings settings = {.merge = *merge};
    for (size_t i = 0; i < LCAL__OPTION_COUNT; i++) {
        const lcal__option *option = &lcal__option_rows()[i];
        char number[LCAL__NUMBER_TEXT_MAX];
        if (!lcal__merge_rule_has(merge->method, option))
            continue;
        const void *field = lcal__option_value(option, &settings);
        const char *value = number;
        unsigned choice;
        if (option->kind == LCAL__OPTION_CHOICE) {
            memcpy(&choice, field, sizeof(choice));
            value = option->words[choice];
        } else if (option->kind == LCAL__OPTION_INTEGER) {
            snprintf(number, sizeof(number), "%llu", (unsigned long long)*(const uint64_t *)field);
        } else {
            lcal__number_print(*(const double *)field, number);
        }
        print(option_key(option), value, option->kind == LCAL__OPTION_CHOICE, out);
    }
}

static void print_json_option(const char *key, const char *value, bool word, lcal__strbuf *out)
{
    lcal__strbuf_printf(out, word ? ",\"%s\":\"%s\"" : ",\"%s\":%s", key, value);
}

static void print_option(const char *key, const char *value, bool word, lcal__strbuf *out)
{
    (void)word;
    lcal__strbuf_printf(out, ", %s %s", key, value);
}

void lcal__merge_print_json(const lcal__merge_settings *merge, lcal__strbuf *out)
{
    lcal__strbuf_printf(out, "{\"method\":\"%s\"", lcal__merge_rule_name(merge->method));
    print_options(merge, print_json_option, out);
    lcal__strbuf_add(out, "}");
}

void lcal__merge_print(const lcal__merge_settings *merge, lcal__strbuf *out)
{
    lcal__strbuf_add(out, lcal__merge_rule_name(merge->method));
    print_options(merge, print_option, out);
}
