/* One value of the table as text: the only place that knows how each kind is spelt. */
#ifndef LCAL_CONFIG_VALUE_H
#define LCAL_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/options.h"

#define LCAL__VALUE_EXPECTED_MAX 256 /* bytes of what a value must be, its zero included */

/*
 * Puts the value that `text` spells into its field. False, and nothing changed: it spells none of
 * the option's kind and range. Not for texts,
 * which may be any, nor for paths and adapters, which need to know their directory.
 */
bool lcal__value_parse(const lcal__option *option, const char *text, lcal__settings *settings);

/* Puts a copy of text into the field of a text or path. False, and nothing changed: out of memory.
 */
bool lcal__value_set_text(const lcal__option *option, const char *text, lcal__settings *settings);

/* Puts the default. False: out of memory. */
bool lcal__value_reset(const lcal__option *option, lcal__settings *settings);

/* Index of the projection that text[0..length) names, SIZE_MAX where it names none. */
size_t lcal__value_word(const lcal__option *option, const char *text, size_t length);

/* What text must be, for messages: "a number in (0, 10]". Static or in out. */
const char *lcal__value_expected(const lcal__option *option, char out[LCAL__VALUE_EXPECTED_MAX]);

/* True where the option's value is the same in both. */
bool lcal__value_equal(const lcal__option *option, const lcal__settings *a,
                       const lcal__settings *b);

/* Frees what the settings own and leaves them zeroed. */
void lcal__settings_free(lcal__settings *settings);

#endif
