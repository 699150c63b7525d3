/* Text for others' formats. */
#ifndef LCAL_TOOLS_TEXT_H
#define LCAL_TOOLS_TEXT_H

#include <stddef.h>

/* Bytes (1..4) of the UTF-8 character that text[0..left), not empty, begins with; 0: it begins with
 * none. */
size_t text_character(const char *text, size_t left);

/* Prints text on standard output but for control characters, which could steer a terminal: these,
 * except line breaks and tabs, are spelled ("\x1B"). */
void text_print_tame(const char *text, size_t length);

#endif
