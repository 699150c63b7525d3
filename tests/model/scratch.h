/* A temporary directory per test, and files written into it. Failures end the test. */
#ifndef LCAL_TESTS_MODEL_SCRATCH_H
#define LCAL_TESTS_MODEL_SCRATCH_H

#include "format/safetensors.h"
#include "lcal/log.h"
#include "lcal/status.h"

/* cmocka fixtures: make the directory, remove it with all that is in it. */
int scratch_open(void **state);
int scratch_close(void **state);

/* Path within the directory, and one below the shipped models (tests/golden/models). One of four
 * buffers: valid until the fourth call after it. */
const char *scratch_path(const char *format, ...);
const char *shipped_path(const char *format, ...);

/* Writes a file, its directories included. */
void scratch_text(const char *name, const char *text);
void scratch_tensors(const char *name, const lcal__tensor *tensors, size_t count);
void scratch_copy(const char *from, const char *name);

/* Collects notices; scratch_notices is emptied by scratch_open. */
extern const lcal_log scratch_log;
extern char scratch_notices[16384];

/* Fails unless status and a fragment of the message are the expected ones. `what` names the case.
 */
void assert_refused(const char *what, lcal_status found, const lcal_error *err,
                    lcal_status expected, const char *says);

#endif
