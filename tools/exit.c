#include "exit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int exit_status(lcal_status status)
{
    switch (status) {
    case LCAL_OK:
        return 0;
    case LCAL_INVALID:
    case LCAL_CONFIG:
        return EXIT_USAGE;
    case LCAL_FORMAT:
    case LCAL_SHAPE:
    case LCAL_UNSUPPORTED:
        return EXIT_INPUT;
    case LCAL_NUMERIC:
        return EXIT_NUMERIC;
    case LCAL_IO:
    case LCAL_NOMEM:
    case LCAL_INTERNAL:
        break;
    }
    return EXIT_SYSTEM;
}

lcal_status exit_error(lcal_error *err, lcal_status status, const char *format, ...)
{
    va_list args;
    err->status = status;
    va_start(args, format);
    vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    return status;
}

int exit_failure(const char *command, const lcal_error *err)
{
    fprintf(stderr, "lcal %s: %s\n", command, err->message);
    return exit_status(err->status);
}

lcal_status exit_check_stdout(lcal_error *err)
{
    if (!ferror(stdout))
        return LCAL_OK;
    return exit_error(err, LCAL_IO, "standard output: cannot write: %s", strerror(errno));
}

int exit_close_stdout(int status)
{
    int lost = ferror(stdout);
    errno = 0;
    if (fclose(stdout) != 0)
        lost = 1;
    if (!lost || status != 0)
        return status;
    fprintf(stderr, "lcal: standard output: cannot write: %s\n",
            errno ? strerror(errno) : "it was closed or is full");
    return EXIT_SYSTEM;
}
