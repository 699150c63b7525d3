/*
 * Status codes and error messages: how every fallible lcal function reports.
 *
 * A fallible function returns an lcal_status and takes an lcal_error * as its last argument, which
 * may be NULL. On failure the error holds one message for the user, naming the file, the key or
 * tensor, what was expected and what was found. On success the error is left as it was.
 */
#ifndef LCAL_STATUS_H
#define LCAL_STATUS_H

#include "lcal/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * X(name, text): the one table of codes; the tool maps them to exit statuses.
 *
 *   OK           done
 *   INVALID      an argument makes no sense, or things do not belong together: a calibration and
 *                other adapters, a step after the last
 *   CONFIG       a configuration is not valid, or its run directory may not be used as asked
 *   IO           the operating system refused: a missing file, a full disk, no permission
 *   FORMAT       a file is not what its format says: broken, cut off, values out of range
 *   SHAPE        sound by itself, but of other extents than what it is used with
 *   NOMEM        memory ran out, or would; what was being made is gone, the rest as it was
 *   NUMERIC      a loss, gradient or weight is not finite, or does not fit its type
 *   UNSUPPORTED  sound, but nothing that lcal computes
 *   INTERNAL     a bug of lcal, or a library below failed in a way it never should
 *
 * After a failure, handles that were there before are still valid; what a function was to open is
 * not, and its *out is not to be used.
 */
#define LCAL_STATUS_MAP(X)                                                                         \
    X(OK, "success")                                                                               \
    X(INVALID, "invalid argument")                                                                 \
    X(CONFIG, "invalid configuration")                                                             \
    X(IO, "input/output error")                                                                    \
    X(FORMAT, "malformed file")                                                                    \
    X(SHAPE, "shape mismatch")                                                                     \
    X(NOMEM, "out of memory")                                                                      \
    X(NUMERIC, "numeric failure")                                                                  \
    X(UNSUPPORTED, "not supported")                                                                \
    X(INTERNAL, "internal error")

typedef enum lcal_status {
#define LCAL_STATUS_ENUM(name, text) LCAL_##name,
    LCAL_STATUS_MAP(LCAL_STATUS_ENUM)
#undef LCAL_STATUS_ENUM
} lcal_status;

/* Longest message kept, its terminating zero included; a longer one is cut and ends in "...". */
#define LCAL_ERROR_MESSAGE_MAX 8192

/* A zeroed lcal_error is valid and means "no error". Owns nothing. */
typedef struct lcal_error {
    lcal_status status;
    char message[LCAL_ERROR_MESSAGE_MAX];
} lcal_error;

/* Short English text of a code, for example "malformed file". Static; never NULL. */
LCAL_API const char *lcal_status_text(lcal_status status);

#ifdef __cplusplus
}
#endif
#endif
