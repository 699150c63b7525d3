/* What a stream's terminal can do, if it has one. */
#ifndef LCAL_TOOLS_TERMINAL_H
#define LCAL_TOOLS_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* It is a terminal that understands more than plain text: TERM is set and not "dumb". */
bool terminal_is_capable(FILE *stream);

/* The same, and the user wants colours: NO_COLOR is not set (https://no-color.org). */
bool terminal_has_colour(FILE *stream);

#endif
