/* Regular expressions of pre-tokenizers (the only file that knows PCRE2). */
#ifndef LCAL_DATA_REGEX_H
#define LCAL_DATA_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct lcal__regex lcal__regex;

/* Compiles a pattern in UTF mode with Unicode classes; `literal` takes it as plain text.
 * LCAL_UNSUPPORTED where it is none, or means something else to other engines. */
lcal_status lcal__regex_open(const char *pattern, size_t length, bool literal, lcal__regex **out,
                             lcal_error *err);
/* As it was given; the regex's own. */
const char *lcal__regex_pattern(const lcal__regex *regex);
void lcal__regex_close(lcal__regex **regex);

/* Working memory of one thread's matches. */
typedef struct lcal__regex_match lcal__regex_match;
lcal_status lcal__regex_match_open(lcal__regex_match **out, lcal_error *err);
void lcal__regex_match_close(lcal__regex_match **match);

/* The first match in text[from..length), which is valid UTF-8; *found false: none. A pattern that
 * needs too many steps fails (LCAL_UNSUPPORTED). */
lcal_status lcal__regex_find(const lcal__regex *regex, lcal__regex_match *match, const char *text,
                             size_t length, size_t from, bool *found, size_t *start, size_t *end,
                             lcal_error *err);

#endif
