/* Which configuration keys a run may change when it is resumed, and which identify it. */
#ifndef LCAL_TRAIN_RESUME_H
#define LCAL_TRAIN_RESUME_H

#include "base/status.h"
#include "lcal/config.h"

/*
 * The configuration as text with every key that cannot change a result at a fixed value: the out
 * path, threads, logging, saving, and how much memory is used. Equal runs have equal texts. Free
 * with lcal__free.
 */
lcal_status lcal__resume_identity(const lcal_config *config, char **text, lcal_error *err);

/* Refuses (LCAL_CONFIG, by key) what would change what is computed; more steps are allowed. */
lcal_status lcal__resume_check(const lcal_config *before, const lcal_config *now,
                               const char *source, lcal_error *err);

/* The same against the text of an identity, as a checkpoint holds it. */
lcal_status lcal__resume_check_identity(const char *identity, const lcal_config *now,
                                        const char *source, lcal_error *err);

#endif
