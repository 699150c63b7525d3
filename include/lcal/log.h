/* Messages for the user that are not errors. The library never prints: it calls this. */
#ifndef LCAL_LOG_H
#define LCAL_LOG_H

#include "lcal/api.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lcal_log_level {
    LCAL_LOG_INFO,   /* what is being done */
    LCAL_LOG_NOTICE, /* something in the input was ignored, dropped or replaced */
} lcal_log_level;

/* One line, without a newline at its end; valid during the call only. */
typedef void lcal_log_fn(void *user, lcal_log_level level, const char *message);

/* Zeroed: silent. Passed by pointer, may be NULL. Owns nothing. */
typedef struct lcal_log {
    lcal_log_fn *fn;
    void *user;
} lcal_log;

#ifdef __cplusplus
}
#endif
#endif
