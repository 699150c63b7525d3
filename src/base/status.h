/* Raising and passing on errors; the codes themselves are public (lcal/status.h). */
#ifndef LCAL_BASE_STATUS_H
#define LCAL_BASE_STATUS_H

#include "lcal/log.h"
#include "lcal/status.h"

#if defined(__GNUC__)
#define LCAL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define LCAL_PRINTF(f, a)
#endif

/* Writes code and message to err (may be NULL) and returns the code: `return lcal__fail(...)`. */
lcal_status lcal__fail(lcal_error *err, lcal_status status, const char *format, ...)
    LCAL_PRINTF(3, 4);

/* The one message for a failed allocation of `what`. */
lcal_status lcal__fail_nomem(lcal_error *err, const char *what);

/* Puts "prefix: " before the message that err already holds; err may be NULL. Returns the code. */
lcal_status lcal__fail_in(lcal_error *err, lcal_status status, const char *format, ...)
    LCAL_PRINTF(3, 4);

void lcal__log(const lcal_log *log, lcal_log_level level, const char *format, ...)
    LCAL_PRINTF(3, 4);

/* Passes a failure up where the caller holds nothing that needs freeing. */
#define LCAL_TRY(call)                                                                             \
    do {                                                                                           \
        lcal_status lcal_try_status_ = (call);                                                     \
        if (lcal_try_status_ != LCAL_OK)                                                           \
            return lcal_try_status_;                                                               \
    } while (0)

/* Passes a failure to the label that frees; `status` is the function's local result. */
#define LCAL_TRY_GOTO(status, label, call)                                                         \
    do {                                                                                           \
        (status) = (call);                                                                         \
        if ((status) != LCAL_OK)                                                                   \
            goto label;                                                                            \
    } while (0)

#endif
