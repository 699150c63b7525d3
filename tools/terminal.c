#define _POSIX_C_SOURCE 200809L /* fileno */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool terminal_is_capable(FILE *stream)
{
    const char *name = getenv("TERM");
    return isatty(fileno(stream)) && name && strcmp(name, "dumb") != 0;
}

bool terminal_has_colour(FILE *stream)
{
    const char *unwanted = getenv("NO_COLOR");
    return terminal_is_capable(stream) && !(unwanted && *unwanted);
}
