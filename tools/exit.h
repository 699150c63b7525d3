/* What the process returns: a script can tell its own mistake from a broken file or a full disk. */
#ifndef LCAL_TOOLS_EXIT_H
#define LCAL_TOOLS_EXIT_H

#include "lcal/status.h"

enum {
    EXIT_USAGE = 2,         /* command line or configuration */
    EXIT_INPUT = 3,         /* an input file is malformed, does not fit or is not supported */
    EXIT_NUMERIC = 4,       /* a loss or weight is not finite */
    EXIT_SYSTEM = 5,        /* input/output, memory, or a bug */
    EXIT_INTERRUPTED = 130, /* by a signal, after saving */
};

/* The exit status of a library status; 0 for LCAL_OK. */
int exit_status(lcal_status status);

/* Writes status and message to err and returns the status. */
lcal_status exit_error(lcal_error *err, lcal_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints "lcal COMMAND: MESSAGE" to stderr and returns the exit status. */
int exit_failure(const char *command, const lcal_error *err);

/*
 * Flushes and closes stdout. What was lost on the way (full disk, closed pipe) is an error: returns
 * EXIT_SYSTEM where `status` was 0, else `status`.
 */
int exit_close_stdout(int status);

/* LCAL_IO with a message where a write to stdout has failed, else LCAL_OK. */
lcal_status exit_check_stdout(lcal_error *err);

#endif
