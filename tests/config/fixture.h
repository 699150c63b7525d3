/* A directory with everything a valid configuration points at, and shortcuts to parse in it. */
#ifndef LCAL_TESTS_CONFIG_FIXTURE_H
#define LCAL_TESTS_CONFIG_FIXTURE_H

#include <stddef.h>

#include "config/config.h"

/* In the fixture's directory: model/ a/ b/ (directories), train.jsonl valid.jsonl init.h5 (files).
 * A cmocka group set-up: makes it, and the working directory "work" inside of it. */
int fixture_make(void **state);
int fixture_remove(void **state);

/* The directory, absolute, links resolved. */
const char *fixture_root(void);

/* root/name; valid until the eighth call after it. */
const char *fixture_path(const char *name);

/* Parses `text` as "c.yaml" in the fixture's directory with the NULL-terminated overrides. */
lcal_status fixture_parse(const char *text, const char *const *overrides, lcal_config **out,
                          lcal_error *err);

/* The same, which must succeed. */
lcal_config *fixture_open(const char *text, const char *const *overrides);

/* What every configuration must give. */
#define FIXTURE_REQUIRED "model: model\nout: run\ndata: {train: train.jsonl}\n"

#endif
