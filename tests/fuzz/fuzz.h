/*
 * Fuzz targets: each fuzz_NAME.c feeds untrusted bytes to one parser and frees what comes out.
 * libFuzzer supplies main in a build with -Dfuzz=true (tools/fuzz.sh); elsewhere driver.c does, and
 * runs the target over its seeds as an ordinary test.
 */
#ifndef LCAL_TESTS_FUZZ_H
#define LCAL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lcal/status.h"

/* Returns 0. What the parser said is in fuzz_error, where the driver looks for it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the last input; defined by each target. */
extern lcal_error fuzz_error;

/* A property that must hold for every input; otherwise the input is a finding, like a crash. */
#define FUZZ_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s (%s)\n", __FILE__, __LINE__, #condition,     \
                    fuzz_error.message);                                                           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
