/*
 * Rules of merging adapters, apart from a whole configuration: their names, which options of
 * "merge." each one has, and a rule with its options as text or JSON.
 */
#ifndef LCAL_CONFIG_MERGE_RULE_H
#define LCAL_CONFIG_MERGE_RULE_H

#include "base/status.h"
#include "base/strbuf.h"
#include "config/options.h"

/* "concat", "ties", "peft-linear", ... Static. */
const char *lcal__merge_rule_name(lcal__merge_rule rule);

/* True where the option "merge.KEY" of the table ("merge.density") changes what the rule does. */
bool lcal__merge_rule_has(lcal__merge_rule rule, const lcal__option *option);

/* Every option at its default. */
lcal__merge_settings lcal__merge_defaults(lcal__merge_rule rule);

/* True where both combine adapters alike: options that the rule does not have do not count, and
 * concat and linear are one sum. */
bool lcal__merge_equal(const lcal__merge_settings *a, const lcal__merge_settings *b);

/*
 * "RULE" or "RULE:KEY=VALUE,..." ("ties:density=0.3,scope=module"); options not named keep their
 * defaults. `source` is what messages call the text. LCAL_CONFIG: an unknown rule, an option it
 * does not have, a value out of range.
 */
lcal_status lcal__merge_parse(const char *text, const char *source, lcal__merge_settings *out,
                              lcal_error *err);

/* One option by its key without "merge."; the same errors. */
lcal_status lcal__merge_set(lcal__merge_settings *merge, const char *key, const char *value,
                            const char *source, lcal_error *err);

/* The rule and all options it has: {"method":"slerp","t":0.5}, and "slerp, t 0.5" for people. */
void lcal__merge_print_json(const lcal__merge_settings *merge, lcal__strbuf *out);
void lcal__merge_print(const lcal__merge_settings *merge, lcal__strbuf *out);

#endif
