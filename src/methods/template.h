/* Prompts made of a template and a text: "Summarise.\n{text}" holds {text} once. */
#ifndef LCAL_METHODS_TEMPLATE_H
#define LCAL_METHODS_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* True where the template has exactly one {text}. */
bool lcal__template_is_sound(const char *template_);

/* Appends the template with the text in its place. */
void lcal__template_fill(const char *template_, const char *text, size_t size, lcal__strbuf *out);

/* The text that fills the template to `whole`: a part of it. False: nothing does. */
bool lcal__template_find(const char *template_, const char *whole, const char **text, size_t *size);

#endif
